package models

import (
	"fmt"
	"strings"
)

// Entry is a named configuration with what is known of it.
type Entry struct {
	Config    Config    `json:"config"`
	Summary   string    `json:"summary"` // one line
	Reference Reference `json:"reference"`
	Training  Training  `json:"training"`
}

// Reference holds what the course measured with Keras on CIFAR-10, one run on its own GPU.
type Reference struct {
	Params       int64   `json:"params"`        // statistics included
	TestAccuracy float64 `json:"test_accuracy"` // fraction
	TestTop5     float64 `json:"test_top5"`     // fraction; 0: not reported
	StepMS       float64 `json:"ms_per_step"`   // training, milliseconds
	Epochs       int     `json:"epochs"`        // run
	ValAccuracy  []Point `json:"val_accuracy"`  // after epochs 1, 3, 5, 10 and the last
}

// Point is a validation accuracy after an epoch (counted from 1).
type Point struct {
	Epoch    int     `json:"epoch"`
	Accuracy float64 `json:"accuracy"`
}

// Training holds the settings with which the course trained a configuration. All share Adam
// (β .9, .999, ε 1e-7) on sparse categorical cross-entropy, the last tenth of the training images kept
// for validation.
type Training struct {
	Batch        int     `json:"batch"`
	LearningRate float64 `json:"learning_rate"`
	Epochs       int     `json:"epochs"`
	// WeightDecay is subtracted times the weight from every trainable variable at each step, NOT
	// multiplied by the learning rate (TensorFlow Addons' AdamW).
	WeightDecay float64 `json:"weight_decay"`
	// Plateau halves the learning rate after 5 epochs, and ends after 10, without a lower validation loss.
	Plateau bool `json:"plateau"`
	// KeepBest names the metric whose best epoch gives the final weights: "val_loss" or "val_accuracy".
	KeepBest string `json:"keep_best"`
}

// hybrid is the frame shared by the reference's Mixers, ViTs and hybrids: CIFAR-10 images enlarged to
// 64 x 64, patches of 8, normalised pixels, average over tokens.
func hybrid(id string, dim int, dropout float64, blocks Stack) Config {
	return Config{
		ID: id, ImageSize: 64, PatchSize: 8, Dim: dim, Channels: 3, Classes: 10,
		Normalize: true, Blocks: blocks, Dropout: dropout, Head: Head{Dropout: dropout},
	}
}

// conv is the frame of the reference's two conv rows: ConvMixer-16 with kernel 5 and patches of 2, on
// x/255, without dropout in the head.
func conv(id string, dropout float64, blocks Stack) Config {
	return Config{
		ID: id, ImageSize: 32, PatchSize: 2, Dim: 16, Channels: 3, Classes: 10,
		Stem: ConvStem, Blocks: blocks, Dropout: dropout,
	}
}

// sized changes a frame's image and patch size.
func (c Config) sized(image, patch int) Config {
	c.ImageSize, c.PatchSize = image, patch
	return c
}

// entry joins a configuration with a row of the table below. Accuracies are percents there, as printed
// by the course; the curve holds epochs 1, 3, 5, 10 and the last.
func entry(c Config, summary string, batch int, rate float64, epochs int, params int64, accuracy, ms float64, curve [5]float64) Entry {
	points := make([]Point, len(curve))
	for i, epoch := range []int{1, 3, 5, 10, epochs} {
		points[i] = Point{epoch, curve[i]}
	}
	return Entry{
		Config:  c,
		Summary: summary,
		Reference: Reference{
			Params: params, TestAccuracy: accuracy / 100, StepMS: ms, Epochs: epochs, ValAccuracy: points,
		},
		Training: Training{
			Batch: batch, LearningRate: rate, Epochs: epochs, WeightDecay: 1e-4, Plateau: true, KeepBest: "val_loss",
		},
	}
}

// Named returns the ten configurations of the course "Transformers" on patch-based vision (its six
// sections: introduction, ViT, attention, MLP-Mixer, hybrids, ConvMixer), whose figures were printed by
// its Keras notebooks. The architectures are those of Dosovitskiy et al. 2021, Tolstikhin et al. 2021
// and Trockman & Kolter 2022 in the variants of Keras's code examples; each block's file lists how
// they differ from the papers.
func Named() []Entry {
	vis := hybrid("vit-vis", 64, 0.5, Stack{ViT{Hidden: 128}}).sized(72, 6)
	vis.Position = true
	vis.Head = Head{Norm: true, Pool: FlattenPool, Dropout: .5, Hidden: []int{2048, 1024}}
	first := entry(vis, "ViT, 1 layer, whose attention the course draws", 256, .001, 15, 21_084_369, 69.35, 65, [5]float64{.462, .578, .624, .683, .705})
	first.Reference.TestTop5 = .9757
	first.Training.Plateau, first.Training.KeepBest = false, "val_accuracy" // no schedule

	return []Entry{
		first,
		entry(hybrid("mixer-4", 256, .2, Repeat(Mixer{}, 4)).sized(32, 8), "MLP-Mixer, 4 layers on 16 patches",
			128, .005, 30, 90_065, 63.04, 40, [5]float64{.456, .524, .543, .574, .644}),
		entry(hybrid("mixer-2", 128, .2, Repeat(Mixer{}, 2)), "MLP-Mixer, 2 layers",
			128, .005, 50, 76_305, 68.92, 33, [5]float64{.467, .524, .586, .602, .692}),
		entry(hybrid("vit-1", 256, .3, Repeat(ViT{}, 1)), "ViT, 1 layer, 256 channels",
			128, .001, 50, 349_265, 58.56, 42, [5]float64{.401, .441, .500, .526, .597}),
		entry(hybrid("vit-2", 128, .3, Repeat(ViT{}, 2)), "ViT, 2 layers",
			128, .001, 50, 324_113, 64.68, 57, [5]float64{.446, .508, .526, .558, .642}),
		entry(hybrid("mixer1-vit1", 128, .4, Stack{Mixer{}, ViT{}}), "hybrid, 1 Mixer layer then 1 ViT layer",
			128, .001, 50, 200_209, 64.51, 44, [5]float64{.412, .417, .544, .597, .655}),
		entry(hybrid("mixer2-vit1", 128, .4, Stack{Mixer{}, Mixer{}, ViT{}}), "hybrid, 2 Mixer layers then 1 ViT layer",
			128, .001, 29, 225_361, 65.03, 59, [5]float64{.405, .517, .562, .601, .666}),
		entry(hybrid("mixer-1", 64, .5, Repeat(Mixer{}, 1)).sized(64, 4), "MLP-Mixer, 1 layer on 256 patches",
			128, .005, 14, 168_593, 49.39, 49, [5]float64{.437, .485, .462, .541, .511}),
		entry(conv("convmixer", 0, Repeat(ConvMixer{}, 1)), "ConvMixer-16/1, kernel 5, patches of 2",
			128, .001, 25, 1_258, 49.36, 11, [5]float64{.132, .350, .400, .459, .506}),
		entry(conv("convmixer-mixer", .9, Stack{ConvMixer{}, Mixer{}}), "hybrid, 1 ConvMixer block then 1 Mixer layer",
			128, .001, 18, 141_338, 51.91, 37, [5]float64{.148, .454, .483, .520, .514}),
	}
}

// Lookup returns the named configuration with the id.
func Lookup(id string) (Entry, error) {
	var ids []string
	for _, entry := range Named() {
		if entry.Config.ID == id {
			return entry, nil
		}
		ids = append(ids, entry.Config.ID)
	}
	return Entry{}, fmt.Errorf("there is no configuration %q, allowed are %s", id, strings.Join(ids, ", "))
}
