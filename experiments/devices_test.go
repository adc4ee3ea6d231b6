package experiments_test

import (
	"math"
	"strings"
	"testing"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// TestDevices: over two devices, and over four, training has the losses of one to
// rounding, batch statistics, attention, dropout, evaluation and kept weights
// included.
func TestDevices(t *testing.T) {
	b, name := open(t, backend.XLA)
	if b.NumDevices() < 4 {
		t.Skipf("%s has %d devices here, not 4", name, b.NumDevices())
	}
	d := shapes(t, 90, 20) // 72 to train on: four batches of 16 and one of 8
	recipe := tiny()
	recipe.Epochs, recipe.Model.Stem, recipe.Model.Blocks = 2, models.DenseStem, models.Stack{models.ConvMixer{}, models.Mixer{}, models.ViT{}}
	train := func(devices int) *experiments.Result {
		recipe.Devices = devices
		_, run := recorded(t)
		r, err := experiments.Train(t.Context(), experiments.Job{Recipe: recipe, Dataset: d, Backend: b, BackendName: name, Recorder: run, CheckpointDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one := train(1)
	for _, devices := range []int{2, 4} {
		several := train(devices)
		for i, e := range one.History {
			for what, pair := range map[string][2]float64{
				"training loss": {e.TrainLoss, several.History[i].TrainLoss}, "validation loss": {e.ValLoss, several.History[i].ValLoss},
			} {
				if math.Abs(pair[0]-pair[1]) > 1e-4*math.Abs(pair[0]) {
					t.Errorf("epoch %d: %s %.8g on one device, %.8g on %d", e.Epoch, what, pair[0], pair[1], devices)
				}
			}
		}
		if math.Abs(one.Test.Loss-several.Test.Loss) > 1e-4*one.Test.Loss {
			t.Errorf("test loss %.8g on one device, %.8g on %d", one.Test.Loss, several.Test.Loss, devices)
		}
	}
}

// TestDevicesRefuse: what devices can't share is refused before anything compiles.
func TestDevicesRefuse(t *testing.T) {
	b, name := open(t, backend.XLA)
	if b.NumDevices() < 4 {
		t.Skipf("%s has %d devices here, not 4", name, b.NumDevices())
	}
	for _, c := range []struct {
		devices, batch, images int
		want                   string
	}{
		{3, 16, 90, "divisors of the batch size"},
		{64, 64, 90, "which xla has here"},
		{4, 16, 92, "cannot share a batch of"}, // 74 to train on: the last batch has 10
	} {
		recipe := tiny()
		recipe.Devices, recipe.Batch = c.devices, c.batch
		_, run := recorded(t)
		_, err := experiments.Train(t.Context(), experiments.Job{Recipe: recipe, Dataset: shapes(t, c.images, 20), Backend: b, BackendName: name, Recorder: run})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d devices, batches of %d, %d images: error %v, want one with %q", c.devices, c.batch, c.images, err, c.want)
		}
	}
}
