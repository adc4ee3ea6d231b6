package lab

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/experiments"
	"patchlab/tracker"
	"patchlab/weights"
)

// Recipe reads the recipe that a run was made by. Weights that were imported
// have none.
func Recipe(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, error) {
	r, err := db.OpenArtifact(ctx, info.ID, "recipe.json")
	if err != nil {
		return experiments.Recipe{}, fmt.Errorf("run %s (%s) has no recipe: it ended before its training began, or holds imported weights: %w", info.Name, info.Status, err)
	}
	defer r.Close()
	return experiments.ReadRecipe(r)
}

// ErrNoWeights says that a run has not come to weights yet.
var ErrNoWeights = errors.New("no weights yet")

// Load gives a run's network, with its trained or imported weights, on a
// backend, and what [Describe] tells of it. A run that has none yet is
// [ErrNoWeights].
func Load(ctx context.Context, db *tracker.DB, info tracker.RunInfo, b compute.Backend) (experiments.Recipe, *experiments.Network, error) {
	recipe, file, err := OpenWeights(ctx, db, info)
	if err != nil {
		return recipe, nil, err
	}
	network, err := experiments.LoadNetwork(b, recipe.Model, file)
	return recipe, network, errors.Join(err, file.Close())
}

// Weights reads a run's weights, by the names of package models, and what
// [Describe] tells of their network. A run that has none yet is [ErrNoWeights].
func Weights(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, map[string]*tensors.Tensor, error) {
	recipe, file, err := OpenWeights(ctx, db, info)
	if err != nil {
		return recipe, nil, err
	}
	named, err := weights.Read(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return recipe, nil, fmt.Errorf("weights of run %s: %w", info.Name, err)
	}
	return recipe, named, nil
}

// OpenWeights gives what a run's network is made of, before a backend is needed:
// what [Describe] tells of it, and the safetensors file of its weights, to be
// closed. A run that has none yet is [ErrNoWeights].
func OpenWeights(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, io.ReadCloser, error) {
	recipe, err := Describe(ctx, db, info)
	if err != nil {
		return recipe, nil, err
	}
	file, err := db.OpenArtifact(ctx, info.ID, weightsArtifact)
	if errors.Is(err, tracker.ErrNotFound) {
		return recipe, nil, fmt.Errorf("run %s has %w (it is %s)", info.Name, ErrNoWeights, info.Status)
	}
	if err != nil {
		return recipe, nil, fmt.Errorf("weights of run %s: %w", info.Name, err)
	}
	return recipe, file, nil
}
