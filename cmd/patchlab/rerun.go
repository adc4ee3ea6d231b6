package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"patchlab/compare"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// Tags that keep a rerun's verdict with both runs.
const (
	tagRerunOf      = "rerun.of"      // on the new run: the old one's ID
	tagRerunVerdict = "rerun.verdict" // on both
	tagRerunBy      = "rerun.by"      // on the old run: the last rerun's ID
)

// Verdicts begin with one of these.
const (
	verdictSame  = "reproduced bit for bit"
	verdictNear  = "within tolerance"
	verdictOther = "not reproduced"
)

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
verdict.

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
	f.Float64Var(&tolerance, "tolerance", .01, "largest difference of an epoch's loss or accuracy (a fraction) that still passes")
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
		Tags: map[string]string{tagRerunOf: old.ID}, Inputs: old.Inputs,
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
	if old.Status != tracker.Finished {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: no verdict, since it is %s and has no result to compare with\n", oneLine(old.Name), old.Status)
		return nil
	}
	verdict, err := storeVerdict(cmd.Context(), o.db, old.ID, id, tolerance)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", old.Name, verdict)
	return nil
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
		o.backend, err = kindOf(info.Environment["backend"])
	}
	return recipe, info, err
}

// storeVerdict sets the runs side by side and tags both with what that gives.
func storeVerdict(ctx context.Context, path, oldID, newID string, tolerance float64) (verdict string, err error) {
	db, err := tracker.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var runs [2]tracker.RunInfo
	var weights [2]string
	for i, id := range []string{oldID, newID} {
		if runs[i], err = db.Find(ctx, id); err != nil {
			return "", err
		}
		artifacts, err := db.Artifacts(ctx, id)
		if err != nil {
			return "", err
		}
		for _, a := range artifacts {
			if a.Name == "weights.safetensors" {
				weights[i] = a.SHA256
			}
		}
	}
	diff, err := compare.DiffRuns(ctx, db, runs[0], runs[1], 1)
	if err != nil {
		return "", err
	}
	verdict = judge(diff, weights[0] == weights[1], tolerance)
	err = errors.Join(
		db.SetTags(ctx, newID, map[string]string{tagRerunVerdict: verdict}),
		db.SetTags(ctx, oldID, map[string]string{tagRerunVerdict: verdict, tagRerunBy: newID}))
	return verdict, err
}

// judge is the verdict over two runs' histories and results; what measures the
// machine counts for nothing.
func judge(diff *compare.Diff, sameWeights bool, tolerance float64) string {
	same, sameSteps := sameWeights, true
	var first *compare.CurveChange // the one that departs at the earliest training step
	largest := 0.
	curves := map[string]bool{}
	for i, c := range diff.Curves {
		curves[c.Key] = true
		if compare.Timed(c.Key) {
			continue
		}
		if c.OnlyA > 0 || c.OnlyB > 0 {
			same, sameSteps = false, false
		}
		if c.First == nil {
			continue
		}
		same = false
		if c.Key == "step_loss" {
			first = &diff.Curves[i]
		} else {
			if first == nil || first.Key != "step_loss" && *c.First < *first.First {
				first = &diff.Curves[i]
			}
			largest = max(largest, float64(c.Largest))
		}
	}
	result := "" // the one that differs most, of those that have no curve, such as the test accuracy
	worst := 0.
	for _, r := range diff.Results {
		if r.Same || compare.Timed(r.Key) || curves[r.Key] {
			continue
		}
		same = false
		if r.Key == "best_epoch" && first != nil { // of two epochs that are as good, the last bits choose
			continue
		}
		off := math.Abs(float64(r.Diff))
		if math.IsNaN(off) { // one run lacks it
			off = math.Inf(1)
		}
		if result == "" || off > worst {
			result, worst = r.Key, off
		}
	}
	departs := ""
	if first != nil {
		departs = fmt.Sprintf("%s first departs at step %d, by at most %.3g", first.Key, *first.First, float64(first.Largest))
		if math.IsInf(float64(first.Largest), 1) {
			departs = fmt.Sprintf("%s first departs at step %d, and at step %d is finite in one run alone", first.Key, *first.First, first.At)
		}
	}
	switch {
	case same:
		return verdictSame
	case !sameSteps:
		return verdictOther + ": the runs have different steps"
	case math.IsInf(largest, 1):
		return verdictOther + ": " + departs
	case math.IsInf(worst, 1):
		return fmt.Sprintf("%s: %s has a value in one run alone", verdictOther, result)
	case worst > tolerance && worst >= largest:
		return fmt.Sprintf("%s: %s differs by %.3g", verdictOther, result, worst)
	case largest > tolerance:
		return fmt.Sprintf("%s: an epoch differs by %.3g; %s", verdictOther, largest, departs)
	case departs != "":
		return fmt.Sprintf("%s: no epoch differs by more than %.3g; %s", verdictNear, max(largest, worst), departs)
	case result != "":
		return fmt.Sprintf("%s: the same losses in training, but %s differs by %.3g", verdictNear, result, worst)
	default:
		return verdictNear + ": the same losses, other weights"
	}
}
