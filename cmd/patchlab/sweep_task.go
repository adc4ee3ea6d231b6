package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/experiments/sweep"
	"patchlab/lab"
)

// newSweepTaskCommand trains one trial: what launchers run.
func newSweepTaskCommand() *cobra.Command {
	var task roundTask
	var round, index int
	cmd := &cobra.Command{
		Use:    "task SWEEP [DIGEST]",
		Short:  "Train one trial of a sweep: what launchers run",
		Hidden: true,
		Args:   cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openSweep(args[0])
			if err != nil {
				return err
			}
			if len(args) == 2 {
				task.Digest = args[1]
				return f.train(cmd, task)
			}
			if task, err = f.roundTask(round, index); err != nil {
				return err
			}
			if err := f.trainLogged(cmd, task); err != nil {
				return err
			}
			return os.WriteFile(f.donePath(round, index), nil, 0o644)
		},
	}
	cmd.Flags().IntVar(&task.Until, "until", 0, "pause after this `epoch` (0: train to the end)")
	cmd.Flags().StringVar(&task.Name, "name", "", "the run's name")
	cmd.Flags().StringVar(&task.InsteadOf, "instead-of", "", "the failed `run` to replace")
	cmd.Flags().IntVar(&round, "round", 0, "of a cluster: the round")
	cmd.Flags().IntVar(&index, "index", 0, "of a cluster: the task of the round")
	return cmd
}

// trainLogged trains with the trial's log as its output, beside the job's.
func (f *sweepFolder) trainLogged(cmd *cobra.Command, task roundTask) (err error) {
	log, err := os.OpenFile(f.trialPath(task.Digest, ".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the trial's log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd.SetOut(io.MultiWriter(cmd.OutOrStdout(), log))
	cmd.SetErr(io.MultiWriter(cmd.ErrOrStderr(), log))
	return f.train(cmd, task)
}

// train begins a trial or continues it from where its run stands.
func (f *sweepFolder) train(cmd *cobra.Command, task roundTask) error {
	recipe, err := f.readTrial(task.Digest)
	if err != nil {
		return err
	}
	o := &trainOptions{
		db: f.trialDB(task.Digest), backend: f.Backend, experiment: f.Experiment, name: task.Name,
		tags: map[string]string{"sweep": f.Spec.Name, "candidate": candidateOf(task.Name)}, pauseAfter: task.Until,
	}
	o.data.dir = f.DataDir
	runs, err := newSweepResults(f).read(cmd.Context(), o.db)
	if err != nil {
		return err
	}
	r, found := runs[task.Digest]
	switch {
	case found && (r.State == sweep.Finished || r.State == sweep.Failed && r.run.ID != task.InsteadOf):
		fmt.Fprintf(cmd.OutOrStdout(), "Run %s is %s already\n", r.run.ID, r.State)
		return nil
	case found && r.State == sweep.Running:
		return fmt.Errorf("run %s: another process is at it", r.run.ID)
	case found && r.State == sweep.Stopped && f.hasCheckpoint(o, r):
		if task.Until > 0 && len(r.Values) >= task.Until {
			fmt.Fprintf(cmd.OutOrStdout(), "Run %s has %s already\n", r.run.ID, counted(len(r.Values), "epoch"))
			return nil
		}
		o.resume = r.run.ID
		return o.resumeRun(cmd)
	}
	return o.train(cmd, recipe)
}

// candidateOf is a trial's name without its seed.
func candidateOf(name string) string { return name[:max(strings.LastIndex(name, "-s"), 0)] }

// hasCheckpoint reports whether a run can go on: it has a checkpoint, or has
// recorded so little that none was written.
func (f *sweepFolder) hasCheckpoint(o *trainOptions, r trialRun) bool {
	if _, err := os.Stat(lab.CheckpointDir(o.db, r.run.ID)); err == nil || !errors.Is(err, os.ErrNotExist) {
		return true
	}
	return o.mayBeginAgain(r.run) == nil
}
