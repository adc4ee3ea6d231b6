package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
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
	case r.State == sweep.Stopped && t.Until > 0 && len(r.Epochs) >= t.Until:
		what = "paused"
	}
	best := "     –"
	if v, ok := s.Metric.Kept(t.Recipe.Keep, r.Epochs); ok {
		best = metricText(s.Metric, v)
	}
	return cut(fmt.Sprintf("%4d s%d %-8s %-10s  val %s  %7s  %s",
		t.Number, t.Seed, what, howFar(r), best, shortDuration(end.Took), t.Candidate), 80)
}

// howFar is how far a run came, in 10 characters or so: epochs, or steps in the first.
func howFar(r sweeps.TrialRun) string {
	n, what := len(r.Epochs), "epoch"
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
	if taken := takenOver(f.Spec, trials, runs); taken != "" {
		fmt.Fprintln(w, wrapped("", taken))
	}
	all := sweeps.Best(f.Spec, trials, runs)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\nBest by %s of the weights kept, the mean of the seeds:\n", f.Spec.Metric)
	for i, c := range all[:min(5, len(all))] {
		what := "finished"
		if !c.Finished {
			what = counted(c.Epochs, "epoch")
		}
		fmt.Fprintln(w, cut(fmt.Sprintf("%2d. %s  %-9s  %3d: %s", i+1, metricText(f.Spec.Metric, c.Value), what, c.Number, c.Candidate), 80))
	}
	by, filter := compared(f.Spec, trials, runs)
	fmt.Fprintf(w, "\nWith intervals: %s compare --by %s \\\n    --filter \"%s\" \\\n    --db %s\n", self(), by, filter, f.DB)
}

// takenOver says where the trials come from that this sweep did not train, "" where
// it trained all.
func takenOver(s sweep.Spec, trials []sweep.Trial, runs sweeps.Runs) string {
	from := map[string]int{}
	for _, t := range trials {
		if r, ok := runs[t.Digest]; ok && r.Run.Tags["sweep"] != s.Name {
			where := "other commands"
			if other := r.Run.Tags["sweep"]; other != "" {
				where = "sweep " + oneLine(other)
			}
			from[where]++
		}
	}
	var all []string
	for _, where := range slices.Sorted(maps.Keys(from)) {
		all = append(all, fmt.Sprintf("%s from %s", counted(from[where], "trial"), where))
	}
	if all == nil {
		return ""
	}
	return "Taken over: " + strings.Join(all, ", ")
}

// compared are the keys and the filter by which "patchlab compare" sees the trials.
// What was trained under another sweep, or when this one tried something else, has
// other tags: the first is named by its runs, and grouped is then by what is tried.
func compared(s sweep.Spec, trials []sweep.Trial, runs sweeps.Runs) (by, filter string) {
	by, filter = "tags.candidate", fmt.Sprintf("tags.sweep = '%s'", s.Name)
	var ids []string
	for _, t := range trials {
		r, ok := runs[t.Digest]
		if !ok {
			continue
		}
		if r.Run.Tags["candidate"] != candidateOf(t.Name(s.Name)) {
			by = triedKeys(s, trials, runs)
		}
		if id := "'" + r.Run.ID + "'"; r.Run.Tags["sweep"] != s.Name && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		filter += fmt.Sprintf(" or run_id in (%s)", strings.Join(ids, ", "))
	}
	return by, filter
}

// triedKeys are the runs' parameters that the sweep tries; where a run does not
// record one of them, each recipe stands alone.
func triedKeys(s sweep.Spec, trials []sweep.Trial, runs sweeps.Runs) string {
	var keys []string
	for _, p := range s.Parameters {
		key := strings.ReplaceAll(p.Name, "-", "_")
		for _, t := range trials {
			r, ok := runs[t.Digest]
			if _, recorded := r.Run.Params[key]; ok && !recorded {
				return "recipe"
			}
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, ",")
}
