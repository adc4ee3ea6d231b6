package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare/rerun"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// cutOff is a writer that ends a training when it has printed an epoch.
type cutOff struct {
	stop  context.CancelFunc
	epoch []byte
}

func (c cutOff) Write(p []byte) (int, error) {
	if bytes.Contains(p, c.epoch) {
		c.stop()
	}
	return len(p), nil
}

// interrupted is a run that was stopped after its first epoch of six.
func interrupted(t *testing.T, db string) tracker.RunInfo {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := run(ctx, smallTraining(db, "--name", "cut", "--epochs", "6"), cutOff{stop, []byte("epoch 1/6")}, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted training gave %v", err)
	}
	return recordedRun(t, db, "cut")
}

func recordedRun(t *testing.T, path, ref string) tracker.RunInfo {
	t.Helper()
	db, info, err := readRun(t.Context(), path, ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return info
}

// refusesResume resumes a run, which must fail with what want says and leave
// the run as it is.
func refusesResume(t *testing.T, db string, was tracker.RunInfo, want string, more ...string) {
	t.Helper()
	_, _, err := execute(t, append([]string{"train", "--db", db, "--resume", was.ID}, more...)...)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "patchlab rerun "+was.ID+dbHint(db)) {
		t.Errorf("resuming gave %v; it should say %q, and to rerun", err, want)
	}
	if now := recordedRun(t, db, was.ID); now.Status != was.Status || now.Digest != was.Digest || !maps.Equal(now.Tags, was.Tags) {
		t.Errorf("a refused resumption made of %+v\n%+v", was, now)
	}
}

// What cannot continue from its checkpoint says so, stays as it was, and can be
// made anew.
func TestResumeRefusesWithoutItsCheckpoint(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	cut := interrupted(t, db)
	if cut.Status != tracker.Killed || cut.Digest == "" {
		t.Fatalf("the run is %+v", cut)
	}
	dir := lab.CheckpointDir(db, cut.ID)
	files, err := filepath.Glob(filepath.Join(dir, "*", "variables.safetensors"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 1000); err != nil {
		t.Fatal(err)
	}
	refusesResume(t, db, cut, "variables.safetensors")
	if err := os.RemoveAll(filepath.Dir(files[0])); err != nil {
		t.Fatal(err)
	}
	refusesResume(t, db, cut, "is recorded up to epoch 1, but its checkpoint is no longer in "+dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	refusesResume(t, db, cut, "bring that folder back")
	out := must(t, "rerun", "cut", "--db", db)
	if !strings.Contains(out, "epoch 6/6") || !strings.Contains(out, "cut: no verdict, since it is killed") {
		t.Errorf("making it anew printed:\n%s", out)
	}
}

// A run that diverged would do so again: its checkpoint is not asked for.
func TestResumeRefusesADivergedRun(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	if _, _, err := execute(t, smallTraining(db, "--name", "wild", "--learning-rate", "1e25")...); err == nil || !strings.Contains(err.Error(), "diverged") {
		t.Fatalf("training at a rate of 1e25 gave %v", err)
	}
	_, _, err := execute(t, "train", "--db", db, "--resume", "wild")
	if err == nil || !strings.Contains(err.Error(), "run wild diverged at step ") || !strings.HasSuffix(err.Error(), "--learning-rate below 1e+25") {
		t.Errorf("resuming it gave %v", err)
	}
}

// A rerun that was interrupted gets its verdict when it is resumed.
func TestResumedRerunIsJudged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(path, "--name", "first", "--epochs", "6")...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := run(ctx, []string{"rerun", "first", "--db", path}, cutOff{stop, []byte("epoch 1/6")}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted rerun gave %v", err)
	}
	again := recordedRun(t, path, "first again")
	resume := []string{"train", "--db", path, "--resume", again.ID}
	if out := must(t, append(resume, "--pause-after", "3")...); strings.Contains(out, "reproduced") {
		t.Errorf("half a rerun was judged:\n%s", out)
	}
	if out := must(t, resume...); !strings.Contains(out, "first: reproduced bit for bit\n") {
		t.Errorf("the resumed rerun printed:\n%s", out)
	}
	if now := recordedRun(t, path, again.ID); now.Tags[rerun.TagVerdict] == "" {
		t.Errorf("its tags are %v", now.Tags)
	}
}

// A finished run can be made anew only, by a command that can be copied whatever
// the run is called.
func TestResumeRefusesAFinishedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(path, "--name", "the best again")...)
	refusesResume(t, path, recordedRun(t, path, "the best again"), "there is nothing to resume; to make it again: patchlab rerun ")
}

// A run that is being written says so, and not that it lacks the checkpoint that its
// first epoch has yet to write.
func TestResumeRefusesARunThatIsBeingWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(path, "--name", "whole")...)
	whole := recordedRun(t, path, "whole")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recipe, err := db.OpenArtifact(t.Context(), whole.ID, "recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer recipe.Close()
	run, err := db.Start(t.Context(), tracker.Spec{Name: "begun", Environment: whole.Environment, Inputs: whole.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run.AddArtifact("recipe.json", recipe), run.Log(1, map[string]float64{"step_loss": 2}), run.Flush()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "train", "--db", path, "--resume", "begun"); !errors.Is(err, tracker.ErrWriting) {
		t.Errorf("resuming it gave %v", err)
	}
}

// copied makes a run with the recipe and inputs of another, interrupted, whose environment has another value, and returns
// its ID.
func copied(t *testing.T, path string, from tracker.RunInfo, name, key, value string) string {
	t.Helper()
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	recipe, err := db.OpenArtifact(t.Context(), from.ID, "recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer recipe.Close()
	environment := maps.Clone(from.Environment)
	environment[key] = value
	run, err := db.Start(t.Context(), tracker.Spec{Name: name, Environment: environment, Inputs: from.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run.AddArtifact("recipe.json", recipe), run.Finish(tracker.Killed)); err != nil {
		t.Fatal(err)
	}
	return run.ID()
}

func TestResumeRefusesAnotherBackend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(path, "--name", "whole")...)
	whole := recordedRun(t, path, "whole")
	copied(t, path, whole, "elsewhere", "backend", "xla:cpu")
	refusesResume(t, path, recordedRun(t, path, "elsewhere"), "was made on backend xla:cpu and goes on only there, not on go", "--backend", "go")
}

// On another kind of processor, where losses may part in the last bits, a run goes on, and says so.
func TestResumeOnAnotherMachineSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	cut := interrupted(t, path)
	moved := copied(t, path, cut, "moved", "machine", "another (AVX2) × 2")
	if err := os.CopyFS(lab.CheckpointDir(path, moved), os.DirFS(lab.CheckpointDir(path, cut.ID))); err != nil {
		t.Fatal(err)
	}
	changed := fmt.Sprintf("machine was %q and is %q", "another (AVX2) × 2", cut.Environment["machine"])
	for name, want := range map[string]string{"moved": changed, "cut": ""} {
		_, said, err := execute(t, "train", "--db", path, "--resume", name)
		if err != nil {
			t.Fatal(err)
		}
		if says := strings.Contains(said, "Not as before: "+changed); says != (want != "") {
			t.Errorf("resuming %s said:\n%s", name, said)
		}
		if now := recordedRun(t, path, name); now.Tags["resumed.elsewhere"] != want || now.Status != tracker.Finished {
			t.Errorf("%s is %s and tagged %q; want it finished and tagged %q", name, now.Status, now.Tags, want)
		}
	}
}

// A run that has recorded nothing has lost nothing.
func TestResumeBeginsARunThatRecordedNothing(t *testing.T) {
	fresh := tracker.RunInfo{Status: tracker.Failed}
	o := &trainOptions{db: "lab.db"}
	if err := o.mayBeginAgain(fresh); err != nil {
		t.Error(err)
	}
	fresh.Metrics = map[string]tracker.Metric{"step_loss": {Step: 7}}
	if err := o.mayBeginAgain(fresh); err == nil || !strings.Contains(err.Error(), "up to step 7") {
		t.Errorf("a failed run without a checkpoint: %v", err)
	}
	fresh.Status = tracker.Crashed
	if err := o.mayBeginAgain(fresh); err != nil {
		t.Errorf("a run that crashed in its first epoch: %v", err)
	}
}

func TestDeletedRunsSayHowToBringThemBack(t *testing.T) {
	path, ids := recordRuns(t)
	if out, err := runRuns(t, path, "delete", "vit-1"); err != nil {
		t.Fatal(out, err)
	}
	for _, ref := range []string{"vit-1", ids[1]} {
		_, _, err := execute(t, "train", "--resume", ref, "--db", path)
		if err == nil || !strings.Contains(err.Error(), `is deleted: "patchlab runs restore `+ids[1]+`" brings it back`) {
			t.Errorf("resuming %s, which is deleted, gave %v", ref, err)
		}
	}
}

func TestResultSaysWhyTrainingEnded(t *testing.T) {
	result := &experiments.Result{History: make([]experiments.EpochResult, 23), StoppedEarly: 10}
	var out bytes.Buffer
	printResult(&out, result)
	if want := "stopped early after epoch 23: no lower validation loss for 10 epochs\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("the result is printed as:\n%s", out.String())
	}
	out.Reset()
	result.StoppedEarly = 0
	if printResult(&out, result); strings.Contains(out.String(), "stopped") {
		t.Errorf("the result of all epochs is printed as:\n%s", out.String())
	}
}
