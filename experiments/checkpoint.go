package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/weights"
)

// A run's checkpoint folder holds
//
//	NNNNNNNN/state.json             where the run stands
//	NNNNNNNN/variables.safetensors  weights, statistics and moments
//	best-NNNN.safetensors           the weights of the epoch kept so far
//
// A checkpoint is written under another name, synced and renamed, so that one
// that can be seen is whole; the older one goes only then. Everything that was
// recorded before a checkpoint is durable before it.
const (
	stateFile     = "state.json"
	variablesFile = "variables.safetensors"
	partPrefix    = "part-"
)

// checkpoint writes where the run stands.
func (t *trainer) checkpoint() error {
	if err := t.Recorder.Flush(); err != nil {
		return err
	}
	if t.CheckpointDir == "" {
		return nil
	}
	if err := t.writeCheckpoint(); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	t.saved = time.Now()
	return nil
}

func (t *trainer) writeCheckpoint() error {
	if !t.made { // not again: where a shared folder is gone, its place must stay empty
		if err := os.MkdirAll(t.CheckpointDir, 0o700); err != nil {
			return err
		}
		t.made = true
	}
	if t.best != nil && t.bestSaved != t.state.Best.Epoch {
		if err := t.writeBest(); err != nil {
			return err
		}
	}
	part, err := os.MkdirTemp(t.CheckpointDir, partPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	t.state.Timing = t.timing()
	err = writeFile(filepath.Join(part, stateFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(t.state)
	})
	if err != nil {
		return err
	}
	all, err := t.net.snapshot(t.variables())
	if err != nil {
		return err
	}
	err = writeFile(filepath.Join(part, variablesFile), func(w io.Writer) error { return weights.Write(w, all) })
	if err != nil {
		return err
	}
	if err := syncDir(part); err != nil {
		return err
	}
	old, err := checkpoints(t.CheckpointDir)
	if err != nil {
		return err
	}
	next := 1
	if len(old) > 0 {
		fmt.Sscanf(old[len(old)-1], "%d", &next)
		next++
	}
	if err := os.Rename(part, filepath.Join(t.CheckpointDir, fmt.Sprintf("%08d", next))); err != nil {
		return err
	}
	if err := syncDir(t.CheckpointDir); err != nil {
		return err
	}
	for _, name := range old {
		if err := os.RemoveAll(filepath.Join(t.CheckpointDir, name)); err != nil {
			return err
		}
	}
	return t.removeOldBest()
}

// variables are all that a checkpoint holds: the model's and the optimiser's.
func (t *trainer) variables() []string {
	var paths []string
	for v := range t.net.store.IterVariables() {
		paths = append(paths, v.Path())
	}
	return paths
}

func bestPath(dir string, epoch int) string {
	return filepath.Join(dir, fmt.Sprintf("best-%04d.safetensors", epoch))
}

func (t *trainer) writeBest() error {
	part := filepath.Join(t.CheckpointDir, partPrefix+"best")
	defer os.Remove(part)
	err := writeFile(part, func(w io.Writer) error { return weights.Write(w, t.best) })
	if err != nil {
		return err
	}
	if err := os.Rename(part, bestPath(t.CheckpointDir, t.state.Best.Epoch)); err != nil {
		return err
	}
	t.bestSaved = t.state.Best.Epoch
	return syncDir(t.CheckpointDir) // the checkpoint that names it comes next
}

func (t *trainer) removeOldBest() error {
	files, err := filepath.Glob(filepath.Join(t.CheckpointDir, "best-*.safetensors"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if f != bestPath(t.CheckpointDir, t.state.Best.Epoch) {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume continues from the folder's checkpoint, if there is one.
func (t *trainer) resume() (bool, error) {
	c, err := t.latest()
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	if c == nil {
		return false, nil
	}
	for _, path := range t.variables() {
		value, ok := c.variables[strings.TrimPrefix(path, "/")]
		if !ok {
			return false, fmt.Errorf("resume: %s lacks %s", filepath.Join(c.dir, variablesFile), path)
		}
		if err := setVariable(t.net.store.GetVariable(path), value); err != nil {
			return false, fmt.Errorf("resume: %w", err)
		}
	}
	t.state, t.best, t.bestSaved = c.state, c.best, c.state.Best.Epoch
	return true, t.removeParts()
}

// saved is a checkpoint that was read.
type saved struct {
	dir             string
	state           state
	variables, best map[string]*tensors.Tensor
}

// CheckCheckpoint reports whether the job's folder holds a checkpoint, and
// fails where [Train] could not continue from it: it is not whole, or of another
// recipe, dataset or backend. It changes nothing and needs no backend but its
// name.
func (j Job) CheckCheckpoint() (found bool, err error) {
	c, err := j.latest()
	return c != nil, err
}

// latest reads the folder's latest checkpoint; nil where there is none.
func (j Job) latest() (*saved, error) {
	if j.CheckpointDir == "" {
		return nil, nil
	}
	names, err := checkpoints(j.CheckpointDir)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	c := &saved{dir: filepath.Join(j.CheckpointDir, names[len(names)-1])}
	b, err := os.ReadFile(filepath.Join(c.dir, stateFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &c.state); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(c.dir, stateFile), err)
	}
	for _, part := range []struct{ what, saved, now string }{
		{"recipe", c.state.Recipe, j.Recipe.Digest()}, {"dataset", c.state.Dataset, j.Dataset.Digest}, {"backend", c.state.Backend, j.BackendName},
	} {
		if part.saved != part.now {
			return nil, fmt.Errorf("the checkpoint's %s is %.12s, this one's %.12s; they must be the same", part.what, part.saved, part.now)
		}
	}
	if c.variables, err = readTensorFile(filepath.Join(c.dir, variablesFile)); err != nil {
		return nil, err
	}
	if c.state.Best.Epoch > 0 {
		if c.best, err = readTensorFile(bestPath(j.CheckpointDir, c.state.Best.Epoch)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// removeParts removes what a killed process left half-written.
func (t *trainer) removeParts() error {
	parts, err := filepath.Glob(filepath.Join(t.CheckpointDir, partPrefix+"*"))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := os.RemoveAll(p); err != nil {
			return err
		}
	}
	return nil
}

// checkpoints lists the names of the whole checkpoints, oldest first.
func checkpoints(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), partPrefix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func readTensorFile(path string) (map[string]*tensors.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	named, err := weights.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return named, nil
}

// writeFile writes a new file and syncs it.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
