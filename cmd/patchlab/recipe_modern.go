package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"patchlab/datasets/augment"
	"patchlab/experiments"
	"patchlab/models"
)

// The recipes that --recipe-name knows.
const (
	courseRecipe = "course"
	modernRecipe = "modern"
)

// modernFlags change what today's recipes have beyond the course's.
type modernFlags struct {
	warmup, final   float64
	smoothing       float64
	clip            float64
	kernelsOnly     bool
	stochasticDepth float64
	ema             float64
	crop            int
	flip            bool
	rand            string
	erase           float64
	mixup, cutmix   float64
	mixed           float64
}

func (m *modernFlags) add(f *pflag.FlagSet) {
	f.Float64Var(&m.warmup, "warmup", 0, "`epochs` in which the learning rate rises to its peak, to fall along a cosine then")
	f.Float64Var(&m.final, "final-rate", 0, "where the cosine ends, as a `fraction` of the learning rate")
	f.Float64Var(&m.smoothing, "label-smoothing", 0, "`share` of each label that is spread over all classes")
	f.Float64Var(&m.clip, "clip-norm", 0, "largest `norm` of all gradients together, 0 for any")
	f.BoolVar(&m.kernelsOnly, "decay-kernels-only", false, "no weight decay of biases, norms and position embeddings")
	f.Float64Var(&m.stochasticDepth, "stochastic-depth", 0, "`probability` to pass the last block's branches by")
	f.Float64Var(&m.ema, "ema", 0, "keep moving averages of the weights with this `decay`, such as 0.999")
	f.IntVar(&m.crop, "crop", 0, "random crops of images padded by so many `pixels`")
	f.BoolVar(&m.flip, "flip", false, "mirror half of the images")
	f.StringVar(&m.rand, "rand-augment", "", "`operations,magnitude` of RandAugment, such as 2,9 (of 30); 0 for none")
	f.Float64Var(&m.erase, "erase", 0, "`probability` to erase a random rectangle")
	f.Float64Var(&m.mixup, "mixup", 0, "`alpha` of mixup's Beta distribution")
	f.Float64Var(&m.cutmix, "cutmix", 0, "`alpha` of CutMix's Beta distribution")
	f.Float64Var(&m.mixed, "mix-probability", 1, "`share` of the batches that mixup or CutMix mixes")
}

// change changes the recipe by the flags that the user set.
func (m *modernFlags) change(f *pflag.FlagSet, recipe *experiments.Recipe) error {
	cosine := experiments.Cosine{}
	if recipe.Cosine != nil {
		cosine = *recipe.Cosine
	}
	policy, mixing := augment.Policy{}, augment.Mixing{Probability: m.mixed}
	if recipe.Augment != nil {
		policy = *recipe.Augment
		if policy.Mixing != nil {
			mixing = *policy.Mixing
		}
	}
	var wrong error
	for name, set := range map[string]func(){
		"warmup":             func() { cosine.Warmup = m.warmup },
		"final-rate":         func() { cosine.Final = m.final },
		"label-smoothing":    func() { recipe.LabelSmoothing = m.smoothing },
		"clip-norm":          func() { recipe.Optimizer.ClipNorm = m.clip },
		"decay-kernels-only": func() { recipe.Optimizer.KernelsOnly = m.kernelsOnly },
		"stochastic-depth":   func() { recipe.Model.StochasticDepth = m.stochasticDepth },
		"ema":                func() { recipe.EMA = m.ema },
		"crop":               func() { policy.Crop = m.crop },
		"flip":               func() { policy.Flip = m.flip },
		"rand-augment":       func() { policy.Rand, wrong = parseRand(m.rand) },
		"erase":              func() { policy.Erase = m.erase },
		"mixup":              func() { mixing.Mixup = m.mixup },
		"cutmix":             func() { mixing.CutMix = m.cutmix },
		"mix-probability":    func() { mixing.Probability = m.mixed },
	} {
		if f.Changed(name) {
			set()
		}
	}
	if wrong != nil {
		return wrong
	}
	if f.Changed("warmup") || f.Changed("final-rate") {
		recipe.Cosine, recipe.Plateau = &cosine, nil // one of them sets the rate
	}
	if policy.Mixing = &mixing; mixing.Mixup == 0 && mixing.CutMix == 0 {
		if f.Changed("mix-probability") && !f.Changed("mixup") && !f.Changed("cutmix") {
			return fmt.Errorf("--mix-probability %g mixes nothing: give --mixup or --cutmix too", m.mixed)
		}
		policy.Mixing = nil
	}
	recipe.Augment = &policy
	if policy == (augment.Policy{}) {
		recipe.Augment = nil
	}
	return nil
}

// parseRand reads "2,9"; "0" is no RandAugment.
func parseRand(text string) (*augment.Rand, error) {
	if text == "0" {
		return nil, nil
	}
	operations, magnitude, ok := strings.Cut(text, ",")
	n, err := strconv.Atoi(strings.TrimSpace(operations))
	m, wrong := strconv.ParseFloat(strings.TrimSpace(magnitude), 64)
	if !ok || err != nil || wrong != nil {
		return nil, fmt.Errorf("--rand-augment %q; allowed: operations and magnitude such as 2,9, or 0 for none", text)
	}
	return &augment.Rand{Operations: n, Magnitude: m}, nil
}

// named is the recipe of a name for a model.
func (r *recipeFlags) named(config models.Config) (experiments.Recipe, error) {
	switch r.by {
	case modernRecipe:
		return experiments.ModernRecipe(config, r.data, r.seed)
	case courseRecipe:
		like := config.ID
		if _, err := models.Lookup(like); err != nil {
			like = "mixer1-vit1" // the hybrids' recipe
		}
		recipe, err := experiments.ReferenceRecipe(like, r.data, r.seed)
		recipe.Model = config
		return recipe, err
	}
	return experiments.Recipe{}, fmt.Errorf("recipe name %q; allowed: %s, %s", r.by, courseRecipe, modernRecipe)
}
