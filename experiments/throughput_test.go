package experiments_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// workload is a small Mixer's.
func workload(work experiments.Work) experiments.Workload {
	w := experiments.Workload{Model: tiny().Model, Batch: 4, Work: work, Seconds: 1e-3, Steps: 4}
	w.Model.Stem, w.Model.Blocks = models.DenseStem, models.Stack{models.Mixer{}}
	return w
}

func TestMeasure(t *testing.T) {
	eachBackend(t, func(t *testing.T, b compute.Backend, _ string) {
		for _, work := range []experiments.Work{experiments.TrainWork, experiments.InferWork} {
			w := workload(work)
			m, err := experiments.Measure(t.Context(), b, w)
			if err != nil {
				t.Fatal(err)
			}
			if m.Steps < w.Steps || !(m.FirstStep > 0) || !(m.StepMedian > 0) || m.StepP95 < m.StepMedian || !(m.ImagesPerSecond > 0) {
				t.Errorf("%s: %+v", work, m)
			}
			forward := 4 * w.Model.FLOPs()
			if want := map[experiments.Work]int64{experiments.TrainWork: 3 * forward, experiments.InferWork: forward}[work]; m.FLOPs != want {
				t.Errorf("%s: %d FLOP a step, want %d", work, m.FLOPs, want)
			}
			// The images come in; far more than the network's tables together don't.
			if images := int64(4 * 32 * 32 * 3); m.Bytes <= images || m.Bytes > 100<<20 {
				t.Errorf("%s: %d bytes of traffic, the images have %d", work, m.Bytes, images)
			}
			if m.PeakMemory != 0 && m.PeakMemory < m.StartMemory {
				t.Errorf("%s: peak memory %d, at the start %d", work, m.PeakMemory, m.StartMemory)
			}
		}
	})
}

func TestMeasureRefuses(t *testing.T) {
	for want, change := range map[string]func(*experiments.Workload){
		"work":       func(w *experiments.Workload) { w.Work = "play" },
		"batch size": func(w *experiments.Workload) { w.Batch = 0 },
		"seconds":    func(w *experiments.Workload) { w.Seconds = math.NaN() },
		"patch size": func(w *experiments.Workload) { w.Model.PatchSize = 5 },
	} {
		w := workload(experiments.TrainWork)
		change(&w)
		if _, err := experiments.Measure(t.Context(), nil, w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

func TestMeasureEnds(t *testing.T) {
	b, _ := open(t, backend.Go)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := experiments.Measure(ctx, b, workload(experiments.TrainWork)); !errors.Is(err, context.Canceled) {
		t.Errorf("measured: error %v, want %v", err, context.Canceled)
	}
	if _, err := experiments.MeasurePeak(ctx, b, experiments.Float32); !errors.Is(err, context.Canceled) {
		t.Errorf("measured the peak: error %v, want %v", err, context.Canceled)
	}
}

func TestGrow(t *testing.T) {
	w := workload(experiments.TrainWork)
	w.Model.Blocks, w.Batch = models.Stack{models.Mixer{}, models.ViT{}, models.Mixer{}, models.ViT{}}, 16
	for axis, want := range map[experiments.Axis][]int{
		experiments.TokenAxis: {16, 64, 256, 1024}, experiments.DimAxis: {32, 64, 128, 256},
		experiments.DepthAxis: {2, 4, 6, 8}, experiments.BatchAxis: {16, 32, 64, 128},
	} {
		grown, err := w.Grow(axis)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range grown {
			has := map[experiments.Axis]int{
				experiments.TokenAxis: g.Model.Tokens(), experiments.DimAxis: g.Model.Dim,
				experiments.DepthAxis: len(g.Model.Blocks), experiments.BatchAxis: g.Batch,
			}[axis]
			if g.Value != want[i] || has != want[i] || g.Validate() != nil {
				t.Errorf("%s, place %d: value %d, workload %d, want %d; %v", axis, i, g.Value, has, want[i], g.Validate())
			}
		}
	}
	if _, err := w.Grow("height"); err == nil || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("error %v, want the allowed axes", err)
	}
}

func TestFitPowerLaw(t *testing.T) {
	x := []float64{16, 64, 256, 1024}
	exact := make([]float64, len(x))
	for i := range x {
		exact[i] = 3 * math.Pow(x[i], 1.5)
	}
	law, err := experiments.FitPowerLaw(x, exact)
	if err != nil || math.Abs(law.Exponent-1.5) > 1e-12 || law.StandardError > 1e-12 || law.From != 16 || law.To != 1024 {
		t.Errorf("%+v, %v; want the exponent 1.5 exactly", law, err)
	}
	// By hand, log2 of both: x = 0, 1, 2, y = 0, 1, 1. Slope 1/2; residuals −1/6, 1/3, −1/6, so with one degree of
	// freedom the variance is 1/6, over Σ(x−1)² = 2; t of .975 is 12.7062.
	law, err = experiments.FitPowerLaw([]float64{1, 2, 4}, []float64{1, 2, 2})
	half := 12.706204736 * math.Sqrt(1./12)
	if err != nil || math.Abs(law.Exponent-.5) > 1e-12 || math.Abs(law.StandardError-math.Sqrt(1./12)) > 1e-12 ||
		math.Abs(law.Low-.5+half) > 1e-6 || math.Abs(law.High-.5-half) > 1e-6 {
		t.Errorf("%+v, %v; want .5 ± %g", law, err, half)
	}
	for _, bad := range [][2][]float64{{{1, 2}, {1, 2}}, {{1, 2, 3}, {1, 2}}, {{1, 2, 3}, {1, 0, 3}}, {{2, 2, 2}, {1, 2, 3}}} {
		if law, err := experiments.FitPowerLaw(bad[0], bad[1]); err == nil {
			t.Errorf("fitted %v to %+v", bad, law)
		}
	}
}

func TestMeasurePeak(t *testing.T) {
	b, _ := open(t, backend.XLA)
	p, err := experiments.MeasurePeak(t.Context(), b, experiments.Float32)
	if err != nil {
		t.Fatal(err)
	}
	if !(p.FLOPsPerSecond > 0) || !(p.BytesPerSecond > 0) || p.Side < 512 || p.Length < 1<<20 {
		t.Fatalf("%+v", p)
	}
	if low, high := p.Roof(p.Ridge()/2), p.Roof(p.Ridge()*2); math.Abs(low/p.FLOPsPerSecond-.5) > 1e-9 || high != p.FLOPsPerSecond {
		t.Errorf("%+v: roofs %g and %g beside the ridge at %g", p, low, high, p.Ridge())
	}
	t.Logf("%.1f GFLOP/s (%.1f by processor time, side %d), %.1f GB/s", p.FLOPsPerSecond/1e9, p.FLOPsPerProcessorSecond/1e9, p.Side, p.BytesPerSecond/1e9)
}
