package experiments_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/tracker"
	"patchlab/weights"
)

// ended reads the weights that a run ended with.
func ended(t *testing.T, db *tracker.DB, run *tracker.Run) []byte {
	t.Helper()
	f, err := db.OpenArtifact(t.Context(), run.ID(), "weights.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, file []byte) map[string]*tensors.Tensor {
	t.Helper()
	named, err := weights.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// untrained is the weights file of a network that is drawn from a seed.
func untrained(t *testing.T, b compute.Backend, config models.Config) []byte {
	t.Helper()
	n, err := experiments.NewNetwork(b, config, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var file bytes.Buffer
	if err := n.SaveWeights(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// from is an Init of a file.
func from(file []byte, freeze bool) *experiments.Init {
	sum := sha256.Sum256(file)
	return &experiments.Init{Weights: hex.EncodeToString(sum[:]), Freeze: freeze}
}

// tuning is a recipe that has a position embedding to interpolate besides all
// that tiny has.
func tuning() experiments.Recipe {
	r := tiny()
	r.Model.Position, r.Keep, r.Epochs = true, experiments.KeepLast, 2
	r.Model.Head.Hidden = []int{6}
	return r
}

// Frozen, all but the head keeps its bits, moving statistics too, and the head
// learns; whole, everything moves. Both begin better than from nothing.
func TestFineTuning(t *testing.T) {
	d := shapes(t, 160, 40)
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		job := experiments.Job{Recipe: tuning(), Dataset: d, Backend: b, BackendName: name}
		db, run := trained(t, job)
		file := ended(t, db, run)
		before := read(t, file)
		for _, freeze := range []bool{true, false} {
			job.Recipe.Init, job.Weights = from(file, freeze), bytes.NewReader(file)
			db, run := trained(t, job)
			for path, after := range read(t, ended(t, db, run)) {
				head := strings.HasPrefix(path, "classifier/") || strings.HasPrefix(path, "head/dense_")
				fixed := strings.HasPrefix(path, "normalization/") || freeze && !head
				if same := after.Equal(before[path]); same != fixed {
					t.Errorf("frozen %v: %s is unchanged: %v, want %v", freeze, path, same, fixed)
				}
			}
			info, err := db.Find(t.Context(), run.ID())
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]string{true: "124"}[freeze]; freeze && info.Params["trainable"] != want { // 8·6+6 + 6·10+10
				t.Errorf("recorded %s trained parameters, want %s", info.Params["trainable"], want)
			}
			if info.Params["init"] != job.Recipe.Init.Weights {
				t.Errorf("recorded init %q", info.Params["init"])
			}
		}
	})
}

// Other classes get a new classifier, another image size an interpolated
// position embedding; the rest begins as it was.
func TestInitFits(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 40, 10)
	d.Classes = append(slices.Clone(d.Classes), "eleven", "twelve")
	// train begins with a network of the recipe's, of other classes and image size.
	train := func(r experiments.Recipe) (before, after []byte, err error) {
		before = untrained(t, b, r.Model)
		r.Init, r.Epochs, r.Optimizer.LearningRate, r.Optimizer.WeightDecay = from(before, true), 1, 1e-9, 0
		r.Model.Classes, r.Model.ImageSize = 12, 24
		db, run := recorded(t)
		_, err = experiments.Train(t.Context(), experiments.Job{
			Recipe: r, Dataset: d, Backend: b, BackendName: name, Recorder: run, Weights: bytes.NewReader(before),
		})
		if checked := experiments.CheckInit(r.Model, read(t, before)); (checked == nil) != (err == nil) {
			t.Errorf("the check says %v, training %v", checked, err)
		}
		if err == nil {
			after = ended(t, db, run)
		}
		return before, after, err
	}
	_, _, err := train(tuning())
	if want := "block_1/channel_mlp"; err == nil || !strings.Contains(err.Error(), want) { // its weights are as many as its tokens
		t.Errorf("a Mixer of another size: %v, want an error about %s", err, want)
	}

	// Without the Mixer it fits.
	r := tuning()
	r.Model.Blocks = models.Stack{models.ConvMixer{}, models.ViT{}}
	first, last, err := train(r)
	if err != nil {
		t.Fatal(err)
	}
	before, after := read(t, first), read(t, last)
	for path, was := range before {
		if dims := after[path].Shape().Dimensions; strings.HasPrefix(path, "classifier/") && dims[len(dims)-1] != 12 {
			t.Errorf("%s has shape %v, want 12 classes", path, dims)
		}
		if fits := !strings.HasPrefix(path, "classifier/") && !strings.HasPrefix(path, "head/dense_") && path != "position/embedding"; fits && !was.Equal(after[path]) {
			t.Errorf("%s is not what it was", path)
		}
	}
	table, err := tensors.CopyFlatData[float32](before["position/embedding"])
	if err != nil {
		t.Fatal(err)
	}
	got, err := tensors.CopyFlatData[float32](after["position/embedding"])
	if err != nil {
		t.Fatal(err)
	}
	if want := models.ResizePositions(table, 4, 6, 8); !slices.Equal(got, want) {
		t.Error("the position embedding is not the interpolated one")
	}
}

// Weights that are not those of the recipe, or of the model, are refused before
// anything is trained.
func TestInitRefuses(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 40, 10)
	r := tuning()
	whole := untrained(t, b, r.Model)
	without := func(path string, more ...string) []byte {
		named := read(t, whole)
		delete(named, path)
		for _, name := range more {
			named[name] = tensors.FromScalar(float32(1))
		}
		var b bytes.Buffer
		if err := weights.Write(&b, named); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for want, c := range map[string]struct {
		file []byte
		init *experiments.Init
	}{
		"lack block_2/norm_0/gamma": {without("block_2/norm_0/gamma"), nil},
		"hold more":                 {without("", "more"), nil},
		"the recipe wants 0123":     {whole, &experiments.Init{Weights: strings.Repeat("0123", 16)}},
		"a SHA-256 in 64":           {whole, &experiments.Init{Weights: "abc"}},
		"named by the recipe":       {nil, from(nil, false)},
		"position/embedding as":     {without("position/embedding", "position/embedding"), nil},
		"values end before":         {whole[:len(whole)-1], nil},
		"allowed: a square number":  {func() []byte { return positions(t, without("position/embedding"), 7) }(), nil},
	} {
		if c.init == nil {
			c.init = from(c.file, false)
		}
		r.Init = c.init
		job := experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name}
		if c.file != nil {
			job.Weights = bytes.NewReader(c.file)
		}
		db, run := recorded(t)
		job.Recorder = run
		if _, err := experiments.Train(t.Context(), job); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if info, err := db.Find(t.Context(), run.ID()); err != nil || len(info.Metrics) > 0 {
			t.Errorf("%s: trained nevertheless: %v (%v)", want, info.Metrics, err)
		}
	}
}

// positions adds a position embedding of so many rows.
func positions(t *testing.T, file []byte, rows int) []byte {
	t.Helper()
	named := read(t, file)
	named["position/embedding"] = tensors.FromFlatDataAndDimensions(make([]float32, 8*rows), rows, 8)
	var b bytes.Buffer
	if err := weights.Write(&b, named); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A fine-tuning that is stopped goes on bit for bit.
func TestFineTuningResumes(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 110, 30)
	r := tuning()
	file := untrained(t, b, r.Model)
	for _, freeze := range []bool{true, false} {
		r.Init = from(file, freeze)
		job := experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name, Weights: bytes.NewReader(file)}
		wholeDB, whole := trained(t, job)
		db, run := recorded(t)
		job.Recorder, job.CheckpointDir = run, filepath.Join(t.TempDir(), "checkpoints")
		ctx, stop := context.WithCancel(t.Context())
		steps := 0
		job.Report = func(e experiments.Event) {
			if e.Phase == experiments.Training {
				if steps++; steps == 8 {
					stop()
				}
			}
		}
		job.Weights = bytes.NewReader(file)
		if _, err := experiments.Train(ctx, job); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped: %v", err)
		}
		stop()
		job.Weights = bytes.NewReader(file)
		if _, err := experiments.Train(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if got, want := weightsDigest(t, db, run.ID()), weightsDigest(t, wholeDB, whole.ID()); got != want {
			t.Errorf("frozen %v: resumed it ends with other weights", freeze)
		}
	}
}
