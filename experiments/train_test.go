package experiments_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/tracker"
)

// Same recipe, same seed, same backend: bitwise the same losses.
func TestSameSeedSameLosses(t *testing.T) {
	d := shapes(t, 110, 30)
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		var first map[int64]float64
		for range 2 {
			db, run := recorded(t)
			_, err := experiments.Train(t.Context(), experiments.Job{Recipe: tiny(), Dataset: d, Backend: b, BackendName: name, Recorder: run})
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Flush(); err != nil {
				t.Fatal(err)
			}
			got := losses(t, db, run.ID(), "step_loss")
			if want := 3 * 6; len(got) != want { // 88 images in batches of 16: five and a half
				t.Errorf("%d steps, want %d", len(got), want)
			}
			if first == nil {
				first = got
			} else if !maps.Equal(first, got) {
				t.Errorf("losses differ:\n%v\n%v", first, got)
			}
		}
	})
}

// A job that lacks a part is an error, and no panic.
func TestTrainNeedsItsParts(t *testing.T) {
	b, name := open(t, backend.Go)
	whole := experiments.Job{Recipe: tiny(), Dataset: shapes(t, 40, 10), Backend: b, BackendName: name}
	for _, take := range []func(*experiments.Job){
		func(j *experiments.Job) {}, func(j *experiments.Job) { j.Dataset = nil }, func(j *experiments.Job) { j.Backend = nil },
	} {
		job := whole
		take(&job)
		if _, err := experiments.Train(t.Context(), job); err == nil || !strings.Contains(err.Error(), "lacks its") {
			t.Errorf("a job without a part: %v", err)
		}
	}
}

func TestAnotherSeedDiffers(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 40, 10)
	final := map[float64]bool{}
	for seed := range int64(3) {
		_, run := recorded(t)
		r := tiny()
		r.Seed, r.Epochs = seed, 1
		result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name, Recorder: run})
		if err != nil {
			t.Fatal(err)
		}
		final[result.Test.Loss] = true
	}
	if len(final) != 3 {
		t.Errorf("three seeds gave %d different losses", len(final))
	}
}

// A run records all that it promises, and its stored predictions agree with its accuracy.
func TestRecords(t *testing.T) {
	b, name := open(t, backend.Go)
	db, run := recorded(t)
	r := tiny()
	result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: shapes(t, 110, 30), Backend: b, BackendName: name, Recorder: run})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Finish(tracker.Finished); err != nil {
		t.Fatal(err)
	}
	info, err := db.Find(t.Context(), run.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"train_loss", "train_accuracy", "train_top5", "val_loss", "val_accuracy", "val_top5", "learning_rate",
		"test_loss", "test_accuracy", "test_top5", "best_epoch", "best_val_accuracy", "train_images_per_s", "infer_images_per_s",
		"step_ms_median", "step_ms_p95", "compile_seconds", "seconds_to_best", "train_seconds_total", "eval_seconds_total",
	} {
		if _, ok := info.Metrics[key]; !ok {
			t.Errorf("metric %s is missing", key)
		}
	}
	if got := info.Metrics["test_accuracy"].Value; got != result.Test.Top1 {
		t.Errorf("test_accuracy is %v in the tracker, %v in the result", got, result.Test.Top1)
	}
	if got, want := info.Params["recipe"], r.Digest(); got != want {
		t.Errorf("recipe digest %s, want %s", got, want)
	}
	stored, err := db.OpenArtifact(t.Context(), run.ID(), "recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if again, err := experiments.ReadRecipe(stored); err != nil || again.Digest() != r.Digest() {
		t.Errorf("stored recipe: %v, digest %s", err, again.Digest())
	}
	predictions, err := db.OpenArtifact(t.Context(), run.ID(), "predictions.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer predictions.Close()
	text, err := io.ReadAll(predictions)
	if err != nil {
		t.Fatal(err)
	}
	right := 0.
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	for _, row := range rows {
		if f := strings.Split(row, ","); f[1] == f[2] {
			right++
		}
	}
	if len(rows) != 30 || right/30 != result.Test.Top1 {
		t.Errorf("%d predictions with %v right, want 30 with accuracy %v", len(rows), right, result.Test.Top1)
	}
}

// The kept weights are those of the best epoch, and a network loaded from them gives the same result.
func TestLoadedNetworkAgrees(t *testing.T) {
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		db, run := recorded(t)
		d := shapes(t, 100, 50)
		r := tiny()
		result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: d, Backend: b, BackendName: name, Recorder: run})
		if err != nil {
			t.Fatal(err)
		}
		weights, err := db.OpenArtifact(t.Context(), run.ID(), "weights.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		defer weights.Close()
		n, err := experiments.LoadNetwork(b, r.Model, weights)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		// Another batch size pads differently; no image may notice.
		for _, batch := range []int{r.Batch, 7, 50} {
			e, err := n.Evaluate(t.Context(), d.Test, d.Height, d.Width, batch)
			if err != nil {
				t.Fatal(err)
			}
			if e.Images != 50 || e.Top1 != result.Test.Top1 || math.Abs(e.Loss-result.Test.Loss) > 1e-5 {
				t.Errorf("batch %d: %d images, top-1 %v, loss %v; want 50, %v, %v", batch, e.Images, e.Top1, e.Loss, result.Test.Top1, result.Test.Loss)
			}
		}
	})
}

// An interrupted run continues bit for bit: stopped after each of many steps, it logs the same losses,
// learning rates and test result as one that was not.
func TestResumeEqualsUninterrupted(t *testing.T) {
	d := shapes(t, 110, 30)
	eachBackend(t, func(t *testing.T, b compute.Backend, name string) {
		job := experiments.Job{Recipe: tiny(), Dataset: d, Backend: b, BackendName: name}
		wholeDB, whole := recorded(t)
		job.Recorder = whole
		want, err := experiments.Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		db, run := recorded(t)
		job.Recorder, job.CheckpointDir = run, filepath.Join(t.TempDir(), "checkpoints")
		every := 4
		if name != "go" {
			every = 9 // each stop compiles again
		}
		var got *experiments.Result
		stops := 0
		for got == nil {
			ctx, stop := context.WithCancel(t.Context())
			steps := 0
			job.Report = func(e experiments.Event) {
				if e.Phase == experiments.Training {
					if steps++; steps == every {
						stop()
					}
				}
			}
			got, err = experiments.Train(ctx, job)
			stop()
			if errors.Is(err, context.Canceled) {
				stops++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if want := 18/every - 1; stops < want {
			t.Errorf("stopped %d times, want at least %d", stops, want)
		}
		if err := errors.Join(run.Flush(), whole.Flush()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"step_loss", "train_loss", "val_loss", "val_accuracy", "learning_rate", "test_loss"} {
			a, b := losses(t, wholeDB, whole.ID(), key), losses(t, db, run.ID(), key)
			if !maps.Equal(a, b) {
				t.Errorf("%s differs:\nuninterrupted %v\nresumed %v", key, a, b)
			}
		}
		if a, b := weightsDigest(t, wholeDB, whole.ID()), weightsDigest(t, db, run.ID()); a != b {
			t.Errorf("weights %.12s, uninterrupted %.12s", b, a)
		}
		if got.Test.Loss != want.Test.Loss || got.Best.Epoch != want.Best.Epoch {
			t.Errorf("test loss %v of epoch %d, uninterrupted %v of epoch %d", got.Test.Loss, got.Best.Epoch, want.Test.Loss, want.Best.Epoch)
		}
		// A crash after the last epoch finds the checkpoint and only tests again.
		again, err := experiments.Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if again.Test.Loss != want.Test.Loss || len(again.History) != len(want.History) {
			t.Errorf("finishing again: test loss %v after %d epochs, want %v after %d", again.Test.Loss, len(again.History), want.Test.Loss, len(want.History))
		}
	})
}

// cancelling is a recorder that ends the context when it is given a loss that
// is no number.
type cancelling struct {
	experiments.Recorder
	stop context.CancelFunc
}

func (c cancelling) Log(step int64, values map[string]float64) error {
	if math.IsNaN(values["step_loss"]) || math.IsInf(values["step_loss"], 0) {
		c.stop()
	}
	return c.Recorder.Log(step, values)
}

// Ctrl-C during the step that diverges hides nothing and spoils no checkpoint.
func TestDivergenceWhileInterrupted(t *testing.T) {
	b, name := open(t, backend.Go)
	_, run := recorded(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r := tiny()
	r.Optimizer.LearningRate = 1e25
	dir := filepath.Join(t.TempDir(), "checkpoints")
	job := experiments.Job{
		Recipe: r, Dataset: shapes(t, 100, 10), Backend: b, BackendName: name, Recorder: cancelling{run, stop}, CheckpointDir: dir,
	}
	_, err := experiments.Train(ctx, job)
	var diverged *experiments.DivergedError
	if !errors.As(err, &diverged) || ctx.Err() == nil {
		t.Errorf("error %v with context %v, want a DivergedError in a context that has ended", err, ctx.Err())
	}
	if found, err := job.CheckCheckpoint(); found || err != nil {
		t.Errorf("weights that are no numbers were checkpointed: %v, %v", found, err)
	}
}

func TestDivergenceNamesTheStep(t *testing.T) {
	b, name := open(t, backend.Go)
	db, run := recorded(t)
	r := tiny()
	r.Optimizer.LearningRate = 1e25
	_, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: shapes(t, 100, 10), Backend: b, BackendName: name, Recorder: run})
	var diverged *experiments.DivergedError
	if !errors.As(err, &diverged) {
		t.Fatalf("error %v, want a DivergedError", err)
	}
	if diverged.Step < 2 || !strings.Contains(err.Error(), "at step ") || !strings.Contains(err.Error(), "1e+25") {
		t.Errorf("error %q should name the step and the learning rate", err)
	}
	points, err := db.History(t.Context(), run.ID(), "step_loss")
	if err != nil {
		t.Fatal(err)
	}
	last := points[len(points)-1]
	if last.Step != diverged.Step || !(math.IsNaN(last.Value) || math.IsInf(last.Value, 0)) {
		t.Errorf("last recorded loss is %v at step %d, want the one that ended the run at step %d", last.Value, last.Step, diverged.Step)
	}
}

func TestResumeRefusesAnotherRecipe(t *testing.T) {
	b, name := open(t, backend.Go)
	dir := filepath.Join(t.TempDir(), "checkpoints")
	ctx, stop := context.WithCancel(t.Context())
	_, run := recorded(t)
	job := experiments.Job{Recipe: tiny(), Dataset: shapes(t, 60, 10), Backend: b, BackendName: name, Recorder: run, CheckpointDir: dir,
		Report: func(e experiments.Event) {
			if e.Phase == experiments.Training {
				stop()
			}
		}}
	if _, err := experiments.Train(ctx, job); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	if found, err := job.CheckCheckpoint(); !found || err != nil {
		t.Fatalf("after an interruption there is a checkpoint: %v, %v", found, err)
	}
	for what, change := range map[string]func(*experiments.Job){
		"recipe":  func(j *experiments.Job) { j.Recipe.Keep = experiments.KeepLast },
		"dataset": func(j *experiments.Job) { j.Dataset = shapes(t, 61, 10) },
		"backend": func(j *experiments.Job) { j.BackendName = "xla:cuda" },
	} {
		other := job
		change(&other)
		if _, err := experiments.Train(t.Context(), other); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("another %s: error %v", what, err)
		}
		if _, err := other.CheckCheckpoint(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("another %s: the check says %v", what, err)
		}
	}
	for _, name := range []string{"variables.safetensors", "state.json"} {
		files, err := filepath.Glob(filepath.Join(dir, "*", name))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if err := os.Truncate(files[0], 99); err != nil {
			t.Fatal(err)
		}
		if _, err := job.CheckCheckpoint(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a cut %s: the check says %v", name, err)
		}
	}
	job.CheckpointDir = t.TempDir()
	if found, err := job.CheckCheckpoint(); found || err != nil {
		t.Errorf("in an empty folder there is a checkpoint: %v, %v", found, err)
	}
}

// Weights that do not move give the same validation loss after each epoch.
func TestResultSaysThatTrainingStoppedEarly(t *testing.T) {
	b, name := open(t, backend.Go)
	r := tiny()
	r.Model.Stem, r.Model.Blocks = models.DenseStem, models.Stack{models.Mixer{}}
	r.Optimizer.LearningRate, r.Optimizer.WeightDecay = 1e-30, 0
	r.EarlyStopping.Patience = 2
	for epochs, want := range map[int]int{9: 2, 3: 0} {
		_, run := recorded(t)
		r.Epochs = epochs
		result, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: shapes(t, 40, 10), Backend: b, BackendName: name, Recorder: run})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.History) != 3 || result.StoppedEarly != want {
			t.Errorf("of %d epochs %d were trained, stopped after %d without a lower loss; want 3, %d", epochs, len(result.History), result.StoppedEarly, want)
		}
	}
}

func TestRefusesTheWrongImages(t *testing.T) {
	b, name := open(t, backend.Go)
	_, run := recorded(t)
	r := tiny()
	r.Model.Channels = 1
	_, err := experiments.Train(t.Context(), experiments.Job{Recipe: r, Dataset: shapes(t, 20, 5), Backend: b, BackendName: name, Recorder: run})
	if err == nil || !strings.Contains(err.Error(), "3 channels") {
		t.Errorf("error %v should say that the images have 3 channels", err)
	}
}
