package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// stored is what the database holds of a finished run's network.
type stored struct {
	db      *tracker.DB
	info    tracker.RunInfo
	recipe  experiments.Recipe
	weights io.ReadCloser
}

// findStored looks a run up. It comes before a backend is opened, which takes
// longer than to see that a name is mistyped.
func findStored(ctx context.Context, dbPath, ref string) (stored, error) {
	db, info, err := readRun(ctx, dbPath, ref)
	if err != nil {
		return stored{}, err
	}
	s := stored{db: db, info: info}
	if s.recipe, s.weights, err = lab.OpenWeights(ctx, db, info); err != nil {
		return stored{}, errors.Join(noWeights(err, info, dbPath), db.Close())
	}
	return s, nil
}

// noWeights adds to an error that a run has no weights yet what brings it to some.
func noWeights(err error, info tracker.RunInfo, dbPath string) error {
	_, diverged := info.Tags[lab.TagDiverged]
	if !errors.Is(err, lab.ErrNoWeights) || info.Status == tracker.Running || diverged {
		return err
	}
	return fmt.Errorf("%w; go on with it: %s train --resume %s%s", err, self(), info.ID, dbHint(dbPath))
}

func (s stored) close() error { return errors.Join(s.weights.Close(), s.db.Close()) }

// load puts the network onto a backend.
func (s stored) load(b compute.Backend) (trained, error) {
	network, err := experiments.LoadNetwork(b, s.recipe.Model, s.weights)
	return trained{info: s.info, recipe: s.recipe, network: network}, err
}

// trained is a run's network with its recipe.
type trained struct {
	info    tracker.RunInfo
	recipe  experiments.Recipe
	network *experiments.Network
	close   func()
}

// openTrained finds a run, opens a backend and loads the run's network onto it;
// the trained network's close frees both.
func openTrained(cmd *cobra.Command, kind backend.Kind, dbPath, ref string) (t trained, err error) {
	s, err := findStored(cmd.Context(), dbPath, ref)
	if err != nil {
		return trained{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	b, _, err := openBackend(cmd, kind)
	if err != nil {
		return trained{}, err
	}
	if t, err = s.load(b); err != nil {
		b.Finalize()
		return trained{}, err
	}
	t.close = func() {
		t.network.Close()
		b.Finalize()
	}
	return t, nil
}
