package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
)

// A sweep's folder NAME.sweep holds
//
//	sweep.json              what is tried, and how
//	lock                    held by the process that runs trials or submits jobs
//	stop                    there while the sweep is to stop
//	trials/DIGEST.json      a trial's recipe, DIGEST being its digest's beginning
//	trials/DIGEST.log       what its training printed
//	trials/DIGEST.db        on a cluster, its own database
//	results.db              on a cluster, the merged ones
//	jobs/                   on a cluster, scripts and what was submitted
const (
	sweepSuffix = ".sweep"
	sweepFile   = "sweep.json"
	sweepLock   = "lock"
	sweepStop   = "stop"
	sweepTrials = "trials"
)

// Launchers.
const (
	launchLocal      = "local"
	launchSlurm      = "slurm"
	launchKubernetes = "kubernetes"
)

// sweepConfig is what sweep.json holds.
type sweepConfig struct {
	Spec       sweep.Spec   `json:"spec"`
	Launcher   string       `json:"launcher"`
	DB         string       `json:"db"` // where results are read; an absolute path
	Backend    backend.Kind `json:"backend"`
	DataDir    string       `json:"data_dir,omitempty"`
	Experiment string       `json:"experiment"`
	Workers    int          `json:"workers,omitempty"`
	// Images are the digests of the datasets that the trials must find.
	Images map[string]string `json:"images"`
	// Cluster is what trials on a cluster ask for, Kubernetes what they need there besides.
	Cluster    *clusterConfig    `json:"cluster,omitempty"`
	Kubernetes *kubernetesConfig `json:"kubernetes,omitempty"`
}

// sweepFolder is a sweep that was begun.
type sweepFolder struct {
	dir string
	sweepConfig
}

// openSweep opens the folder that a name or a path means; without one, the only
// sweep of the current folder.
func openSweep(ref string) (*sweepFolder, error) {
	dir := ref
	if ref == "" {
		found, err := filepath.Glob("*" + sweepSuffix)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("there are %d sweeps (folders *%s) here; name one", len(found), sweepSuffix)
		}
		dir = found[0]
	} else if _, err := os.Stat(filepath.Join(dir, sweepFile)); err != nil {
		dir = ref + sweepSuffix
	}
	b, err := os.ReadFile(filepath.Join(dir, sweepFile))
	if errors.Is(err, fs.ErrNotExist) {
		if s, wrong := readSpec(ref); wrong == nil {
			return nil, fmt.Errorf("%s says what a sweep tries; one that was begun goes by its name, %s", ref, s.Name)
		}
		return nil, fmt.Errorf("there is no sweep %s: neither %s nor %s has a %s", ref, ref, dir, sweepFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sweep: %w", err)
	}
	f := &sweepFolder{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f.sweepConfig); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, sweepFile), err)
	}
	f.dir, err = filepath.Abs(dir)
	return f, err
}

// save writes sweep.json.
func (f *sweepFolder) save() error {
	if err := os.MkdirAll(filepath.Join(f.dir, sweepTrials), 0o755); err != nil {
		return fmt.Errorf("making the sweep's folder: %w", err)
	}
	b, err := json.MarshalIndent(f.sweepConfig, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the sweep: %w", err)
	}
	return renameio.WriteFile(f.path(sweepFile), append(b, '\n'), 0o644)
}

func (f *sweepFolder) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// trialPath is a file of a trial, such as its ".log".
func (f *sweepFolder) trialPath(digest, suffix string) string {
	return f.path(sweepTrials, digest[:16]+suffix)
}

// trialDB is the database that a trial is recorded in: its own on a cluster,
// where one SQLite file must not be written by several machines.
func (f *sweepFolder) trialDB(digest string) string {
	if f.Launcher == launchLocal {
		return f.DB
	}
	return f.trialPath(digest, ".db")
}

// ref is the sweep as a suggested command names it.
func (f *sweepFolder) ref() string {
	here, err := os.Getwd()
	if err == nil && filepath.Dir(f.dir) == here {
		return strings.TrimSuffix(filepath.Base(f.dir), sweepSuffix)
	}
	return f.dir
}

// writeTrial puts a trial's recipe into the folder.
func (f *sweepFolder) writeTrial(t sweep.Trial) error {
	var b bytes.Buffer
	if _, err := t.Recipe.WriteTo(&b); err != nil {
		return err
	}
	return renameio.WriteFile(f.trialPath(t.Digest, ".json"), b.Bytes(), 0o644)
}

// readTrial reads a trial's recipe back.
func (f *sweepFolder) readTrial(digest string) (experiments.Recipe, error) {
	if len(digest) < 16 {
		return experiments.Recipe{}, fmt.Errorf("%q is no digest of a trial", digest)
	}
	file, err := os.Open(f.trialPath(digest, ".json"))
	if err != nil {
		return experiments.Recipe{}, fmt.Errorf("reading trial %.12s: %w", digest, err)
	}
	defer file.Close()
	recipe, err := experiments.ReadRecipe(file)
	if err == nil && recipe.Digest() != digest {
		err = fmt.Errorf("trial %.12s has another recipe, %.12s: this program writes recipes otherwise than the one that began the sweep", digest, recipe.Digest())
	}
	return recipe, err
}

// errBusy says that another process runs the sweep.
var errBusy = errors.New("another process is at it")

// lock makes this process the one that runs the sweep.
func (f *sweepFolder) lock() (unlock func(), err error) {
	l := flock.New(f.path(sweepLock))
	got, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the sweep: %w", err)
	}
	if !got {
		return nil, fmt.Errorf("sweep %s: %w; \"%s sweep status %s\" shows what it does, \"sweep stop\" stops it", f.Spec.Name, errBusy, self(), f.ref())
	}
	return func() { l.Close() }, nil
}

// busy reports whether a process holds the lock.
func (f *sweepFolder) busy() bool {
	unlock, err := f.lock()
	if err == nil {
		unlock()
	}
	return errors.Is(err, errBusy)
}

// stopping reports whether the sweep is to stop.
func (f *sweepFolder) stopping() bool {
	_, err := os.Stat(f.path(sweepStop))
	return err == nil
}
