package main

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"patchlab/experiments"
	"patchlab/tracker"
)

// trained is a run's network with its recipe.
type trained struct {
	info    tracker.RunInfo
	recipe  experiments.Recipe
	network *experiments.Network
}

// loadTrained reads the weights of a finished run onto a backend.
func loadTrained(cmd *cobra.Command, dbPath, ref string, b compute.Backend) (t trained, err error) {
	db, info, err := readRun(cmd.Context(), dbPath, ref)
	if err != nil {
		return trained{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t.info = info
	if t.recipe, err = runRecipe(cmd.Context(), db, info); err != nil {
		return trained{}, err
	}
	weights, err := db.OpenArtifact(cmd.Context(), info.ID, "weights.safetensors")
	if errors.Is(err, tracker.ErrNotFound) {
		return trained{}, fmt.Errorf("run %s has no weights yet (it is %s); finish it with: patchlab train --resume %s", info.Name, info.Status, info.ID)
	}
	if err != nil {
		return trained{}, err
	}
	t.network, err = experiments.LoadNetwork(b, t.recipe.Model, weights)
	return t, errors.Join(err, weights.Close())
}
