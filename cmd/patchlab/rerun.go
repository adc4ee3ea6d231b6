package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"patchlab/compare/rerun"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// defaultTolerance is the --tolerance of a rerun, and that of one which is resumed.
const defaultTolerance = .01

func newRerunCommand() *cobra.Command {
	o := &trainOptions{}
	var tolerance float64
	cmd := &cobra.Command{
		Use:   "rerun RUN",
		Short: "Train a run again and say whether the result is the same",
		Long: `Train by a run's recipe again and say whether the result is the same.

The recipe is the one that the run recorded; the images must have the digest
that it recorded. The verdict is one of: reproduced bit for bit (every loss,
accuracy and weight); within tolerance (no epoch's loss or accuracy differs by
more than --tolerance); or where the two first depart. It is stored as a tag of
both runs. A run that was killed, failed or crashed is made anew, without a
verdict. A rerun that is interrupted gets its verdict, with the default
tolerance, when "patchlab train --resume" has finished it.

Of a notebook's run, the cells that it executed are executed again, in a kernel
of their own and in the same folder; the verdict is then about its metrics, and
says which cells have other outputs.`,
		Example: `  patchlab rerun mixer-4-1
  patchlab rerun latest --backend go --tolerance 0.05`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(tolerance >= 0) {
				return fmt.Errorf("tolerance %g; allowed: 0 or more", tolerance)
			}
			return o.rerun(cmd, args[0], tolerance)
		},
	}
	f := cmd.Flags()
	o.data.add(f)
	backendFlag(f, &o.backend)
	dbFlag(f, &o.db)
	cmd.ValidArgsFunction = completeRuns(&o.db)
	f.Float64Var(&tolerance, "tolerance", defaultTolerance, "largest difference of an epoch's loss or accuracy (a fraction) that still passes")
	return cmd
}

func (o *trainOptions) rerun(cmd *cobra.Command, ref string, tolerance float64) error {
	if done, err := o.rerunNotebook(cmd, ref, tolerance); done || err != nil {
		return err
	}
	recipe, old, err := o.recorded(cmd, ref)
	if err != nil {
		return err
	}
	if old.Status == tracker.Running || old.Status == tracker.Damaged {
		return fmt.Errorf("run %s is %s; only a run that has ended and is whole can be rerun", oneLine(old.Name), old.Status)
	}
	d, err := o.data.load(cmd, recipe.Data)
	if err != nil {
		return err
	}
	if err := sameImages(old, d); err != nil {
		return err
	}
	start := starts(tracker.Spec{
		Experiment: old.Experiment, Name: old.Name + " again", Parent: old.ID,
		Tags: map[string]string{rerun.TagOf: old.ID}, Inputs: old.Inputs,
	}, func(ctx context.Context, db *tracker.DB, run *tracker.Run) error {
		if recipe.Init == nil {
			return nil
		}
		return lab.KeepInit(ctx, db, run, old.ID, *recipe.Init)
	})
	var id string
	err = o.carryOut(cmd, recipe, d, func(ctx context.Context, db *tracker.DB, env map[string]string, diff []byte) (*tracker.Run, error) {
		run, err := start(ctx, db, env, diff)
		if err == nil {
			id = run.ID()
		}
		return run, err
	})
	if err != nil {
		return err
	}
	return o.judge(cmd, old, id, tolerance)
}

// judge says whether a run that was made again came to the same as the old one.
func (o *trainOptions) judge(cmd *cobra.Command, old tracker.RunInfo, id string, tolerance float64) error {
	if old.Status != tracker.Finished {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: no verdict, since it is %s and has no result to compare with\n", oneLine(old.Name), old.Status)
		return nil
	}
	verdict, err := storeVerdict(cmd.Context(), o.db, old.ID, id, tolerance)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", old.Name, verdict.Sentence)
	return nil
}

// judgeResumed judges a rerun that was interrupted and has been resumed, once it is
// whole.
func (o *trainOptions) judgeResumed(cmd *cobra.Command, id, of string) error {
	db, again, err := readRun(cmd.Context(), o.db, id)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil || again.Status != tracker.Finished { // it was paused
		return err
	}
	db, old, err := readRun(cmd.Context(), o.db, of)
	if err != nil {
		return fmt.Errorf("the rerun is finished, but cannot be judged: %w", err)
	}
	if err := db.Close(); err != nil {
		return err
	}
	return o.judge(cmd, old, id, defaultTolerance)
}

// recorded reads a run's recipe, and sets data folder and backend to those it
// recorded where the user gives none.
func (o *trainOptions) recorded(cmd *cobra.Command, ref string) (experiments.Recipe, tracker.RunInfo, error) {
	db, info, err := readRun(cmd.Context(), o.db, ref)
	if err != nil {
		return experiments.Recipe{}, info, err
	}
	if info.Deleted {
		return experiments.Recipe{}, info, errors.Join(deleted(info), db.Close())
	}
	recipe, err := lab.Recipe(cmd.Context(), db, info)
	if err := errors.Join(err, db.Close()); err != nil {
		return experiments.Recipe{}, info, err
	}
	if !cmd.Flags().Changed("data-dir") && info.Environment["data_dir"] != "" {
		o.data.dir = info.Environment["data_dir"]
	}
	if !cmd.Flags().Changed("backend") {
		if o.backend, err = lab.KindOf(info.Environment["backend"]); err != nil {
			err = fmt.Errorf("the run was made on %w", err)
		}
	}
	return recipe, info, err
}

// storeVerdict judges a rerun and tags both runs with the verdict.
func storeVerdict(ctx context.Context, path, oldID, newID string, tolerance float64) (v rerun.Verdict, err error) {
	db, err := tracker.Open(path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	old, err := db.Find(ctx, oldID)
	if err != nil {
		return v, err
	}
	again, err := db.Find(ctx, newID)
	if err != nil {
		return v, err
	}
	if v, err = rerun.Judge(ctx, db, old, again, tolerance); err != nil {
		return v, err
	}
	return v, v.Store(ctx, db, oldID, newID)
}
