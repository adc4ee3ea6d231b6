package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"patchlab/experiments/sweep"
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

// trialCounts counts trials by what became of them.
type trialCounts struct{ finished, stopped, paused, dropped, running, failed, missing, impossible int }

// countTrials counts; what is stopped and not among the tasks was paused by
// successive halving, and dropped where there are no tasks left.
func countTrials(trials []sweep.Trial, tasks []sweep.Task, runs map[string]trialRun) (n trialCounts) {
	wanted := map[string]bool{}
	for _, t := range tasks {
		wanted[t.Digest] = true
	}
	for _, t := range trials {
		if t.Err != nil {
			n.impossible++
			continue
		}
		switch runs[t.Digest].State {
		case sweep.Finished:
			n.finished++
		case sweep.Stopped:
			switch {
			case wanted[t.Digest]:
				n.stopped++
			case len(tasks) > 0:
				n.paused++
			default:
				n.dropped++
			}
		case sweep.Running:
			n.running++
		case sweep.Failed:
			n.failed++
		default:
			n.missing++
		}
	}
	return n
}

// trialLine is the line of a trial that has ended for now.
func trialLine(s sweep.Spec, t sweep.Task, r trialRun, recorded bool, err error, took time.Duration) string {
	what := r.word()
	switch {
	case r.State == sweep.Failed:
		what = "diverged"
	case !recorded, err != nil && !wasInterrupted(err) && r.State != sweep.Finished:
		what = "crashed"
	case r.State == sweep.Stopped && t.Until > 0 && len(r.Values) >= t.Until:
		what = "paused"
	}
	best := "     –"
	if v, ok := s.Metric.Best(r.Values); ok {
		best = metricText(s.Metric, v)
	}
	return cut(fmt.Sprintf("%4d s%d %-8s %-10s  val %s  %7s  %s",
		t.Number, t.Seed, what, r.progress(), best, shortDuration(took), t.Candidate), 80)
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

// tail is the end of a file.
func tail(path string) []byte {
	const size = 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		f.Seek(-size, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return b
}

// lastLine is the last line of a log.
func lastLine(path string) string {
	lines := strings.Split(strings.TrimSpace(string(tail(path))), "\n")
	return cut(oneLine(lines[len(lines)-1]), 200)
}

// epochLine is the last epoch that a log tells of, such as "epoch 3/9".
func epochLine(path string) string {
	for _, line := range slices.Backward(bytes.Split(tail(path), []byte("\n"))) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == "epoch" {
			return "epoch " + f[1]
		}
	}
	return "begins"
}

// scored is a candidate with the mean of its trials' best values.
type scored struct {
	sweep.Candidate
	number, epochs, seeds int
	value                 float64
	finished              bool
}

// best orders the candidates that have a value: those trained to their end first.
func best(s sweep.Spec, trials []sweep.Trial, runs map[string]trialRun) []scored {
	var all []scored
	for i, t := range trials {
		if i == 0 || t.Number != trials[i-1].Number {
			all = append(all, scored{Candidate: t.Candidate, number: t.Number, finished: true, epochs: math.MaxInt})
		}
		c, r := &all[len(all)-1], runs[t.Digest]
		v, ok := s.Metric.Best(r.Values)
		if !ok || r.State == sweep.Failed {
			c.value = math.NaN()
		}
		c.value += v
		c.seeds++
		c.epochs = min(c.epochs, len(r.Values))
		c.finished = c.finished && r.State == sweep.Finished
	}
	all = slices.DeleteFunc(all, func(c scored) bool { return math.IsNaN(c.value) })
	for i := range all {
		all[i].value /= float64(all[i].seeds)
	}
	sign := 1.
	if s.Metric == sweep.ValAccuracy {
		sign = -1
	}
	slices.SortStableFunc(all, func(a, b scored) int {
		if a.finished != b.finished {
			if a.finished {
				return -1
			}
			return 1
		}
		if !a.finished && a.epochs != b.epochs {
			return cmp.Compare(b.epochs, a.epochs)
		}
		return cmp.Compare(sign*a.value, sign*b.value)
	})
	return all
}

// printBest prints the best candidates and how to go on.
func printBest(w io.Writer, f *sweepFolder, trials []sweep.Trial, tasks []sweep.Task, runs map[string]trialRun) {
	n := countTrials(trials, tasks, runs)
	fmt.Fprintf(w, "\n%s: %s\n", counted(len(trials), "trial"), n)
	all := best(f.Spec, trials, runs)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\nBest by %s, the mean of the seeds' best epochs:\n", f.Spec.Metric)
	for i, c := range all[:min(5, len(all))] {
		what := "finished"
		if !c.finished {
			what = counted(c.epochs, "epoch")
		}
		fmt.Fprintln(w, cut(fmt.Sprintf("%2d. %s  %-9s  %3d: %s", i+1, metricText(f.Spec.Metric, c.value), what, c.number, c.Candidate), 80))
	}
	fmt.Fprintf(w, "\nWith intervals: %s compare --by tags.candidate \\\n    --filter \"tags.sweep = '%s'\" \\\n    --db %s\n", self(), f.Spec.Name, f.DB)
}

// String lists the counts that are not 0.
func (n trialCounts) String() string {
	var words []string
	for _, c := range []struct {
		n    int
		what string
	}{{n.finished, "finished"}, {n.dropped, "dropped early"}, {n.paused, "paused"}, {n.stopped, "to continue"}, {n.running, "running"}, {n.failed, "failed"}, {n.missing, "to train"}, {n.impossible, "impossible"}} {
		if c.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(words, ", ")
}
