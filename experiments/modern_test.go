package experiments_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/datasets/augment"
	"patchlab/experiments"
	"patchlab/models"
)

// everything has all that a recipe can have, in two epochs.
func everything() experiments.Recipe {
	r := tiny()
	r.Model.Blocks, r.Epochs = models.Stack{models.Mixer{}, models.ViT{}}, 2
	r.Plateau = nil
	r.Cosine = &experiments.Cosine{Warmup: .5, Final: .01}
	r.LabelSmoothing, r.EMA = .1, .9
	r.Optimizer.ClipNorm, r.Optimizer.KernelsOnly = .5, true
	r.Model.StochasticDepth = .3
	r.Augment = &augment.Policy{
		Crop: 4, Flip: true, Rand: &augment.Rand{Operations: 2, Magnitude: 12}, Erase: .25,
		Mixing: &augment.Mixing{Mixup: .8, CutMix: 1, Probability: .8},
	}
	return r
}

// With everything on, a run that is interrupted is, bit for bit, one that is not.
func TestEverythingResumes(t *testing.T) {
	d := shapes(t, 110, 30)
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		job := experiments.Job{Recipe: everything(), Dataset: d, Backend: b, BackendName: name}
		wholeDB, whole := trained(t, job)
		db, run := recorded(t)
		job.Recorder, job.CheckpointDir = run, filepath.Join(t.TempDir(), "checkpoints")
		for stops := 0; ; stops++ {
			ctx, stop := context.WithCancel(t.Context())
			steps := 0
			job.Report = func(e experiments.Event) {
				if e.Phase == experiments.Training {
					if steps++; steps == 8 && stops == 0 { // within the second epoch of six steps
						stop()
					}
				}
			}
			_, err := experiments.Train(ctx, job)
			stop()
			if err == nil {
				if stops == 0 {
					t.Error("never interrupted")
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if err := errors.Join(run.Flush(), whole.Flush()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"step_loss", "train_loss", "val_loss", "learning_rate", "test_loss"} {
			if a, b := losses(t, wholeDB, whole.ID(), key), losses(t, db, run.ID(), key); !maps.Equal(a, b) {
				t.Errorf("%s differs:\nuninterrupted %v\nresumed %v", key, a, b)
			}
		}
		if a, b := weightsDigest(t, wholeDB, whole.ID()), weightsDigest(t, db, run.ID()); a != b {
			t.Errorf("weights %.12s, uninterrupted %.12s", b, a)
		}
		info, err := db.Find(t.Context(), run.ID())
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{
			"schedule": "warm-up 0.5, cosine to 0.01", "label_smoothing": "0.1", "ema": "0.9", "clip_norm": "0.5", "stochastic_depth": "0.3",
			"augment": "crop 4, flip, rand 2 of 12, erase 0.25, mixup 0.8, cutmix 1, mixed 0.8", "decay_on": "kernels",
		} {
			if info.Params[key] != want {
				t.Errorf("%s is recorded as %q, want %q", key, info.Params[key], want)
			}
		}
	})
}

// Each part of a recipe changes the training, and the next epoch shows other images than the first.
func TestEachPartCounts(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 40, 10)
	seen := map[float64]string{}
	for what, change := range map[string]func(*experiments.Recipe){
		"nothing":          func(*experiments.Recipe) {},
		"cosine":           func(r *experiments.Recipe) { r.Plateau, r.Cosine = nil, &experiments.Cosine{Warmup: 1} },
		"smoothing":        func(r *experiments.Recipe) { r.LabelSmoothing = .1 },
		"EMA":              func(r *experiments.Recipe) { r.EMA = .9 },
		"clipping":         func(r *experiments.Recipe) { r.Optimizer.ClipNorm = .1 },
		"decay":            func(r *experiments.Recipe) { r.Optimizer.KernelsOnly = true },
		"stochastic depth": func(r *experiments.Recipe) { r.Model.StochasticDepth = .5 },
		"crop":             func(r *experiments.Recipe) { r.Augment = &augment.Policy{Crop: 4} },
		"flip":             func(r *experiments.Recipe) { r.Augment = &augment.Policy{Flip: true} },
		"RandAugment": func(r *experiments.Recipe) {
			r.Augment = &augment.Policy{Rand: &augment.Rand{Operations: 2, Magnitude: 9}}
		},
		"erasing": func(r *experiments.Recipe) { r.Augment = &augment.Policy{Erase: .5} },
		"mixup": func(r *experiments.Recipe) {
			r.Augment = &augment.Policy{Mixing: &augment.Mixing{Mixup: 1, Probability: 1}}
		},
		"CutMix": func(r *experiments.Recipe) {
			r.Augment = &augment.Policy{Mixing: &augment.Mixing{CutMix: 1, Probability: 1}}
		},
	} {
		r := tiny()
		r.Epochs = 2
		change(&r)
		_, run := recorded(t)
		result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name, Recorder: run})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		loss := result.History[1].ValLoss
		if other, ok := seen[loss]; ok {
			t.Errorf("%s and %s come to the same validation loss %v", what, other, loss)
		}
		seen[loss] = what
	}
}

// What is validated and kept are the averages.
func TestKeepsTheAverages(t *testing.T) {
	b, name := open(t, backend.Go)
	db, run := recorded(t)
	r := everything()
	r.Keep = experiments.KeepLast
	d := shapes(t, 110, 30)
	result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name, Recorder: run})
	if err != nil {
		t.Fatal(err)
	}
	weights, err := db.OpenArtifact(t.Context(), run.ID(), "weights.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	n, err := experiments.LoadNetwork(b, r.Model, weights) // refuses what is no model's variable
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	_, val := d.Holdout(r.Data.Validation)
	for want, split := range map[float64]datasets.Split{result.Best.ValLoss: val, result.Test.Loss: d.Test} {
		e, err := n.Evaluate(t.Context(), split, d.Height, d.Width, 16)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(e.Loss-want) > 1e-5 {
			t.Errorf("the kept weights have loss %v, reported was %v", e.Loss, want)
		}
	}
}

func TestModernRecipes(t *testing.T) {
	for _, c := range models.Papers() {
		r, err := experiments.ModernRecipe(c, experiments.Data{Name: "cifar10", Validation: .1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
	if _, err := experiments.ModernRecipe(models.Config{}, experiments.Data{}, 1); err == nil {
		t.Error("a model that cannot be built has a recipe")
	}
}

func ExampleModernRecipe() {
	config, err := models.Parse("mixer-128-8")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := experiments.ModernRecipe(config, experiments.Data{Name: "cifar10", Validation: .1}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Epochs, "epochs:", r.Augment)
	fmt.Printf("%.4g, then %.4g\n", r.Cosine.Rate(1e-3, 352, 300*352, 352), r.Cosine.Rate(1e-3, 150*352, 300*352, 352))
	// Output:
	// 300 epochs: crop 4, flip, rand 2 of 9, cutmix 1, mixed 0.5
	// 0.0002, then 0.0005138
}
