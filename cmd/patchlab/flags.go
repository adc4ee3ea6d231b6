package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
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
	dir     string
	offline bool // download nothing
}

func (f *dataFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.dir, "data-dir", os.Getenv(envDataDir), "`folder` with the dataset in its official layout ($"+envDataDir+")")
}

// load loads a recipe's dataset, with a progress bar while it downloads.
func (f *dataFlags) load(cmd *cobra.Command, data experiments.Data) (*datasets.Dataset, error) {
	bar := newDownloadBar(cmd.ErrOrStderr(), data.Name)
	defer bar.finish()
	o := datasets.Options{
		Dir: f.dir, TrainLimit: data.TrainLimit, TestLimit: data.TestLimit,
		Offline: f.offline || backend.Offline(), Progress: bar.progress,
	}
	if data.View != nil {
		o.View = *data.View
	}
	return datasets.Load(cmd.Context(), data.Name, o)
}

// folder takes the path out of --data folder:DIR, unless --data-dir names
// another: the recipe names the folder, and not where it lies.
func (f *dataFlags) folder(data string) (name string, err error) {
	if !datasets.IsFolder(data) {
		return data, nil
	}
	dir, err := filepath.Abs(strings.TrimPrefix(data, datasets.FolderPrefix))
	if err != nil {
		return "", err
	}
	if f.dir == os.Getenv(envDataDir) {
		f.dir = dir
	}
	return datasets.FolderPrefix + filepath.Base(dir), nil
}

// recorded takes the folder that a run's images came from, where --data-dir names
// none; it may lie on another machine alone.
func (f *dataFlags) recorded(cmd *cobra.Command, info tracker.RunInfo) {
	dir := info.Environment["data_dir"]
	if dir == "" || cmd.Flags().Changed("data-dir") {
		return
	}
	if _, err := os.Stat(dir); err == nil {
		f.dir = dir
	}
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
		} else {
			err = fmt.Errorf("%w; \"%s runs list%s\" shows what there is", err, self(), dbHint(path))
		}
	}
	if err != nil {
		db.Close()
		return nil, tracker.RunInfo{}, err
	}
	return db, info, nil
}

// dbHint is the --db flag to add to a suggested command.
func dbHint(path string) string {
	if path == "patchlab.db" || path == os.Getenv(envDB) {
		return ""
	}
	return " --db " + path
}

// deleted says of a run that it is, and what brings it back.
func deleted(info tracker.RunInfo) error {
	return fmt.Errorf("run %s (%s) is deleted: \"patchlab runs restore %s\" brings it back", info.ID, oneLine(info.Name), info.ID)
}
