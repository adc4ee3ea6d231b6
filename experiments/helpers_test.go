package experiments_test

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/tracker"
)

// opened holds the backends that the tests share; each is opened once.
var opened struct {
	sync.Mutex
	backends map[backend.Kind]compute.Backend
}

// open returns a backend, or skips the test where XLA is not installed.
func open(t testing.TB, kind backend.Kind) (compute.Backend, string) {
	t.Helper()
	name := map[backend.Kind]string{backend.XLA: "xla:cpu", backend.Go: "go"}[kind]
	opened.Lock()
	defer opened.Unlock()
	if b := opened.backends[kind]; b != nil {
		return b, name
	}
	t.Setenv(backend.OfflineEnv, "1")
	b, _, err := backend.Open(t.Context(), kind, io.Discard)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no %s backend here, and CI must have it: %v", kind, err)
		}
		t.Skipf("no %s backend here: %v", kind, err)
	}
	if opened.backends == nil {
		opened.backends = map[backend.Kind]compute.Backend{}
	}
	opened.backends[kind] = b
	return b, name
}

// eachBackend runs a test on the pure-Go backend and on XLA.
func eachBackend(t *testing.T, f func(t *testing.T, b compute.Backend, name string)) {
	for _, kind := range []backend.Kind{backend.Go, backend.XLA} {
		t.Run(string(kind), func(t *testing.T) {
			b, name := open(t, kind)
			f(t, b, name)
		})
	}
}

func shapes(t testing.TB, train, test int) *datasets.Dataset {
	t.Helper()
	d, err := datasets.Load(t.Context(), "shapes", datasets.Options{TrainLimit: train, TestLimit: test})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tiny is a recipe of seconds that meets every kind of block, dropout, batch
// statistics, a partial last batch and the plateau rule.
func tiny() experiments.Recipe {
	return experiments.Recipe{
		Model: models.Config{
			ID: "tiny", ImageSize: 16, PatchSize: 4, Dim: 8, Channels: 3, Classes: 10, Normalize: true, Stem: models.ConvStem,
			Blocks: models.Stack{models.ConvMixer{}, models.Mixer{}, models.ViT{}}, Dropout: .1,
		},
		Data:  experiments.Data{Name: "shapes", Validation: .2},
		Batch: 16, Epochs: 3, Optimizer: experiments.DefaultAdamW(.003), Keep: experiments.KeepLoss, Seed: 7,
		Plateau: &experiments.Plateau{Factor: .5, Patience: 1}, EarlyStopping: &experiments.EarlyStopping{Patience: 10},
	}
}

// recorded is a run of a new database.
func recorded(t testing.TB) (*tracker.DB, *tracker.Run) {
	t.Helper()
	db, err := tracker.Open(filepath.Join(t.TempDir(), "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	run, err := db.Start(t.Context(), tracker.Spec{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return db, run
}

// trained is a run of a new database, in which a job was carried out.
func trained(t testing.TB, job experiments.Job) (*tracker.DB, *tracker.Run) {
	t.Helper()
	db, run := recorded(t)
	job.Recorder = run
	if _, err := experiments.Train(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return db, run
}

// weightsDigest is the SHA-256 of the weights that a run ended with.
func weightsDigest(t testing.TB, db *tracker.DB, id string) string {
	t.Helper()
	artifacts, err := db.Artifacts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range artifacts {
		if a.Name == "weights.safetensors" {
			return a.SHA256
		}
	}
	t.Fatalf("run %s has no weights", id)
	return ""
}

// losses are a run's values of a metric by step, as the tracker holds them.
func losses(t testing.TB, db *tracker.DB, id, key string) map[int64]float64 {
	t.Helper()
	points, err := db.History(t.Context(), id, key)
	if err != nil {
		t.Fatal(err)
	}
	byStep := map[int64]float64{}
	for _, p := range points {
		if old, ok := byStep[p.Step]; ok && old != p.Value {
			t.Errorf("%s at step %d was logged as %v and as %v", key, p.Step, old, p.Value)
		}
		byStep[p.Step] = p.Value
	}
	return byStep
}
