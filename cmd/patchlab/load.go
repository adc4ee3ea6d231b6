package main

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// trained is a run's network with its recipe.
type trained struct {
	info    tracker.RunInfo
	recipe  experiments.Recipe
	network *experiments.Network
	close   func()
}

// openTrained opens a backend and loads a run's network onto it; the trained
// network's close frees both.
func openTrained(cmd *cobra.Command, kind backend.Kind, dbPath, ref string) (trained, error) {
	b, _, err := openBackend(cmd, kind)
	if err != nil {
		return trained{}, err
	}
	t, err := loadTrained(cmd, dbPath, ref, b)
	if err != nil {
		b.Finalize()
		return trained{}, err
	}
	t.close = func() {
		t.network.Close()
		b.Finalize()
	}
	return t, nil
}

// loadTrained reads the weights of a finished run onto a backend.
func loadTrained(cmd *cobra.Command, dbPath, ref string, b compute.Backend) (t trained, err error) {
	db, info, err := readRun(cmd.Context(), dbPath, ref)
	if err != nil {
		return trained{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t.info = info
	t.recipe, t.network, err = lab.Load(cmd.Context(), db, info, b)
	if errors.Is(err, lab.ErrNoWeights) {
		return trained{}, fmt.Errorf("%w; finish it with: patchlab train --resume %s", err, info.ID)
	}
	return t, err
}
