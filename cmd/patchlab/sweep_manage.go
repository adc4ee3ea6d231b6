package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/lab/sweeps"
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
	}, func(cmd *cobra.Command, f *sweeps.Sweep) error {
		if format != "table" && format != "json" {
			return fmt.Errorf("format %q; allowed: table, json", format)
		}
		return showStatus(cmd, f, format == "json")
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
	}, func(cmd *cobra.Command, f *sweeps.Sweep) error { return stopSweep(cmd, f) })
}

func newSweepResumeCommand() *cobra.Command {
	o := &sweepOptions{}
	cmd := ofSweep(&cobra.Command{
		Use:   "resume [SWEEP]",
		Short: "Continue a sweep: train what is missing or was interrupted",
		Example: `  patchlab sweep resume rates
  patchlab sweep resume rates --workers 4 --retry-failed`,
	}, func(cmd *cobra.Command, f *sweeps.Sweep) error {
		plan, err := planOf(f)
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("workers") {
			f.Workers = o.workers
		}
		if err := o.checkRunning(cmd.Flags()); err != nil {
			return err
		}
		return launchSweep(cmd, f, plan, o.retryFailed)
	})
	o.addRunning(cmd.Flags())
	return cmd
}

// ofSweep lets a command take a sweep's name, or none where there is one sweep
// only, and run on its folder.
func ofSweep(cmd *cobra.Command, run func(*cobra.Command, *sweeps.Sweep) error) *cobra.Command {
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
		found, _ := filepath.Glob("*" + sweeps.Suffix)
		for _, dir := range found {
			names = append(names, strings.TrimSuffix(dir, sweeps.Suffix))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// stopSweep asks the process or the jobs of a sweep to end, and waits for a process.
func stopSweep(cmd *cobra.Command, f *sweeps.Sweep) error {
	if f.Launcher == sweeps.LaunchKubernetes {
		return fmt.Errorf("sweep %s runs on Kubernetes: kubectl delete -f %s", f.Spec.Name, f.ManifestPath())
	}
	if err := f.Stop(); err != nil {
		return err
	}
	if f.Launcher == sweeps.LaunchSlurm {
		return cancelSweep(cmd, f)
	}
	if !f.Busy() {
		fmt.Fprintf(cmd.OutOrStdout(), "Sweep %s is not running\n", f.Spec.Name)
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Sweep %s: waiting for its trials' checkpoints …\n", f.Spec.Name)
	for f.Busy() {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Stopped; continue with: %s sweep resume %s\n", self(), sweepRef(f))
	return nil
}

// showStatus shows every trial.
func showStatus(cmd *cobra.Command, f *sweeps.Sweep, asJSON bool) error {
	plan, err := planOf(f)
	if err != nil {
		return err
	}
	st, err := f.Status(cmd.Context(), plan)
	if err != nil {
		return err
	}
	for _, err := range st.Unread {
		fmt.Fprintln(cmd.ErrOrStderr(), "not read:", oneLine(err.Error()))
	}
	for i := range st.Rows {
		st.Rows[i].Error = oneLine(st.Rows[i].Error)
	}
	out := cmd.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(st.Rows)
	}
	printStatus(out, f, st)
	printBest(out, f, st.Trials, st.Tasks, st.Runs)
	return nil
}

// printStatus prints the table.
func printStatus(w io.Writer, f *sweeps.Sweep, st sweeps.Status) {
	fmt.Fprintln(w, wrapped("", fmt.Sprintf("Sweep %s, recorded in %s", f.Spec.Name, f.DB)))
	switch {
	case st.Queue == nil && f.Busy():
		fmt.Fprintln(w, wrapped("", "A process is at it; its logs are in "+f.TrialsDir()))
	case st.Queue != nil && !st.Complete():
		fmt.Fprintln(w, wrapped("", queueSentence(st.Queue)))
	case st.Complete():
		fmt.Fprintln(w, "It is complete.")
	default:
		fmt.Fprintf(w, "No process is at it; continue with: %s sweep resume %s\n", self(), sweepRef(f))
	}
	fmt.Fprintf(w, "\n%5s %4s  %-10s %7s  %-8s %-8s %s\n", "trial", "seed", "state", "epochs", "val", "test", "candidate")
	for _, r := range st.Rows {
		val, test := "–", "–"
		if r.Best != nil {
			val = strings.TrimSpace(metricText(f.Spec.Metric, *r.Best))
		}
		if r.Test != nil {
			test = fmt.Sprintf("%.2f %%", 100**r.Test)
		}
		what := r.Candidate.String()
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
