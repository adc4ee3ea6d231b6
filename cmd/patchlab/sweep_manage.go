package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/experiments/sweep"
	"patchlab/lab"
)

func newSweepStatusCommand() *cobra.Command {
	var format string
	cmd := ofSweep(&cobra.Command{
		Use:   "status [SWEEP]",
		Short: "Show what became of a sweep's trials",
		Long: `Show what became of a sweep's trials.

SWEEP is its name or its folder; without it, the only one here. States are what
the database and the cluster say now: a trial that was stopped is killed, one
whose process is gone has crashed, whatever it was thought to do.`,
		Example: "  patchlab sweep status rates\n  patchlab sweep status rates --format json",
	}, func(cmd *cobra.Command, f *sweepFolder) error {
		if format != "table" && format != "json" {
			return fmt.Errorf("format %q; allowed: table, json", format)
		}
		return f.status(cmd, format == "json")
	})
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	completeWords(cmd, "format", "table", "json")
	return cmd
}

func newSweepStopCommand() *cobra.Command {
	return ofSweep(&cobra.Command{
		Use:     "stop [SWEEP]",
		Short:   "Stop a sweep: its trials write their checkpoints and end",
		Example: "  patchlab sweep stop rates",
	}, func(cmd *cobra.Command, f *sweepFolder) error { return f.stop(cmd) })
}

func newSweepResumeCommand() *cobra.Command {
	o := &sweepOptions{}
	cmd := ofSweep(&cobra.Command{
		Use:   "resume [SWEEP]",
		Short: "Continue a sweep: train what is missing or was interrupted",
		Example: `  patchlab sweep resume rates
  patchlab sweep resume rates --workers 4 --retry-failed`,
	}, func(cmd *cobra.Command, f *sweepFolder) error {
		plan, err := sweep.NewPlan(f.Spec, recipeOf)
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("workers") {
			f.Workers = o.workers
		}
		if err := o.checkRunning(cmd.Flags()); err != nil {
			return err
		}
		return f.launch(cmd, plan, o.retryFailed)
	})
	o.addRunning(cmd.Flags())
	return cmd
}

// ofSweep lets a command take a sweep's name, or none where there is one sweep
// only, and run on its folder.
func ofSweep(cmd *cobra.Command, run func(*cobra.Command, *sweepFolder) error) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = cobra.MaximumNArgs(1), completeSweeps
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := openSweep(strings.Join(args, ""))
		if err != nil {
			return err
		}
		return run(cmd, f)
	}
	return cmd
}

// completeSweeps offers the sweeps of the current folder.
func completeSweeps(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		found, _ := filepath.Glob("*" + sweepSuffix)
		for _, dir := range found {
			names = append(names, strings.TrimSuffix(dir, sweepSuffix))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// stop asks the process or the jobs of a sweep to end, and waits for a process.
func (f *sweepFolder) stop(cmd *cobra.Command) error {
	if f.Launcher == launchKubernetes {
		return fmt.Errorf("sweep %s runs on Kubernetes: kubectl delete -f %s", f.Spec.Name, f.path("job.yaml"))
	}
	if err := os.WriteFile(f.path(sweepStop), nil, 0o644); err != nil {
		return fmt.Errorf("asking the sweep to stop: %w", err)
	}
	if f.Launcher == launchSlurm {
		return f.cancel(cmd)
	}
	if !f.busy() {
		fmt.Fprintf(cmd.OutOrStdout(), "Sweep %s is not running\n", f.Spec.Name)
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Sweep %s: waiting for its trials' checkpoints …\n", f.Spec.Name)
	for f.busy() {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Stopped; continue with: %s sweep resume %s\n", self(), f.ref())
	return nil
}

// trialStatus is a trial as status shows it.
type trialStatus struct {
	Number    int      `json:"candidate"`
	Seed      int64    `json:"seed"`
	Settings  string   `json:"settings"`
	State     string   `json:"state"`
	Where     string   `json:"where,omitempty"` // of a trial that runs or waits: the node, or why it waits
	Epochs    int      `json:"epochs"`
	Of        int      `json:"of"`
	Steps     int      `json:"steps,omitempty"` // done, while the first epoch has not ended
	Best      *float64 `json:"best,omitempty"`
	Test      *float64 `json:"test_accuracy,omitempty"`
	Run       string   `json:"run,omitempty"`
	Digest    string   `json:"recipe,omitempty"`
	Error     string   `json:"error,omitempty"`
	candidate sweep.Candidate
}

// status shows every trial.
func (f *sweepFolder) status(cmd *cobra.Command, asJSON bool) error {
	plan, err := sweep.NewPlan(f.Spec, recipeOf)
	if err != nil {
		return err
	}
	runs, queue, err := f.look(cmd.Context())
	if err != nil {
		return err
	}
	trials, tasks := plan.Next(results(runs))
	waiting := map[string]bool{}
	for _, t := range tasks {
		waiting[t.Digest] = true
	}
	var rows []trialStatus
	for _, t := range trials {
		row := f.trialStatus(t, runs, queue)
		if r := runs[t.Digest]; r.State == sweep.Stopped && !waiting[t.Digest] && len(r.Values) > 0 && row.Where == "" {
			row.State = "paused" // by successive halving, which may yet go on with it
			if len(tasks) == 0 {
				row.State = "dropped"
			}
		}
		rows = append(rows, row)
	}
	out := cmd.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	f.printStatus(out, rows, queue, len(tasks))
	printBest(out, f, trials, tasks, runs)
	return nil
}

// look reads the trials' runs and, on a cluster, its queue.
func (f *sweepFolder) look(ctx context.Context) (map[string]trialRun, *slurmQueue, error) {
	if f.Launcher == launchLocal {
		runs, err := newSweepResults(f).read(ctx, f.DB)
		return runs, nil, err
	}
	return f.lookAtCluster(ctx)
}

func (f *sweepFolder) trialStatus(t sweep.Trial, runs map[string]trialRun, queue *slurmQueue) trialStatus {
	r := runs[t.Digest]
	row := trialStatus{
		Number: t.Number, Seed: t.Seed, Settings: t.Candidate.String(), candidate: t.Candidate, State: r.word(),
		Epochs: len(r.Values), Of: t.Recipe.Epochs, Steps: r.steps(), Run: r.run.ID, Digest: t.Digest,
	}
	if t.Err != nil {
		row.State, row.Error = "impossible", oneLine(t.Err.Error())
		return row
	}
	if v, ok := f.Spec.Metric.Best(r.Values); ok && !math.IsNaN(v) {
		row.Best = &v
	}
	if test, ok := r.run.Metrics["test_accuracy"]; ok && r.State == sweep.Finished {
		row.Test = &test.Value
	}
	row.Error = oneLine(r.run.Tags[lab.TagError])
	if queue != nil {
		queue.describe(&row, f)
	}
	return row
}

// printStatus prints the table.
func (f *sweepFolder) printStatus(w io.Writer, rows []trialStatus, queue *slurmQueue, left int) {
	fmt.Fprintln(w, wrapped("", fmt.Sprintf("Sweep %s, recorded in %s", f.Spec.Name, f.DB)))
	switch {
	case queue != nil && left == 0 && queue.err == nil && queue.active() == 0 && len(queue.undone) == 0:
		fmt.Fprintln(w, "It is complete.")
	case queue != nil:
		fmt.Fprintln(w, wrapped("", queue.sentence()))
	case f.busy():
		fmt.Fprintln(w, wrapped("", "A process is at it; its logs are in "+f.path(sweepTrials)))
	case left == 0:
		fmt.Fprintln(w, "It is complete.")
	default:
		fmt.Fprintf(w, "No process is at it; continue with: %s sweep resume %s\n", self(), f.ref())
	}
	fmt.Fprintf(w, "\n%5s %4s  %-10s %7s  %-8s %-8s %s\n", "trial", "seed", "state", "epochs", "val", "test", "candidate")
	for _, r := range rows {
		val, test := "–", "–"
		if r.Best != nil {
			val = strings.TrimSpace(metricText(f.Spec.Metric, *r.Best))
		}
		if r.Test != nil {
			test = fmt.Sprintf("%.2f %%", 100**r.Test)
		}
		what := r.candidate.String()
		if r.Steps > 0 {
			what = fmt.Sprintf("step %d: %s", r.Steps, what)
		}
		if r.Where != "" {
			what = r.Where + ": " + what
		}
		if r.Error != "" && r.State != "finished" {
			what += ": " + r.Error
		}
		fmt.Fprintln(w, cut(fmt.Sprintf("%5d %4d  %-10s %3d/%-3d  %-8s %-8s %s", r.Number, r.Seed, r.State, r.Epochs, r.Of, val, test, what), 80))
	}
}
