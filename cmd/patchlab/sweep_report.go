package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// describe says in words what a sweep tries.
func describe(s sweep.Spec, trials []sweep.Trial) string {
	what := map[sweep.Search]string{sweep.Grid: "a grid", sweep.Random: "a random search", sweep.CMAES: "a CMA-ES search"}[s.Search]
	candidates := s.Candidates
	if s.Search == sweep.Grid {
		candidates = len(trials) / len(s.Seeds)
	}
	return fmt.Sprintf("%s of %s with %s", what, counted(candidates, "candidate"), counted(len(s.Seeds), "seed"))
}

// trialLine is the line of a trial that has ended for now.
func trialLine(s sweep.Spec, end sweeps.End) string {
	t, r := end.Task, end.Run
	what := r.Word()
	switch {
	case r.State == sweep.Failed:
		what = "diverged"
	case !end.Recorded, end.Err != nil && !wasInterrupted(end.Err) && r.State != sweep.Finished:
		what = "crashed"
	case r.State == sweep.Stopped && t.Until > 0 && len(r.Values) >= t.Until:
		what = "paused"
	}
	best := "     –"
	if v, ok := s.Metric.Best(r.Values); ok {
		best = metricText(s.Metric, v)
	}
	return cut(fmt.Sprintf("%4d s%d %-8s %-10s  val %s  %7s  %s",
		t.Number, t.Seed, what, howFar(r), best, shortDuration(end.Took), t.Candidate), 80)
}

// howFar is how far a run came, in 10 characters or so: epochs, or steps in the first.
func howFar(r sweeps.TrialRun) string {
	n, what := len(r.Values), "epoch"
	if steps := r.Steps(); steps > 0 {
		n, what = steps, "step"
	}
	number, what, _ := strings.Cut(counted(n, what), " ")
	return fmt.Sprintf("%3s %s", number, what)
}

// metricText is a value of a metric in six characters or so.
func metricText(m sweep.Metric, v float64) string {
	if m == sweep.ValAccuracy {
		return fmt.Sprintf("%5.2f %%", 100*v)
	}
	return fmt.Sprintf("%7.4f", v)
}

// wasInterrupted reports whether a trial's process ended because it was stopped.
func wasInterrupted(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == exitInterrupted
}

// printBest prints the best candidates and how to go on.
func printBest(w io.Writer, f *sweeps.Sweep, trials []sweep.Trial, tasks []sweep.Task, runs sweeps.Runs) {
	n := sweeps.Count(trials, tasks, runs)
	fmt.Fprintf(w, "\n%s: %s\n", counted(len(trials), "trial"), n)
	all := sweeps.Best(f.Spec, trials, runs)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\nBest by %s, the mean of the seeds' best epochs:\n", f.Spec.Metric)
	for i, c := range all[:min(5, len(all))] {
		what := "finished"
		if !c.Finished {
			what = counted(c.Epochs, "epoch")
		}
		fmt.Fprintln(w, cut(fmt.Sprintf("%2d. %s  %-9s  %3d: %s", i+1, metricText(f.Spec.Metric, c.Value), what, c.Number, c.Candidate), 80))
	}
	fmt.Fprintf(w, "\nWith intervals: %s compare --by tags.candidate \\\n    --filter \"tags.sweep = '%s'\" \\\n    --db %s\n", self(), f.Spec.Name, f.DB)
}
