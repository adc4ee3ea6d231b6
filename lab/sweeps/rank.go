package sweeps

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"patchlab/experiments/sweep"
)

// Counts are trials by what became of them.
type Counts struct{ Finished, Stopped, Paused, Dropped, Running, Failed, Missing, Impossible int }

// Count counts; what is stopped and not among the tasks was paused by successive
// halving, and dropped where there are no tasks left.
func Count(trials []sweep.Trial, tasks []sweep.Task, runs Runs) (n Counts) {
	wanted := map[string]bool{}
	for _, t := range tasks {
		wanted[t.Digest] = true
	}
	for _, t := range trials {
		if t.Err != nil {
			n.Impossible++
			continue
		}
		switch runs[t.Digest].State {
		case sweep.Finished:
			n.Finished++
		case sweep.Stopped:
			switch {
			case wanted[t.Digest]:
				n.Stopped++
			case len(tasks) > 0:
				n.Paused++
			default:
				n.Dropped++
			}
		case sweep.Running:
			n.Running++
		case sweep.Failed:
			n.Failed++
		default:
			n.Missing++
		}
	}
	return n
}

// String lists the counts that are not 0.
func (n Counts) String() string {
	var words []string
	for _, c := range []struct {
		n    int
		what string
	}{{n.Finished, "finished"}, {n.Dropped, "dropped early"}, {n.Paused, "paused"}, {n.Stopped, "to continue"}, {n.Running, "running"}, {n.Failed, "failed"}, {n.Missing, "to train"}, {n.Impossible, "impossible"}} {
		if c.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(words, ", ")
}

// Standing is a candidate with the mean of its trials' values.
type Standing struct {
	sweep.Candidate
	Number   int // the candidate's, from 1
	Epochs   int // of the trial that has the fewest
	Seeds    int
	Value    float64 // the sweep's metric, of the weights kept
	Finished bool    // all its trials
}

// Best orders the candidates that have a value: those trained to their end first,
// then those that came further, each by the value.
func Best(s sweep.Spec, trials []sweep.Trial, runs Runs) []Standing {
	var all []Standing
	for i, t := range trials {
		if i == 0 || t.Number != trials[i-1].Number {
			all = append(all, Standing{Candidate: t.Candidate, Number: t.Number, Finished: true, Epochs: math.MaxInt})
		}
		c, r := &all[len(all)-1], runs[t.Digest]
		v, ok := s.Metric.Kept(t.Recipe.Keep, r.Epochs)
		if !ok || r.State == sweep.Failed {
			c.Value = math.NaN()
		}
		c.Value += v
		c.Seeds++
		c.Epochs = min(c.Epochs, len(r.Epochs))
		c.Finished = c.Finished && r.State == sweep.Finished
	}
	all = slices.DeleteFunc(all, func(c Standing) bool { return math.IsNaN(c.Value) })
	for i := range all {
		all[i].Value /= float64(all[i].Seeds)
	}
	sign := 1.
	if s.Metric == sweep.ValAccuracy {
		sign = -1
	}
	slices.SortStableFunc(all, func(a, b Standing) int {
		if a.Finished != b.Finished {
			if a.Finished {
				return -1
			}
			return 1
		}
		if !a.Finished && a.Epochs != b.Epochs {
			return cmp.Compare(b.Epochs, a.Epochs)
		}
		return cmp.Compare(sign*a.Value, sign*b.Value)
	})
	return all
}
