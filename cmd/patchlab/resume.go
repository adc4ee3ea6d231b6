package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/compare/rerun"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// resumeRun continues a run with what it recorded of itself.
func (o *trainOptions) resumeRun(cmd *cobra.Command) error {
	recipe, info, err := o.recorded(cmd, o.resume)
	if err != nil {
		return err
	}
	if err := o.resumable(info); err != nil {
		return err
	}
	if _, err := os.Stat(lab.CheckpointDir(o.db, info.ID)); errors.Is(err, fs.ErrNotExist) { // before data and backend are opened for nothing
		if err := o.mayBeginAgain(info); err != nil {
			return err
		}
	}
	d, err := o.data.load(cmd, recipe.Data)
	if err != nil {
		return err
	}
	if err := sameImages(info, d); err != nil {
		return err
	}
	err = o.carryOut(cmd, recipe, d, func(ctx context.Context, db *tracker.DB, env map[string]string, _ []byte) (*tracker.Run, error) {
		now, err := db.Find(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		if err := o.resumable(now); err != nil { // another process may have finished it meanwhile
			return nil, err
		}
		// All that may refuse comes before the run is changed.
		if err := o.sameBackend(now, env["backend"]); err != nil {
			return nil, err
		}
		found, err := experiments.Job{
			Recipe: recipe, Dataset: d, BackendName: env["backend"], CheckpointDir: lab.CheckpointDir(o.db, info.ID),
		}.CheckCheckpoint()
		if err != nil {
			return nil, fmt.Errorf("run %s stays as it is, since it cannot continue from its checkpoint: %w; to make it anew: %s",
				oneLine(info.Name), err, o.rerunCommand(now))
		}
		if !found {
			if err := o.mayBeginAgain(now); err != nil {
				return nil, err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "The run has no checkpoint yet: it begins again.")
		}
		run, err := db.Resume(ctx, info.ID)
		if err != nil {
			return nil, err
		}
		if changed := elsewhere(info.Environment, env); changed != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "Not as before: %s; times no longer mean one machine, losses may differ in the last bits.\n", changed)
			err = run.SetTags(map[string]string{"resumed.elsewhere": changed})
		}
		return run, err
	})
	if of := info.Tags[rerun.TagOf]; of != "" && err == nil {
		return o.judgeResumed(cmd, info.ID, of)
	}
	return err
}

// resumable refuses to continue a run that cannot go on.
func (o *trainOptions) resumable(info tracker.RunInfo) error {
	if info.Deleted {
		return deleted(info)
	}
	if info.Status == tracker.Damaged {
		return fmt.Errorf("run %s is damaged and cannot be resumed: %s", info.ID, info.Damage)
	}
	if info.Status == tracker.Running { // in its first seconds it has no checkpoint to look for
		return fmt.Errorf("run %s cannot be resumed: %w", oneLine(info.Name), tracker.ErrWriting)
	}
	if info.Status == tracker.Finished {
		return fmt.Errorf("run %s is finished: there is nothing to resume; to make it again: %s", oneLine(info.Name), o.rerunCommand(info))
	}
	if at, diverged := info.Tags[lab.TagDiverged]; diverged {
		return fmt.Errorf("run %s diverged at %s and cannot go on, for it would end the same: train anew with --learning-rate below %s",
			oneLine(info.Name), at, info.Params["learning_rate"])
	}
	return nil
}

// mayBeginAgain refuses to begin a run without a checkpoint again where one was
// written, and is lost: the run would hold the same steps twice. A crash in the
// first epoch may have come before the first checkpoint.
func (o *trainOptions) mayBeginAgain(info tracker.RunInfo) error {
	epoch, ended := info.Metrics["val_loss"]
	step, begun := info.Metrics["step_loss"]
	upTo := fmt.Sprintf("epoch %d", epoch.Step)
	if !ended {
		if !begun || info.Status == tracker.Crashed {
			return nil
		}
		upTo = fmt.Sprintf("step %d", step.Step)
	}
	return fmt.Errorf("run %s is recorded up to %s, but its checkpoint is no longer in %s, so it cannot go on from there: bring that folder back, or make the run anew: %s",
		oneLine(info.Name), upTo, lab.CheckpointDir(o.db, info.ID), o.rerunCommand(info))
}

// sameBackend reports a backend that isn't the one a run was made on: losses
// would differ, and the run's record of where they came from would be wrong.
func (o *trainOptions) sameBackend(info tracker.RunInfo, now string) error {
	before := info.Environment["backend"]
	if before == "" || before == now {
		return nil
	}
	return fmt.Errorf("run %s was made on backend %s and goes on only there, not on %s: leave --backend out, or make the run anew: %s --backend %s",
		oneLine(info.Name), before, now, o.rerunCommand(info), o.backend)
}

// rerunCommand is the command that makes a run anew.
func (o *trainOptions) rerunCommand(info tracker.RunInfo) string {
	return "patchlab rerun " + info.ID + dbHint(o.db)
}

// sameImages reports a dataset that isn't the one a run was made with.
func sameImages(info tracker.RunInfo, d *datasets.Dataset) error {
	for _, in := range info.Inputs {
		if in.Digest == d.Digest {
			return nil
		}
	}
	return fmt.Errorf("run %s was made with other images: none of its inputs has the digest %.12s of the %s found here; name their folder with --data-dir",
		info.Name, d.Digest, d.Name)
}

// elsewhere says what of the environment that losses or times depend on has
// changed, or "".
func elsewhere(before, now map[string]string) string {
	var changed []string
	for _, key := range []string{"machine", "plugin_version", "git_commit", "build_commit", "module.gomlx"} {
		if before[key] != now[key] {
			changed = append(changed, fmt.Sprintf("%s was %q and is %q", key, before[key], now[key]))
		}
	}
	return strings.Join(changed, ", ")
}
