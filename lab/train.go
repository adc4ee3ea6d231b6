package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/tracker"
	"patchlab/tracker/system"
)

// Start begins a run and keeps the uncommitted changes, as [Environment] found
// them, in its artifact git.diff.
func Start(ctx context.Context, db *tracker.DB, spec tracker.Spec, diff []byte) (*tracker.Run, error) {
	run, err := db.Start(ctx, spec)
	if err != nil || len(diff) == 0 {
		return run, err
	}
	if err := run.AddArtifact("git.diff", bytes.NewReader(diff)); err != nil {
		return nil, errors.Join(err, run.Finish(tracker.Failed))
	}
	return run, nil
}

// CheckpointDir is where a run's checkpoints live while it is incomplete:
// beside the database.
func CheckpointDir(db, run string) string {
	return filepath.Join(strings.TrimSuffix(db, filepath.Ext(db))+".checkpoints", run)
}

// Carry trains what a run was started or resumed for, samples the machine
// meanwhile, and ends the run by what becomes of it: finished, killed where ctx
// ends (by its deadline too) or the job pauses, else failed, which its tags explain.
// The run is the job's Recorder; the checkpoints of a finished run are removed.
func Carry(ctx context.Context, db *tracker.DB, run *tracker.Run, job experiments.Job) (*experiments.Result, error) {
	result, err := carry(ctx, db, run, job)
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, experiments.ErrPaused)):
		return nil, errors.Join(err, run.Finish(tracker.Killed))
	case err != nil:
		return nil, errors.Join(err, run.SetTags(failure(err)), run.Finish(tracker.Failed))
	}
	if err := run.Finish(tracker.Finished); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(job.CheckpointDir); err != nil {
		return result, fmt.Errorf("the run is finished, but its checkpoints are still there: %w", err)
	}
	return result, nil
}

// carry does what [Carry] says, but for the run's end.
func carry(ctx context.Context, db *tracker.DB, run *tracker.Run, job experiments.Job) (*experiments.Result, error) {
	before, err := db.Find(ctx, run.ID()) // what a resumed run has already
	if err != nil {
		return nil, err
	}
	job.Recorder = run
	backend.UseTF32(job.Backend, job.Recipe.Precision == experiments.TF32)
	init, err := openInit(ctx, db, run.ID(), job.Recipe)
	if err != nil {
		return nil, err
	}
	if init != nil {
		defer init.Close()
		job.Weights = init
	}
	defer system.Watch(run, before.Metrics, 10*time.Second)()
	return experiments.Train(ctx, job)
}

// Tags of a failed run.
const (
	TagError    = "error"    // what went wrong
	TagDiverged = "diverged" // the step at which the loss was no number: training again ends the same
)

func failure(err error) map[string]string {
	tags := map[string]string{TagError: err.Error()}
	var diverged *experiments.DivergedError
	if errors.As(err, &diverged) {
		tags[TagDiverged] = fmt.Sprintf("step %d", diverged.Step)
	}
	return tags
}
