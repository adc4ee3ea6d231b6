package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

const (
	probeTime = 2 * time.Second // of training, a probe
	maxProbes = 12              // the rest is scaled by its FLOPs
)

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

// work is what decides a recipe's cost, but for the number of epochs.
func work(r experiments.Recipe) string {
	r.Seed, r.Epochs, r.Optimizer, r.Plateau, r.EarlyStopping, r.Keep, r.Model.Dropout, r.Model.ID =
		0, 1, experiments.DefaultAdamW(1), nil, nil, experiments.KeepLast, 0, ""
	return r.Digest()
}

// predict lists the trials with the time and memory that probes predict.
func (o *sweepOptions) predict(cmd *cobra.Command, f *sweepFolder, plan *sweep.Plan) error {
	trials, _ := plan.Next(nil)
	if _, err := f.know(cmd, trials); err != nil {
		return err
	}
	shares := f.shares()
	workers := len(shares)
	costs, err := o.probe(cmd, f, trials, shares[0])
	if err != nil {
		return err
	}
	results := newSweepResults(f)
	runs, err := results.read(cmd.Context(), f.DB)
	if err != nil {
		return err
	}
	results.sayUncounted(cmd.ErrOrStderr(), f.DB, trials, runs)
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, wrapped("", fmt.Sprintf("Sweep %s: %s", f.Spec.Name, describe(f.Spec, trials))))
	fmt.Fprintf(out, "Measured on %d of this machine's cores, %d steps or more each.\n\n", len(shares[0]), minSteps(costs))
	fmt.Fprintf(out, "%5s %4s  %6s  %8s  %8s  %-8s %s\n", "trial", "seed", "epochs", "time", "memory", "", "candidate")
	var total float64
	var largest int64
	for _, t := range trials {
		if t.Err != nil {
			fmt.Fprintln(out, cut(fmt.Sprintf("%5d %4d  impossible: %s: %s", t.Number, t.Seed, t.Candidate, oneLine(t.Err.Error())), 80))
			continue
		}
		c := costs[work(t.Recipe)]
		seconds, state := c.Seconds(t.Recipe.Epochs), ""
		if r, ok := runs[t.Digest]; ok {
			state = r.word()
		}
		if runs[t.Digest].State != sweep.Finished {
			total += seconds
			largest = max(largest, c.Memory)
		}
		fmt.Fprintln(out, cut(fmt.Sprintf("%5d %4d  %6d  %8s  %5.2f GB  %-8s %s",
			t.Number, t.Seed, t.Recipe.Epochs, shortDuration(time.Duration(seconds*1e9)), float64(c.Memory)/1e9, state, t.Candidate), 80))
	}
	together := fmt.Sprintf("Together %s of one worker", shortDuration(time.Duration(total*1e9)))
	if f.Launcher == launchLocal {
		together += fmt.Sprintf(", about %s with %s and up to %.2f GB", shortDuration(time.Duration(total*1e9)/time.Duration(workers)), counted(workers, "worker"), float64(workers)*float64(largest)/1e9)
	}
	fmt.Fprintln(out, "\n"+wrapped("", together+"."))
	if f.Spec.EarlyStopping != nil {
		fmt.Fprintln(out, "That is the most: successive halving stops most trials early.")
	}
	if n := f.Spec.Candidates * len(f.Spec.Seeds); n > len(trials) {
		fmt.Fprintf(out, "Their results choose %s.\n", counted(n-len(trials), "more trial"))
	}
	if total := backend.Describe().MemoryBytes; f.Launcher == launchLocal && total > 0 && int64(workers)*largest > total {
		fmt.Fprintf(out, "That is more memory than this machine has (%.1f GB): use fewer --workers.\n", float64(total)/1e9)
	}
	return nil
}

func minSteps(costs map[string]experiments.Cost) int {
	steps := 0
	for _, c := range costs {
		if c.Steps > 0 && (steps == 0 || c.Steps < steps) {
			steps = c.Steps
		}
	}
	return steps
}

// probe measures each kind of work that the trials do, in processes of their
// own, one after the other. Where there are too many kinds, it measures some, from
// the cheapest to the dearest, and scales the next cheaper one's time by the FLOPs.
func (o *sweepOptions) probe(cmd *cobra.Command, f *sweepFolder, trials []sweep.Trial, cores []int) (map[string]experiments.Cost, error) {
	kinds := map[string]experiments.Recipe{}
	var order []string
	for _, t := range trials {
		if t.Err == nil {
			if key := work(t.Recipe); kinds[key].Batch == 0 {
				kinds[key] = t.Recipe
				order = append(order, key)
			}
		}
	}
	flops := func(key string) float64 { return float64(kinds[key].Model.FLOPs()) }
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(flops(a), flops(b)) })
	costs := map[string]experiments.Cost{}
	measured := order
	if len(order) > maxProbes {
		measured = nil
		for i := range maxProbes {
			measured = append(measured, order[i*(len(order)-1)/(maxProbes-1)])
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d kinds of networks and batches: %d are measured, the others scaled by their FLOPs\n", len(order), maxProbes)
	}
	for i, key := range measured {
		fmt.Fprintf(cmd.ErrOrStderr(), "Measuring %d of %d: %s, batch %d\n", i+1, len(measured), kinds[key].Model.ID, kinds[key].Batch)
		cost, err := measure(cmd, f, kinds[key], cores)
		if err != nil {
			return nil, err
		}
		costs[key] = cost
	}
	near := measured[0]
	for _, key := range order {
		if _, ok := costs[key]; ok {
			near = key
			continue
		}
		c := costs[near]
		factor := flops(key) / flops(near)
		c.StepSeconds *= factor * float64(kinds[key].Batch) / float64(kinds[near].Batch)
		c.EvalSeconds *= factor
		c.Batch = kinds[key].Batch
		costs[key] = c
	}
	return costs, nil
}

// measure runs a probe in a process of its own.
func measure(cmd *cobra.Command, f *sweepFolder, recipe experiments.Recipe, cores []int) (cost experiments.Cost, err error) {
	dir, err := os.MkdirTemp("", "patchlab-probe-")
	if err != nil {
		return cost, err
	}
	defer os.RemoveAll(dir)
	var text, output bytes.Buffer
	if _, err := recipe.WriteTo(&text); err != nil {
		return cost, err
	}
	from, to := filepath.Join(dir, "recipe.json"), filepath.Join(dir, "cost.json")
	if err := os.WriteFile(from, text.Bytes(), 0o600); err != nil {
		return cost, err
	}
	program, err := os.Executable()
	if err != nil {
		return cost, err
	}
	args := []string{"sweep", "probe", from, to, "--backend", string(f.Backend)}
	if f.DataDir != "" {
		args = append(args, "--data-dir", f.DataDir)
	}
	err = launch.Process{Program: program, Args: args, Cores: cores, Output: &output}.Run(cmd.Context())
	if ended := cmd.Context().Err(); ended != nil {
		return cost, ended
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return cost, fmt.Errorf("measuring %s: %w: %s", recipe.Model.ID, err, oneLine(lines[len(lines)-1]))
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return cost, err
	}
	return cost, json.Unmarshal(b, &cost)
}
