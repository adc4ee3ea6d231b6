package experiments_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"patchlab/datasets/augment"
	"patchlab/experiments"
	"patchlab/models"
)

func TestRecipeRoundTrip(t *testing.T) {
	for _, e := range models.Named() {
		r, err := experiments.ReferenceRecipe(e.Config.ID, experiments.Data{Name: "cifar10", Validation: .1}, 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", e.Config.ID, err)
		}
		var b bytes.Buffer
		if _, err := r.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := experiments.ReadRecipe(&b)
		if err != nil {
			t.Fatalf("%s: %v", e.Config.ID, err)
		}
		if r.Digest() != again.Digest() {
			t.Errorf("%s: digest %s became %s", e.Config.ID, r.Digest(), again.Digest())
		}
	}
}

func TestRecipesThatDifferHaveOtherDigests(t *testing.T) {
	seen := map[string]int{}
	for i, change := range []func(*experiments.Recipe){
		func(*experiments.Recipe) {},
		func(r *experiments.Recipe) { r.Seed++ },
		func(r *experiments.Recipe) { r.Epochs++ },
		func(r *experiments.Recipe) { r.Model.Dim *= 2 },
		func(r *experiments.Recipe) { r.Model.Blocks = append(r.Model.Blocks, models.Mixer{}) },
		func(r *experiments.Recipe) { r.Data.TrainLimit = 10 },
		func(r *experiments.Recipe) { r.Optimizer.Decay = experiments.DecayScaled },
		func(r *experiments.Recipe) { r.Plateau = nil },
	} {
		r := tiny()
		change(&r)
		if j, ok := seen[r.Digest()]; ok {
			t.Errorf("changes %d and %d have one digest", i, j)
		}
		seen[r.Digest()] = i
	}
}

func TestValidateSaysWhatIsAllowed(t *testing.T) {
	for want, change := range map[string]func(*experiments.Recipe){
		"batch size 0; allowed: 1 or more":          func(r *experiments.Recipe) { r.Batch = 0 },
		"0 epochs; allowed: 1 or more":              func(r *experiments.Recipe) { r.Epochs = 0 },
		"learning rate -1; allowed: more than 0":    func(r *experiments.Recipe) { r.Optimizer.LearningRate = -1 },
		"validation fraction 1; allowed":            func(r *experiments.Recipe) { r.Data.Validation = 1 },
		`keep "best"; allowed: val_loss`:            func(r *experiments.Recipe) { r.Keep = "best" },
		`decay "l2"; allowed: plain, scaled`:        func(r *experiments.Recipe) { r.Optimizer.Decay = "l2" },
		"plateau: factor 2":                         func(r *experiments.Recipe) { r.Plateau.Factor = 2 },
		"early stopping: patience 0":                func(r *experiments.Recipe) { r.EarlyStopping.Patience = 0 },
		"patch size 5 does not divide image size":   func(r *experiments.Recipe) { r.Model.PatchSize = 5 },
		"limits -1 and 0; allowed: 0 (all) or more": func(r *experiments.Recipe) { r.Data.TrainLimit = -1 },
		"plateau and cosine both set":               func(r *experiments.Recipe) { r.Cosine = &experiments.Cosine{} },
		"warm-up of 3 epochs; allowed: 0 or more, fewer than the 3": func(r *experiments.Recipe) {
			r.Plateau, r.Cosine = nil, &experiments.Cosine{Warmup: 3}
		},
		"label smoothing 1; allowed":            func(r *experiments.Recipe) { r.LabelSmoothing = 1 },
		"EMA decay -1; allowed":                 func(r *experiments.Recipe) { r.EMA = -1 },
		"clip norm -1; allowed":                 func(r *experiments.Recipe) { r.Optimizer.ClipNorm = -1 },
		"augment: erase: probability 2":         func(r *experiments.Recipe) { r.Augment = &augment.Policy{Erase: 2} },
		"stochastic depth is 1, but must be at": func(r *experiments.Recipe) { r.Model.StochasticDepth = 1 },
	} {
		r := tiny()
		change(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestReadRecipeRefusesMisspelling(t *testing.T) {
	r := tiny()
	text := strings.Replace(r.String(), `"batch"`, `"batch_sise"`, 1)
	if _, err := experiments.ReadRecipe(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "batch_sise") {
		t.Errorf("error %v should name the unknown field", err)
	}
}

func ExampleReferenceRecipe() {
	r, err := experiments.ReferenceRecipe("mixer-4", experiments.Data{Name: "cifar10", Validation: .1}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Model.Blocks, r.Batch, r.Epochs, r.Optimizer.LearningRate, r.Optimizer.Decay)
	fmt.Println(r.Digest()[:12])
	// Output:
	// mixer:4 128 30 0.005 plain
	// 570fbd56987c
}
