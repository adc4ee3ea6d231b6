package sweeps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/save"
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
	Suffix = ".sweep"

	specFile     = "sweep.json"
	lockFile     = "lock"
	stopFile     = "stop"
	trialsFolder = "trials"
)

// The launchers: who runs the trials.
const (
	LaunchLocal      = "local"
	LaunchSlurm      = "slurm"
	LaunchKubernetes = "kubernetes"
)

// Config is what sweep.json holds.
type Config struct {
	Spec       sweep.Spec   `json:"spec"`
	Launcher   string       `json:"launcher"`
	DB         string       `json:"db"` // where results are read; an absolute path
	Backend    backend.Kind `json:"backend"`
	DataDir    string       `json:"data_dir,omitempty"`
	Classes    []string     `json:"classes,omitempty"` // of a folder of pictures
	Experiment string       `json:"experiment"`
	Workers    int          `json:"workers,omitempty"`
	// Images are the digests of the datasets that the trials must find.
	Images map[string]string `json:"images"`
	// Cluster is what trials on a cluster ask for, Kubernetes what they need there besides.
	Cluster    *Cluster    `json:"cluster,omitempty"`
	Kubernetes *Kubernetes `json:"kubernetes,omitempty"`
}

// Sweep is a sweep that was begun.
type Sweep struct {
	Dir string // its folder; an absolute path
	Config
}

// ErrNone says that nothing of a name was begun.
var ErrNone = errors.New("there is no sweep")

// Open opens the folder that a name or a path means; with "", the only sweep of the
// current folder. Where there is none, the error is [ErrNone].
func Open(ref string) (*Sweep, error) {
	dir := ref
	if ref == "" {
		found, err := filepath.Glob("*" + Suffix)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%w here: no folder is called *%s", ErrNone, Suffix)
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("there are %d sweeps (folders *%s) here; name one", len(found), Suffix)
		}
		dir = found[0]
	} else if _, err := os.Stat(filepath.Join(dir, specFile)); err != nil {
		dir = ref + Suffix
	}
	b, err := os.ReadFile(filepath.Join(dir, specFile))
	if errors.Is(err, fs.ErrNotExist) {
		if ref == "" {
			return nil, fmt.Errorf("%w here: %s has no %s", ErrNone, dir, specFile)
		}
		return nil, fmt.Errorf("%w %s: neither %s nor %s has a %s", ErrNone, ref, ref, dir, specFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sweep: %w", err)
	}
	s := &Sweep{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.Config); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, specFile), err)
	}
	s.Dir, err = filepath.Abs(dir)
	return s, err
}

// Save writes sweep.json.
func (s *Sweep) Save() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, trialsFolder), 0o755); err != nil {
		return fmt.Errorf("making the sweep's folder: %w", err)
	}
	b, err := json.MarshalIndent(s.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the sweep: %w", err)
	}
	return save.Bytes(s.Path(specFile), append(b, '\n'))
}

// Path is a file of the folder.
func (s *Sweep) Path(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

// trialPath is a file of a trial, such as its ".log".
func (s *Sweep) trialPath(digest, suffix string) string {
	return s.Path(trialsFolder, digest[:16]+suffix)
}

// TrialDB is the database that a trial is recorded in: its own on a cluster,
// where one SQLite file must not be written by several machines.
func (s *Sweep) TrialDB(digest string) string {
	if s.Launcher == LaunchLocal {
		return s.DB
	}
	return s.trialPath(digest, ".db")
}

// LogPath is the file that a trial's training prints to.
func (s *Sweep) LogPath(digest string) string { return s.trialPath(digest, ".log") }

// OpenLog opens that file to print more to it.
func (s *Sweep) OpenLog(digest string) (*os.File, error) {
	log, err := os.OpenFile(s.LogPath(digest), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the trial's log: %w", err)
	}
	return log, nil
}

// TrialsDir is the folder of the trials' recipes and logs.
func (s *Sweep) TrialsDir() string { return s.Path(trialsFolder) }

// WriteTrial puts a trial's recipe into the folder.
func (s *Sweep) WriteTrial(t sweep.Trial) error {
	var b bytes.Buffer
	if _, err := t.Recipe.WriteTo(&b); err != nil {
		return err
	}
	return save.Bytes(s.trialPath(t.Digest, ".json"), b.Bytes())
}

// ReadTrial reads a trial's recipe back.
func (s *Sweep) ReadTrial(digest string) (experiments.Recipe, error) {
	if len(digest) < 16 {
		return experiments.Recipe{}, fmt.Errorf("%q is no digest of a trial", digest)
	}
	file, err := os.Open(s.trialPath(digest, ".json"))
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

// ErrBusy says that another process runs the sweep.
var ErrBusy = errors.New("another process is at it")

// Lock makes this process the one that runs the sweep; [ErrBusy] where another is.
func (s *Sweep) Lock() (unlock func(), err error) {
	l := flock.New(s.Path(lockFile))
	got, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the sweep: %w", err)
	}
	if !got {
		return nil, fmt.Errorf("sweep %s: %w", s.Spec.Name, ErrBusy)
	}
	return func() { l.Close() }, nil
}

// Busy reports whether a process holds the lock.
func (s *Sweep) Busy() bool {
	unlock, err := s.Lock()
	if err == nil {
		unlock()
	}
	return errors.Is(err, ErrBusy)
}

// Stopping reports whether the sweep is to stop.
func (s *Sweep) Stopping() bool {
	_, err := os.Stat(s.Path(stopFile))
	return err == nil
}

// Stop asks the process or the jobs at the sweep to stop.
func (s *Sweep) Stop() error {
	if err := os.WriteFile(s.Path(stopFile), nil, 0o644); err != nil {
		return fmt.Errorf("asking the sweep to stop: %w", err)
	}
	return nil
}

// Begin makes the folder, locks it and takes back that the sweep is to stop.
func (s *Sweep) Begin() (unlock func(), err error) {
	if err := os.MkdirAll(s.Path(trialsFolder), 0o755); err != nil {
		return nil, fmt.Errorf("making the sweep's folder: %w", err)
	}
	if unlock, err = s.Lock(); err != nil {
		return nil, err
	}
	if err := os.Remove(s.Path(stopFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// Loader loads a dataset and tells its digest.
type Loader func(experiments.Data) (digest string, err error)

// Know loads the trials' datasets that the sweep does not know yet and keeps
// their digests: what is missing is better known before a hundred trials fail.
// It reports whether there were any.
func (s *Sweep) Know(trials []sweep.Trial, load Loader) (more bool, err error) {
	for _, t := range trials {
		if t.Err != nil {
			continue
		}
		data := t.Recipe.Data
		key := fmt.Sprintf("%s %d %d", data.Name, data.TrainLimit, data.TestLimit)
		if data.View != nil { // a folder's pictures are as large as the network takes them
			key += fmt.Sprintf(" %d", data.View.Size)
		}
		if _, ok := s.Images[key]; ok {
			continue
		}
		digest, err := load(data)
		if err != nil {
			return more, err
		}
		if s.Images == nil {
			s.Images = map[string]string{}
		}
		s.Images[key], more = digest, true
	}
	return more, nil
}
