package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/tracker"
)

// Environment variables that stand in for flags.
const (
	envDB      = "PATCHLAB_DB"
	envDataDir = "PATCHLAB_DATA_DIR"
)

// dbFlag adds --db.
func dbFlag(flags *pflag.FlagSet, path *string) {
	def := os.Getenv(envDB)
	if def == "" {
		def = "patchlab.db"
	}
	flags.StringVar(path, "db", def, "the tracker's `file` ($"+envDB+")")
}

// backendFlag adds --backend.
func backendFlag(flags *pflag.FlagSet, kind *backend.Kind) {
	*kind = backend.Auto
	flags.Var(kind, "backend", "what to compute with")
}

// openBackend opens the backend that --backend asks for, and says on the error
// stream which one was picked where it leaves that open.
func openBackend(cmd *cobra.Command, kind backend.Kind) (compute.Backend, backend.Info, error) {
	b, info, err := backend.Open(cmd.Context(), kind, cmd.ErrOrStderr())
	if err != nil {
		return nil, info, err
	}
	if kind == backend.Auto {
		fmt.Fprintln(cmd.ErrOrStderr(), info.Sentence)
	}
	return b, info, nil
}

// dataFlags are the flags that say where images come from.
type dataFlags struct {
	dir string
}

func (f *dataFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.dir, "data-dir", os.Getenv(envDataDir), "`folder` with the dataset in its official layout ($"+envDataDir+")")
}

// load loads a dataset, with a progress bar while it downloads.
func (f *dataFlags) load(cmd *cobra.Command, name string, trainLimit, testLimit int) (*datasets.Dataset, error) {
	bar := newDownloadBar(cmd.ErrOrStderr(), name)
	defer bar.finish()
	return datasets.Load(cmd.Context(), name, datasets.Options{
		Dir: f.dir, TrainLimit: trainLimit, TestLimit: testLimit,
		Offline: backend.Offline(), Progress: bar.progress,
	})
}

// readRun opens the database for reading and finds a run in it.
func readRun(ctx context.Context, path, ref string) (*tracker.DB, tracker.RunInfo, error) {
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return nil, tracker.RunInfo{}, err
	}
	info, err := db.Find(ctx, ref)
	if errors.Is(err, tracker.ErrNotFound) {
		if hidden, wrong := db.FindAny(ctx, ref); wrong == nil && hidden.Deleted {
			err = deleted(hidden)
		}
	}
	if err != nil {
		db.Close()
		return nil, tracker.RunInfo{}, err
	}
	return db, info, nil
}

// deleted says of a run that it is, and what brings it back.
func deleted(info tracker.RunInfo) error {
	return fmt.Errorf("run %s (%s) is deleted: \"patchlab runs restore %s\" brings it back", info.ID, oneLine(info.Name), info.ID)
}
