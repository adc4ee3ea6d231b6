package experiments_test

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// TestBFloat16: products in bfloat16 are recorded, change the losses, and not
// where the training goes.
func TestBFloat16(t *testing.T) {
	d := shapes(t, 300, 60)
	recipe := tiny()
	recipe.Epochs, recipe.Model.Stem, recipe.Model.Blocks = 4, models.DenseStem, models.Stack{models.Mixer{}, models.ViT{}}
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		train := func(p experiments.Precision) *experiments.Result {
			recipe.Precision = p
			db, run := recorded(t)
			r, err := experiments.Train(t.Context(), experiments.Job{Recipe: recipe, Dataset: d, Backend: b, BackendName: name, Recorder: run})
			if err != nil {
				t.Fatal(err)
			}
			info, err := db.Find(t.Context(), run.ID())
			if err != nil || info.Params["precision"] != string(p) {
				t.Errorf("recorded the precision %q (%v), want %q", info.Params["precision"], err, p)
			}
			return r
		}
		full, half := train(experiments.Float32), train(experiments.BFloat16)
		for i, e := range full.History {
			a, b := e.TrainLoss, half.History[i].TrainLoss
			if a == b || math.Abs(a-b) > .02*a {
				t.Errorf("epoch %d: training loss %.6g in float32, %.6g in bfloat16", e.Epoch, a, b)
			}
		}
		if first, last := half.History[0].TrainLoss, half.History[3].TrainLoss; !(last < .95*first) {
			t.Errorf("in bfloat16 the training loss went from %.4g to %.4g", first, last)
		}
	})
}

// TestCUDA trains in every precision on an NVIDIA GPU, where there is one, and
// holds the losses against the CPU's.
func TestCUDA(t *testing.T) {
	t.Setenv(backend.OfflineEnv, "1")
	gpu, info, err := backend.Open(t.Context(), backend.CUDA, io.Discard)
	if err != nil {
		t.Skipf("no CUDA here: %v", err)
	}
	defer gpu.Finalize()
	d := shapes(t, 90, 20)
	train := func(b compute.Backend, name string, p experiments.Precision) *experiments.Result {
		recipe := tiny()
		recipe.Precision = p
		_, run := recorded(t)
		backend.UseTF32(b, p == experiments.TF32)
		r, err := experiments.Train(t.Context(), experiments.Job{Recipe: recipe, Dataset: d, Backend: b, BackendName: name, Recorder: run})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	cpu, name := open(t, backend.XLA)
	want := train(cpu, name, experiments.Float32).History
	for p, tolerance := range map[experiments.Precision]float64{experiments.Float32: 1e-3, experiments.TF32: .02, experiments.BFloat16: .05} {
		for i, e := range train(gpu, info.Name, p).History {
			if math.Abs(e.TrainLoss-want[i].TrainLoss) > tolerance*want[i].TrainLoss {
				t.Errorf("%s, epoch %d: training loss %.6g, on the CPU in float32 %.6g", p, e.Epoch, e.TrainLoss, want[i].TrainLoss)
			}
		}
	}
}

func TestPrecisionRefused(t *testing.T) {
	recipe := tiny()
	recipe.Precision = "float16"
	if err := recipe.Validate(); err == nil || !strings.Contains(err.Error(), "allowed: float32, tf32, bfloat16") {
		t.Errorf("error %v, want the allowed precisions", err)
	}
	if err := experiments.TF32.Check("xla:cpu"); err == nil || !strings.Contains(err.Error(), "--backend cuda") {
		t.Errorf("error %v, want what tf32 needs", err)
	}
	if err := experiments.TF32.Check("xla:cuda"); err != nil {
		t.Error(err)
	}
}
