package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// probeTime is how long a probe trains.
const probeTime = 2 * time.Second

// newSweepProbeCommand measures a recipe in a process of its own.
func newSweepProbeCommand() *cobra.Command {
	var kind backend.Kind
	var data dataFlags
	cmd := &cobra.Command{
		Use:    "probe RECIPE OUTPUT",
		Short:  "Measure a few steps of a recipe: what --dry-run runs",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			recipe, err := experiments.ReadRecipe(file)
			if err != nil {
				return err
			}
			d, err := data.load(cmd, recipe.Data)
			if err != nil {
				return err
			}
			b, _, err := openBackend(cmd, kind)
			if err != nil {
				return err
			}
			defer b.Finalize()
			cost, err := experiments.Probe(cmd.Context(), experiments.Job{Recipe: recipe, Dataset: d, Backend: b}, probeTime)
			if err != nil {
				return err
			}
			text, err := json.Marshal(cost)
			if err != nil {
				return err
			}
			return os.WriteFile(args[1], text, 0o600)
		},
	}
	data.add(cmd.Flags())
	backendFlag(cmd.Flags(), &kind)
	return cmd
}

// predict lists the trials with the time and memory that probes predict.
func predict(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan) error {
	trials, _ := plan.Next(nil)
	if _, err := f.Know(trials, loader(cmd, f)); err != nil {
		return err
	}
	cores := shares(f)
	workers := len(cores)
	costs, err := probe(cmd, f, trials, cores[0])
	if err != nil {
		return err
	}
	results := sweeps.NewResults(f)
	runs, err := results.Read(cmd.Context(), f.DB)
	if err != nil {
		return err
	}
	sayUncounted(cmd.ErrOrStderr(), f.DB, trials, runs, results.Uncounted)
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, wrapped("", fmt.Sprintf("Sweep %s: %s", f.Spec.Name, describe(f.Spec, trials))))
	fmt.Fprintf(out, "Measured on %d of this machine's cores, %d steps or more each.\n\n", len(cores[0]), costs.Steps())
	fmt.Fprintf(out, "%5s %4s  %6s  %8s  %8s  %-8s %s\n", "trial", "seed", "epochs", "time", "memory", "", "candidate")
	var total float64
	var largest int64
	for _, t := range trials {
		if t.Err != nil {
			fmt.Fprintln(out, cut(fmt.Sprintf("%5d %4d  impossible: %s: %s", t.Number, t.Seed, t.Candidate, oneLine(t.Err.Error())), 80))
			continue
		}
		c := costs.Of(t.Recipe)
		seconds, state := c.Seconds(t.Recipe.Epochs), ""
		if r, ok := runs[t.Digest]; ok {
			state = r.Word()
		}
		if runs[t.Digest].State != sweep.Finished {
			total += seconds
			largest = max(largest, c.Memory)
		}
		fmt.Fprintln(out, cut(fmt.Sprintf("%5d %4d  %6d  %8s  %5.2f GB  %-8s %s",
			t.Number, t.Seed, t.Recipe.Epochs, shortDuration(time.Duration(seconds*1e9)), float64(c.Memory)/1e9, state, t.Candidate), 80))
	}
	together := fmt.Sprintf("Together %s of one worker", shortDuration(time.Duration(total*1e9)))
	if f.Launcher == sweeps.LaunchLocal {
		together += fmt.Sprintf(", about %s with %s and up to %.2f GB", shortDuration(time.Duration(total*1e9)/time.Duration(workers)), counted(workers, "worker"), float64(workers)*float64(largest)/1e9)
	}
	fmt.Fprintln(out, "\n"+wrapped("", together+"."))
	if f.Spec.EarlyStopping != nil {
		fmt.Fprintln(out, "That is the most: successive halving stops most trials early.")
	}
	if n := f.Spec.Candidates * len(f.Spec.Seeds); n > len(trials) {
		fmt.Fprintf(out, "Their results choose %s.\n", counted(n-len(trials), "more trial"))
	}
	if total := backend.Describe().MemoryBytes; f.Launcher == sweeps.LaunchLocal && total > 0 && int64(workers)*largest > total {
		fmt.Fprintf(out, "That is more memory than this machine has (%.1f GB): use fewer --workers.\n", float64(total)/1e9)
	}
	return nil
}

// probe measures what the trials do, and says what it is at.
func probe(cmd *cobra.Command, f *sweeps.Sweep, trials []sweep.Trial, cores []int) (sweeps.Costs, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return sweeps.Predict(trials, func(recipe experiments.Recipe, at, measured, kinds int) (experiments.Cost, error) {
		if at == 1 && measured < kinds {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d kinds of networks and batches: %d are measured, the others scaled by their FLOPs\n", kinds, measured)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Measuring %d of %d: %s, batch %d\n", at, measured, recipe.Model.ID, recipe.Batch)
		return f.Measure(cmd.Context(), program, recipe, cores)
	})
}
