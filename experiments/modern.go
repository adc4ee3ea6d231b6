package experiments

import (
	"fmt"
	"strconv"

	"patchlab/datasets/augment"
	"patchlab/models"
)

// ModernRecipe returns a recipe of today for a model, by the kind of its first
// block: that with which others reached, from scratch on CIFAR-10, the accuracy
// that its comment names. Where a piece is not built here, the nearest that is
// stands in for it, and the comment says so. Data and seed are as in
// [ReferenceRecipe]; weights are those of the last epoch.
func ModernRecipe(config models.Config, data Data, seed int64) (Recipe, error) {
	if err := config.Validate(); err != nil {
		return Recipe{}, fmt.Errorf("modern recipe: %w", err)
	}
	r := Recipe{
		Model: config, Data: data, Keep: KeepLast, Seed: seed,
		Optimizer: AdamW{Decay: DecayScaled, Beta1: .9, Beta2: .999, Epsilon: 1e-8},
	}
	switch config.Blocks[0].(type) {
	case models.ConvMixer:
		modernConvMixer(&r)
	case models.Mixer:
		modernMixer(&r)
	default:
		modernViT(&r)
	}
	return r, nil
}

// modernConvMixer is the recipe of ConvMixer-256/8 k5 p2, 92.6 % after 25 epochs
// (github.com/locuslab/convmixer-cifar10, README, first command). Deviations: half
// a cosine instead of a line that bends at four fifths; gradients are clipped, as
// the script can do and the paper did (Trockman and Kolter 2022, section 3); 32
// bits instead of mixed precision; BatchNorm's momentum is .99 instead of .9.
func modernConvMixer(r *Recipe) {
	r.Batch, r.Epochs = 512, 25
	r.Optimizer.LearningRate, r.Optimizer.WeightDecay, r.Optimizer.ClipNorm = .05, .005, 1
	r.Cosine = &Cosine{Warmup: 10}
	r.Augment = &augment.Policy{Flip: true, Rand: &augment.Rand{Operations: 2, Magnitude: 12}}
}

// modernMixer is the recipe of the Mixer of 8 layers of 128 channels, 90.8 % after
// 300 epochs (github.com/omihub777/MLP-Mixer-CIFAR, README, "Experiment
// Settings"; it counts .67 million parameters, but its widths come to 1.13).
// Deviations: RandAugment instead of AutoAugment's learned policies,
// decoupled weight decay instead of an L2 penalty within Adam.
func modernMixer(r *Recipe) {
	r.Batch, r.Epochs = 128, 300
	r.Optimizer.LearningRate, r.Optimizer.WeightDecay, r.Optimizer.Beta2 = 1e-3, 5e-5, .99
	r.Cosine = &Cosine{Warmup: 5, Final: 1e-3}
	r.LabelSmoothing = .1
	r.Augment = &augment.Policy{
		Crop: 4, Flip: true, Rand: &augment.Rand{Operations: 2, Magnitude: 9},
		Mixing: &augment.Mixing{CutMix: 1, Probability: .5},
	}
}

// modernViT is the recipe of ViT-Lite-7/4, 91.4 % after 200 epochs (Hassani et al.
// 2021, "Escaping the Big Data Paradigm with Compact Transformers", section 4 and
// its repository's configurations for CIFAR-10). Deviations: a crop of the padded
// image instead of one of .8 to 1 of its area; RandAugment's magnitude does not
// vary by .5 around 9.
func modernViT(r *Recipe) {
	r.Batch, r.Epochs = 128, 200
	r.Optimizer.LearningRate, r.Optimizer.WeightDecay, r.Optimizer.KernelsOnly = 5.5e-4, .06, true
	r.Cosine = &Cosine{Warmup: 10, Final: 1e-5 / 5.5e-4}
	r.LabelSmoothing = .1
	r.Model.StochasticDepth = .1
	r.Augment = &augment.Policy{
		Crop: 4, Flip: true, Rand: &augment.Rand{Operations: 2, Magnitude: 9},
		Mixing: &augment.Mixing{Mixup: .8, CutMix: 1, Probability: 1},
	}
}

// modern are the parameters that record what a recipe has beyond the reference's;
// what it has not is left out.
func (r Recipe) modern() map[string]string {
	float := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	params := map[string]string{}
	for key, value := range map[string]float64{
		"label_smoothing": r.LabelSmoothing, "ema": r.EMA, "clip_norm": r.Optimizer.ClipNorm,
		"stochastic_depth": r.Model.StochasticDepth,
	} {
		if value != 0 {
			params[key] = float(value)
		}
	}
	if c := r.Cosine; c != nil {
		params["schedule"] = "warm-up " + float(c.Warmup) + ", cosine to " + float(c.Final)
	}
	if r.Augment != nil {
		params["augment"] = r.Augment.String()
	}
	if r.Optimizer.KernelsOnly {
		params["decay_on"] = "kernels"
	}
	return params
}
