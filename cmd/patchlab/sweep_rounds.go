package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"patchlab/experiments/sweep"
	"patchlab/tracker"
)

// sweepJobs is the folder of a cluster's scripts and rounds.
const sweepJobs = "jobs"

// maxRounds is how often a trial is given to a cluster without getting further.
const maxRounds = 3

// sweepRound is what was given to a cluster at once: an array of trials, and the
// job that merges them when all have ended.
type sweepRound struct {
	Number int         `json:"number"`
	Begun  bool        `json:"begun"` // by a person, not by the job before
	Array  string      `json:"array,omitempty"`
	Merge  string      `json:"merge,omitempty"`
	Tasks  []roundTask `json:"tasks"`
}

// roundTask is a trial of a round.
type roundTask struct {
	Digest string `json:"digest"`
	Name   string `json:"name"`
	Until  int    `json:"until"`
	Epochs int    `json:"epochs"` // that it had
	// InsteadOf is the failed run that it replaces.
	InsteadOf string `json:"instead_of,omitempty"`
}

func (f *sweepFolder) roundPath(number int) string {
	return f.path(sweepJobs, fmt.Sprintf("round-%04d.json", number))
}

// rounds reads all rounds, the first first.
func (f *sweepFolder) rounds() ([]sweepRound, error) {
	paths, err := filepath.Glob(f.path(sweepJobs, "round-*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var all []sweepRound
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a round of the sweep: %w", err)
		}
		var r sweepRound
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (f *sweepFolder) saveRound(r sweepRound) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(f.roundPath(r.Number), append(b, '\n'), 0o644)
}

// roundTask finds a task of a round.
func (f *sweepFolder) roundTask(number, index int) (roundTask, error) {
	b, err := os.ReadFile(f.roundPath(number))
	if err != nil {
		return roundTask{}, fmt.Errorf("reading round %d: %w", number, err)
	}
	var r sweepRound
	if err := json.Unmarshal(b, &r); err != nil {
		return roundTask{}, fmt.Errorf("reading round %d: %w", number, err)
	}
	if index < 0 || index >= len(r.Tasks) {
		return roundTask{}, fmt.Errorf("round %d has no task %d; it has %d", number, index, len(r.Tasks))
	}
	return r.Tasks[index], nil
}

// nextRound is the round of the trials that may be trained now, at most so many;
// it has no tasks where nothing is left. Trials that were tried in vain since a
// person began the sweep are given up, and counted.
func (f *sweepFolder) nextRound(plan *sweep.Plan, runs map[string]trialRun, begun, retryFailed bool, limit int) (r sweepRound, trials []sweep.Trial, givenUp int, err error) {
	before, err := f.rounds()
	if err != nil {
		return r, nil, 0, err
	}
	r = sweepRound{Number: 1, Begun: begun}
	if n := len(before); n > 0 {
		r.Number = before[n-1].Number + 1
	}
	known, insteadOf := results(runs), map[string]string{}
	for digest, result := range known {
		if result.State == sweep.Failed && begun && retryFailed {
			insteadOf[digest] = runs[digest].run.ID
			known[digest] = sweep.Result{}
		}
	}
	if !begun {
		givenUp = giveUp(before, known)
	}
	trials, tasks := plan.Next(known)
	for _, t := range tasks[:min(len(tasks), limit)] {
		if err := f.writeTrial(t.Trial); err != nil {
			return r, trials, givenUp, err
		}
		r.Tasks = append(r.Tasks, roundTask{
			Digest: t.Digest, Name: t.Name(f.Spec.Name), Until: t.Until, Epochs: len(known[t.Digest].Values), InsteadOf: insteadOf[t.Digest],
		})
	}
	return r, trials, givenUp, nil
}

// giveUp marks the trials as failed that got no further in several rounds.
func giveUp(before []sweepRound, known map[string]sweep.Result) (count int) {
	tries := map[string]int{}
	for _, r := range slices.Backward(before) {
		for _, t := range r.Tasks {
			if result := known[t.Digest]; result.State != sweep.Finished && result.State != sweep.Failed && len(result.Values) <= t.Epochs {
				tries[t.Digest]++
			}
		}
		if r.Begun {
			break
		}
	}
	for digest, n := range tries {
		if n >= maxRounds {
			known[digest] = sweep.Result{State: sweep.Failed}
			count++
		}
	}
	return count
}

// merge brings the trials' databases together. One that cannot be read or merged
// is said, and holds up no other.
func (f *sweepFolder) merge(ctx context.Context, out io.Writer) error {
	into, err := tracker.Open(f.DB)
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(f.path(sweepTrials, "*.db"))
	if err != nil {
		return errors.Join(err, into.Close())
	}
	var merged tracker.Merged
	var problems []error
	for _, path := range paths {
		from, err := tracker.Open(path, tracker.ReadOnly())
		if err != nil {
			problems = append(problems, err)
			continue
		}
		m, err := into.Merge(ctx, from)
		merged.Added += m.Added
		merged.Updated += m.Updated
		merged.Unchanged += m.Unchanged
		problems = append(problems, m.Refused, err, from.Close())
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Fprintf(out, "%s: %d runs added, %d updated, %d unchanged\n", f.DB, merged.Added, merged.Updated, merged.Unchanged)
	for _, problem := range problems {
		if problem != nil {
			fmt.Fprintln(out, "not merged:", oneLine(problem.Error()))
		}
	}
	return errors.Join(ctx.Err(), into.Close())
}
