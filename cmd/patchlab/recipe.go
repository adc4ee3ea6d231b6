package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"patchlab/experiments"
	"patchlab/models"
)

// recipeFlags make a recipe: the course's, another named one, or one from a file,
// changed by what the user sets.
type recipeFlags struct {
	modernFlags
	file         string
	by           string
	model        string
	data         experiments.Data
	seed         int64
	epochs       int
	batch        int
	devices      int
	precision    string
	learningRate float64
	weightDecay  float64
	decay        string
	imageSize    int
	patchSize    int
	dim          int
	dropout      float64
	position     bool
	pool         string
	tuning       tuningFlags
}

func (r *recipeFlags) add(f *pflag.FlagSet) {
	f.StringVar(&r.file, "recipe", "", "start from the recipe in this `file` instead of a named one")
	f.StringVar(&r.by, "recipe-name", courseRecipe, "course, or modern: that with which others reached most with such a model")
	f.StringVarP(&r.model, "model", "m", "mixer-4", "a named `model` or a stack of blocks such as mixer:2,vit(heads=1):1")
	f.StringVar(&r.data.Name, "data", "cifar10", "cifar10, fashion-mnist, shapes, or folder:`DIR` with your pictures in train/CLASS/")
	f.IntVar(&r.data.TrainLimit, "train-limit", 0, "use the first `n` training images, 0 for all")
	f.IntVar(&r.data.TestLimit, "test-limit", 0, "use the first `n` test images, 0 for all")
	f.Float64Var(&r.data.Validation, "validation", .1, "`fraction` of the training images held out")
	f.Int64Var(&r.seed, "seed", 1, "decides weights, order and dropout")
	f.IntVarP(&r.epochs, "epochs", "e", 0, "at most so many (default: the model's); a named recipe's warm-up shrinks or grows along")
	f.IntVarP(&r.batch, "batch", "b", 0, "images a step (default: the model's)")
	f.IntVar(&r.devices, "devices", 1, "share each batch between so many of the backend's devices")
	f.StringVar(&r.precision, "precision", "float32", "of products in training: float32, bfloat16, or tf32 (NVIDIA GPUs)")
	f.Float64Var(&r.learningRate, "learning-rate", 0, "AdamW's (default: the model's)")
	f.Float64Var(&r.weightDecay, "weight-decay", 1e-4, "AdamW's")
	f.StringVar(&r.decay, "decay", "plain", "plain: not times the learning rate, as the course; scaled: times it, as today")
	f.IntVar(&r.imageSize, "image-size", 0, "`pixels` a side after resizing (default: the model's)")
	f.IntVar(&r.patchSize, "patch-size", 0, "`pixels` a side of a patch (default: the model's)")
	f.IntVar(&r.dim, "dim", 0, "embed `dim` (default: the model's)")
	f.Float64Var(&r.dropout, "dropout", 0, "`rate` in Mixer blocks, and in the head where it has one; a ViT's is a field, as in vit(dropout=0.2) (default: the model's)")
	f.BoolVar(&r.position, "position", false, "add a learned position embedding to the tokens (default: the model's)")
	f.StringVar(&r.pool, "pool", "", "average, flatten or class: what the head takes of the tokens (default: the model's)")
	r.modernFlags.add(f)
	r.tuning.add(f)
}

// recipe is what the flags come to, validated.
func (r *recipeFlags) recipe(f *pflag.FlagSet) (experiments.Recipe, error) {
	if f.Changed("devices") && r.devices < 1 { // 0 would be 1 in a recipe
		return experiments.Recipe{}, fmt.Errorf("--devices %d; allowed: 1 or more", r.devices)
	}
	recipe, err := r.base(f)
	if err != nil {
		return experiments.Recipe{}, err
	}
	for name, set := range map[string]func(){
		"data":          func() { recipe.Data.Name = r.data.Name },
		"train-limit":   func() { recipe.Data.TrainLimit = r.data.TrainLimit },
		"test-limit":    func() { recipe.Data.TestLimit = r.data.TestLimit },
		"validation":    func() { recipe.Data.Validation = r.data.Validation },
		"seed":          func() { recipe.Seed = r.seed },
		"epochs":        func() { recipe.Epochs = r.epochs },
		"batch":         func() { recipe.Batch = r.batch },
		"precision":     func() { recipe.Precision = experiments.Precision(r.precision) },
		"devices":       func() { recipe.Devices = r.devices },
		"learning-rate": func() { recipe.Optimizer.LearningRate = r.learningRate },
		"weight-decay":  func() { recipe.Optimizer.WeightDecay = r.weightDecay },
		"decay":         func() { recipe.Optimizer.Decay = experiments.Decay(r.decay) },
		"image-size":    func() { recipe.Model.ImageSize = r.imageSize },
		"patch-size":    func() { recipe.Model.PatchSize = r.patchSize },
		"dim":           func() { recipe.Model.Dim = r.dim },
		"position":      func() { recipe.Model.Position = r.position },
		"pool":          func() { recipe.Model.Head.Pool = models.Pool(r.pool) },
		"dropout": func() {
			recipe.Model.Dropout = r.dropout
			if recipe.Model.Head.Dropout > 0 {
				recipe.Model.Head.Dropout = r.dropout
			}
		},
	} {
		if f.Changed(name) {
			set()
		}
	}
	if err := r.modernFlags.change(f, &recipe); err != nil {
		return experiments.Recipe{}, err
	}
	return recipe, recipe.Validate()
}

// base is the recipe before changes.
func (r *recipeFlags) base(f *pflag.FlagSet) (experiments.Recipe, error) {
	if r.tuning.start != nil {
		return r.tuning.recipe(r.data, r.seed), nil
	}
	if r.file != "" {
		if f.Changed("model") {
			return experiments.Recipe{}, fmt.Errorf("--recipe and --model both name a model; give one of them")
		}
		if f.Changed("recipe-name") {
			return experiments.Recipe{}, fmt.Errorf("--recipe and --recipe-name both name a recipe; give one of them")
		}
		file, err := os.Open(r.file)
		if err != nil {
			return experiments.Recipe{}, err
		}
		defer file.Close()
		return experiments.ReadRecipe(file)
	}
	config, err := models.Parse(r.model)
	if err != nil {
		return experiments.Recipe{}, err
	}
	recipe, err := r.named(config)
	if c := recipe.Cosine; c != nil && f.Changed("epochs") { // the same shape in fewer epochs, or more
		c.Warmup *= float64(r.epochs) / float64(recipe.Epochs)
	}
	return recipe, err
}
