package experiments_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/tracker"
)

// A run that pauses after epochs comes to the losses and weights of one that does
// not; its learning rate falls on the way.
func TestPausedEqualsUninterrupted(t *testing.T) {
	b, name := open(t, backend.Go)
	d := shapes(t, 110, 30)
	job := experiments.Job{Recipe: tiny(), Dataset: d, Backend: b, BackendName: name}
	wholeDB, whole := recorded(t)
	job.Recorder = whole
	want, err := experiments.Train(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	db, run := recorded(t)
	job.Recorder, job.CheckpointDir = run, t.TempDir()
	for pause := 1; pause <= 2; pause++ {
		for range 2 { // a second time it has nothing to do
			job.PauseAfter = pause
			if _, err := experiments.Train(t.Context(), job); !errors.Is(err, experiments.ErrPaused) {
				t.Fatalf("pausing after epoch %d gave %v", pause, err)
			}
			if n := len(losses(t, db, run.ID(), "val_loss")); n != pause {
				t.Errorf("%d epochs are recorded after a pause at %d", n, pause)
			}
		}
	}
	job.PauseAfter = job.Recipe.Epochs // the end is no pause
	got, err := experiments.Train(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run.Finish(tracker.Finished), whole.Finish(tracker.Finished)); err != nil {
		t.Fatal(err)
	}
	if got.Test.Loss != want.Test.Loss || !maps.Equal(losses(t, db, run.ID(), "step_loss"), losses(t, wholeDB, whole.ID(), "step_loss")) ||
		weightsDigest(t, db, run.ID()) != weightsDigest(t, wholeDB, whole.ID()) {
		t.Errorf("test loss %v after pauses, %v without", got.Test.Loss, want.Test.Loss)
	}
}

// A probe counts what a run would do, writes nothing, and refuses what has no step
// to measure.
func TestProbe(t *testing.T) {
	b, name := open(t, backend.Go)
	job := experiments.Job{Recipe: tiny(), Dataset: shapes(t, 200, 30), Backend: b, BackendName: name, CheckpointDir: t.TempDir()}
	cost, err := experiments.Probe(t.Context(), job, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if cost.TrainImages != 160 || cost.Validation != 40 || cost.TestImages != 30 || cost.Batch != 16 || cost.Steps < 1 ||
		!(cost.CompileSeconds > 0 && cost.StepSeconds > 0 && cost.EvalSeconds > 0) {
		t.Errorf("the cost is %+v", cost)
	}
	if one, two, three := cost.Seconds(1), cost.Seconds(2), cost.Seconds(3); !(one > 0 && two > one) || three-two-(two-one) > 1e-9 {
		t.Errorf("1, 2 and 3 epochs take %v, %v and %v s", one, two, three)
	}
	job.Dataset = shapes(t, 15, 30)
	if cost, err := experiments.Probe(t.Context(), job, time.Millisecond); err == nil {
		t.Errorf("a dataset smaller than a batch costs %+v", cost)
	}
	job.Dataset = nil
	if _, err := experiments.Probe(t.Context(), job, time.Millisecond); err == nil || !strings.Contains(err.Error(), "lacks its Dataset") {
		t.Errorf("without a dataset: %v", err)
	}
}
