package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/models"
)

// Work is what one process measures: peers/measure.py reads the same JSON.
type Work struct {
	Config string        `json:"config"`
	Tool   string        `json:"tool"`
	Model  models.Config `json:"model"`
	// Params and Trainable are the counts that every tool must come to.
	Params    int64 `json:"params"`
	Trainable int64 `json:"trainable"`

	Batch        int     `json:"batch"`
	LearningRate float64 `json:"learning_rate"`
	// WeightDecay is not multiplied by the learning rate.
	WeightDecay float64 `json:"weight_decay"`
	Seed        int64   `json:"seed"`

	Data
	// Seconds is how long to time training, from step Warmup+1 on and for Least
	// steps or more; inference takes half of it.
	Seconds float64 `json:"seconds"`
	Warmup  int     `json:"warmup"`
	Least   int     `json:"least"`
	Threads int     `json:"threads"`
	// DefaultMalloc leaves glibc's allocator as it is.
	DefaultMalloc bool `json:"default_malloc"`
}

// Data says where the images lie: files of bytes, image after image.
type Data struct {
	Dataset string `json:"dataset"` // its name
	Digest  string `json:"digest"`
	Height  int    `json:"height"`
	Width   int    `json:"width"`
	// TrainImages holds all training images, of which the first TrainCount are trained on.
	TrainImages string `json:"train_images"`
	TrainLabels string `json:"train_labels"`
	TrainCount  int    `json:"train_count"`
	TestImages  string `json:"test_images"`
	TestLabels  string `json:"test_labels"`
	// Mean and Variance of each channel of the images trained on.
	Mean     []float32 `json:"mean"`
	Variance []float32 `json:"variance"`
}

// validation is the fraction of the training images that the reference holds out.
const validation = .1

// writeData loads CIFAR-10 from dataDir, or draws the shapes where there is
// none, and writes the images into the folder.
func writeData(ctx context.Context, folder, dataDir string) (Data, error) {
	name := "shapes"
	if dataDir != "" {
		name = "cifar10"
	}
	d, err := datasets.Load(ctx, name, datasets.Options{Dir: dataDir, Offline: true})
	if err != nil {
		return Data{}, err
	}
	train, _ := d.Holdout(validation)
	mean, variance := train.ChannelMoments()
	data := Data{
		Dataset: d.Name, Digest: d.Digest, Height: d.Height, Width: d.Width, TrainCount: train.Len(),
		Mean: mean, Variance: variance,
	}
	for _, f := range []struct {
		path    *string
		name    string
		content []uint8
	}{
		{&data.TrainImages, "train-images", d.Train.Images}, {&data.TrainLabels, "train-labels", asBytes(d.Train.Labels)},
		{&data.TestImages, "test-images", d.Test.Images}, {&data.TestLabels, "test-labels", asBytes(d.Test.Labels)},
	} {
		*f.path = filepath.Join(folder, f.name)
		if err := os.WriteFile(*f.path, f.content, 0o600); err != nil {
			return Data{}, fmt.Errorf("write images: %w", err)
		}
	}
	return data, nil
}

// asBytes writes the labels of at most 256 classes as the peers read them.
func asBytes(labels []uint16) []uint8 {
	out := make([]uint8, len(labels))
	for i, l := range labels {
		out[i] = uint8(l)
	}
	return out
}

func fromBytes(labels []uint8) []uint16 {
	out := make([]uint16, len(labels))
	for i, l := range labels {
		out[i] = uint16(l)
	}
	return out
}

// newWork is the work of one tool on one reference configuration.
func newWork(config, tool string, data Data, o options) (Work, error) {
	entry, err := models.Lookup(config)
	if err != nil {
		return Work{}, err
	}
	counts, err := entry.Config.Count()
	if err != nil {
		return Work{}, err
	}
	if counts.Total != entry.Reference.Params {
		return Work{}, fmt.Errorf("%s has %d parameters, the reference %d", config, counts.Total, entry.Reference.Params)
	}
	return Work{
		Config: config, Tool: tool, Model: entry.Config, Params: counts.Total, Trainable: counts.Trainable,
		Batch: entry.Training.Batch, LearningRate: entry.Training.LearningRate, WeightDecay: entry.Training.WeightDecay,
		Seed: 1, Data: data, Seconds: o.seconds, Warmup: o.warmup, Least: o.least, Threads: backend.Describe().Cores,
		DefaultMalloc: o.defaultMalloc,
	}, nil
}

// read returns the work of a file and its images.
func read(path string) (Work, *datasets.Dataset, error) {
	var w Work
	b, err := os.ReadFile(path)
	if err != nil {
		return w, nil, err
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return w, nil, fmt.Errorf("read %s: %w", path, err)
	}
	about, err := datasets.Describe(w.Dataset)
	if err != nil {
		return w, nil, err
	}
	d := &datasets.Dataset{
		Name: w.Dataset, Classes: about.Classes, Height: w.Height, Width: w.Width, Channels: w.Model.Channels, Digest: w.Digest,
	}
	var train, test []uint8 // labels
	for _, f := range []struct {
		path string
		into *[]uint8
	}{
		{w.TrainImages, &d.Train.Images}, {w.TrainLabels, &train},
		{w.TestImages, &d.Test.Images}, {w.TestLabels, &test},
	} {
		if *f.into, err = os.ReadFile(f.path); err != nil {
			return w, nil, err
		}
	}
	d.Train.Labels, d.Test.Labels = fromBytes(train), fromBytes(test)
	d.Train.Channels, d.Test.Channels = d.Channels, d.Channels
	return w, d, nil
}

// recipe is the reference's, which Patchlab trains by.
func (w Work) recipe() (experiments.Recipe, error) {
	r, err := experiments.ReferenceRecipe(w.Config, experiments.Data{Name: w.Dataset, Validation: validation}, w.Seed)
	r.Epochs = 1
	return r, err
}
