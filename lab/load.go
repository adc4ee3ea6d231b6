package lab

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gomlx/compute"

	"patchlab/experiments"
	"patchlab/tracker"
)

// Recipe reads the recipe that a run was made by.
func Recipe(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, error) {
	r, err := db.OpenArtifact(ctx, info.ID, "recipe.json")
	if err != nil {
		return experiments.Recipe{}, fmt.Errorf("run %s has no recipe: %w", info.Name, err)
	}
	defer r.Close()
	return experiments.ReadRecipe(r)
}

// ErrNoWeights says that a run has not come to weights yet.
var ErrNoWeights = errors.New("no weights yet")

// Weights gives what a run's network is made of, before a backend is needed: its
// recipe and its trained weights, to be closed. A run that has none yet is
// [ErrNoWeights].
func Weights(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, io.ReadCloser, error) {
	recipe, err := Recipe(ctx, db, info)
	if err != nil {
		return recipe, nil, err
	}
	weights, err := db.OpenArtifact(ctx, info.ID, "weights.safetensors")
	if errors.Is(err, tracker.ErrNotFound) {
		return recipe, nil, fmt.Errorf("run %s has %w (it is %s)", info.Name, ErrNoWeights, info.Status)
	}
	if err != nil {
		return recipe, nil, fmt.Errorf("weights of run %s: %w", info.Name, err)
	}
	return recipe, weights, nil
}

// Load gives a run's network, with its trained weights, on a backend. A run
// that has none yet is [ErrNoWeights].
func Load(ctx context.Context, db *tracker.DB, info tracker.RunInfo, b compute.Backend) (experiments.Recipe, *experiments.Network, error) {
	recipe, weights, err := Weights(ctx, db, info)
	if err != nil {
		return recipe, nil, err
	}
	network, err := experiments.LoadNetwork(b, recipe.Model, weights)
	return recipe, network, errors.Join(err, weights.Close())
}
