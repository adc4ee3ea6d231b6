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
	"patchlab/lab/sweeps"
)

// newSweepTaskCommand trains one trial: what launchers run.
func newSweepTaskCommand() *cobra.Command {
	var task sweeps.RoundTask
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
				return trainTask(cmd, f, task)
			}
			if task, err = f.Task(round, index); err != nil {
				return err
			}
			if err := trainLogged(cmd, f, task); err != nil {
				return err
			}
			return f.Done(round, index)
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
func trainLogged(cmd *cobra.Command, f *sweeps.Sweep, task sweeps.RoundTask) (err error) {
	log, err := f.OpenLog(task.Digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd.SetOut(io.MultiWriter(cmd.OutOrStdout(), log))
	cmd.SetErr(io.MultiWriter(cmd.ErrOrStderr(), log))
	return trainTask(cmd, f, task)
}

// trainTask begins a trial or continues it from where its run stands.
func trainTask(cmd *cobra.Command, f *sweeps.Sweep, task sweeps.RoundTask) error {
	recipe, err := f.ReadTrial(task.Digest)
	if err != nil {
		return err
	}
	o := &trainOptions{
		db: f.TrialDB(task.Digest), backend: f.Backend, experiment: f.Experiment, name: task.Name,
		tags: map[string]string{"sweep": f.Spec.Name, "candidate": candidateOf(task.Name)}, pauseAfter: task.Until,
	}
	o.data.dir = f.DataDir
	runs, err := sweeps.NewResults(f).Read(cmd.Context(), o.db)
	if err != nil {
		return err
	}
	r, found := runs[task.Digest]
	switch {
	case found && (r.State == sweep.Finished || r.State == sweep.Failed && r.Run.ID != task.InsteadOf):
		fmt.Fprintf(cmd.OutOrStdout(), "Run %s is %s already\n", r.Run.ID, r.State)
		return nil
	case found && r.State == sweep.Running:
		return fmt.Errorf("run %s: another process is at it", r.Run.ID)
	case found && r.State == sweep.Stopped && o.hasCheckpoint(r):
		if task.Until > 0 && len(r.Epochs) >= task.Until {
			fmt.Fprintf(cmd.OutOrStdout(), "Run %s has %s already\n", r.Run.ID, counted(len(r.Epochs), "epoch"))
			return nil
		}
		o.resume = r.Run.ID
		return o.resumeRun(cmd)
	}
	return o.train(cmd, recipe)
}

// candidateOf is a trial's name without its seed.
func candidateOf(name string) string { return name[:max(strings.LastIndex(name, "-s"), 0)] }

// hasCheckpoint reports whether a run can go on: it has a checkpoint, or has
// recorded so little that none was written.
func (o *trainOptions) hasCheckpoint(r sweeps.TrialRun) bool {
	if _, err := os.Stat(lab.CheckpointDir(o.db, r.Run.ID)); err == nil || !errors.Is(err, os.ErrNotExist) {
		return true
	}
	return o.mayBeginAgain(r.Run) == nil
}
