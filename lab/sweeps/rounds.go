package sweeps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"patchlab/experiments/sweep"
	"patchlab/save"
	"patchlab/tracker"
)

// jobsFolder is the folder of a cluster's scripts and rounds.
const jobsFolder = "jobs"

// maxRounds is how often a trial is given to a cluster without getting further.
const maxRounds = 3

// Round is what was given to a cluster at once: an array of trials, and the
// job that merges them when all have ended.
type Round struct {
	Number int         `json:"number"`
	Begun  bool        `json:"begun"` // by a person, not by the job before
	Array  string      `json:"array,omitempty"`
	Merge  string      `json:"merge,omitempty"`
	Tasks  []RoundTask `json:"tasks"`
}

// RoundTask is a trial of a round.
type RoundTask struct {
	Digest string `json:"digest"`
	Name   string `json:"name"`
	Until  int    `json:"until"`
	Epochs int    `json:"epochs"` // that it had
	// InsteadOf is the failed run that it replaces.
	InsteadOf string `json:"instead_of,omitempty"`
}

func (s *Sweep) roundPath(number int) string {
	return s.Path(jobsFolder, fmt.Sprintf("round-%04d.json", number))
}

// Rounds reads all rounds, the first first.
func (s *Sweep) Rounds() ([]Round, error) {
	paths, err := filepath.Glob(s.Path(jobsFolder, "round-*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var all []Round
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a round of the sweep: %w", err)
		}
		var r Round
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (s *Sweep) saveRound(r Round) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return save.Bytes(s.roundPath(r.Number), append(b, '\n'))
}

// Task finds a task of a round, counted from 0.
func (s *Sweep) Task(number, index int) (RoundTask, error) {
	b, err := os.ReadFile(s.roundPath(number))
	if err != nil {
		return RoundTask{}, fmt.Errorf("reading round %d: %w", number, err)
	}
	var r Round
	if err := json.Unmarshal(b, &r); err != nil {
		return RoundTask{}, fmt.Errorf("reading round %d: %w", number, err)
	}
	if index < 0 || index >= len(r.Tasks) {
		return RoundTask{}, fmt.Errorf("round %d has no task %d; it has %d", number, index, len(r.Tasks))
	}
	return r.Tasks[index], nil
}

// Step is what carrying a sweep on by a round on a cluster came to.
type Step struct {
	Merged   *tracker.Merged // nil where it was not come to
	Unmerged []error         // of what could not be merged: it holds up nothing else
	Stopped  bool            // the sweep is to stop, and nothing was begun
	Round    Round           // without tasks where nothing is left
	Trials   []sweep.Trial
	Runs     Runs
	GivenUp  int // trials that were tried in vain since a person began the sweep
}

// Turn says how a round is begun.
type Turn struct {
	Begun       bool // by a person: trials that were given up are tried again
	RetryFailed bool // train anew what diverged, where Begun
	Load        Loader
}

// next merges what there is and makes the round of the trials that may be trained
// now, as many as a cluster takes, of which nothing is saved yet.
func (s *Sweep) next(ctx context.Context, plan *sweep.Plan, turn Turn, most func(context.Context) (int, error)) (step Step, err error) {
	if err := os.MkdirAll(s.Path(jobsFolder), 0o755); err != nil {
		return step, err
	}
	merged, unmerged, err := s.Merge(ctx)
	if err != nil {
		return step, err
	}
	step.Merged, step.Unmerged = &merged, unmerged
	if step.Stopped = s.Stopping(); step.Stopped {
		return step, nil
	}
	limit, err := most(ctx)
	if err != nil {
		return step, err
	}
	if step.Runs, err = NewResults(s).Read(ctx, s.DB); err != nil {
		return step, err
	}
	if err := s.makeRound(plan, turn, limit, &step); err != nil {
		return step, err
	}
	more, err := s.Know(step.Trials, turn.Load)
	if err == nil && more {
		err = s.Save()
	}
	return step, err
}

// makeRound makes the round of the trials that may be trained now, at most so many,
// and writes their recipes.
func (s *Sweep) makeRound(plan *sweep.Plan, turn Turn, limit int, step *Step) error {
	before, err := s.Rounds()
	if err != nil {
		return err
	}
	step.Round = Round{Number: 1, Begun: turn.Begun}
	if n := len(before); n > 0 {
		step.Round.Number = before[n-1].Number + 1
	}
	known, insteadOf := step.Runs.Results(), map[string]string{}
	for digest, result := range known {
		if result.State == sweep.Failed && turn.Begun && turn.RetryFailed {
			insteadOf[digest] = step.Runs[digest].Run.ID
			known[digest] = sweep.Result{}
		}
	}
	if !turn.Begun {
		step.GivenUp = giveUp(before, known)
	}
	var tasks []sweep.Task
	step.Trials, tasks = plan.Next(known)
	for _, t := range tasks[:min(len(tasks), limit)] {
		if err := s.WriteTrial(t.Trial); err != nil {
			return err
		}
		step.Round.Tasks = append(step.Round.Tasks, RoundTask{
			Digest: t.Digest, Name: t.Name(s.Spec.Name), Until: t.Until, Epochs: len(known[t.Digest].Epochs), InsteadOf: insteadOf[t.Digest],
		})
	}
	return nil
}

// giveUp marks the trials as failed that got no further in several rounds.
func giveUp(before []Round, known map[string]sweep.Result) (count int) {
	tries := map[string]int{}
	for _, r := range slices.Backward(before) {
		for _, t := range r.Tasks {
			if result := known[t.Digest]; result.State != sweep.Finished && result.State != sweep.Failed && len(result.Epochs) <= t.Epochs {
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

// Merge brings the trials' databases together. One that cannot be read or merged
// is told of, and holds up no other.
func (s *Sweep) Merge(ctx context.Context) (merged tracker.Merged, unmerged []error, err error) {
	into, err := tracker.Open(s.DB)
	if err != nil {
		return merged, nil, err
	}
	defer func() { err = errors.Join(err, ctx.Err(), into.Close()) }()
	paths, err := filepath.Glob(s.Path(trialsFolder, "*.db"))
	if err != nil {
		return merged, nil, err
	}
	for _, path := range paths {
		m, err := mergeFile(ctx, into, path)
		merged.Added += m.Added
		merged.Updated += m.Updated
		merged.Unchanged += m.Unchanged
		for _, problem := range []error{m.Refused, err} {
			if problem != nil {
				unmerged = append(unmerged, problem)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return merged, unmerged, nil
}

func mergeFile(ctx context.Context, into *tracker.DB, path string) (tracker.Merged, error) {
	from, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return tracker.Merged{}, err
	}
	m, err := into.Merge(ctx, from)
	return m, errors.Join(err, from.Close())
}

// donePath is the file that says that a task of a round has ended.
func (s *Sweep) donePath(round, index int) string {
	return s.Path(jobsFolder, fmt.Sprintf("round-%04d-%d.done", round, index))
}

// Done notes that a task of a round has ended.
func (s *Sweep) Done(round, index int) error {
	return os.WriteFile(s.donePath(round, index), nil, 0o644)
}

// Undone are the digests of the last round's trials that have not ended.
func (s *Sweep) Undone() (digests []string, err error) {
	rounds, err := s.Rounds()
	if err != nil || len(rounds) == 0 {
		return nil, err
	}
	last := rounds[len(rounds)-1]
	for i, t := range last.Tasks {
		if _, err := os.Stat(s.donePath(last.Number, i)); errors.Is(err, os.ErrNotExist) {
			digests = append(digests, t.Digest)
		} else if err != nil {
			return nil, err
		}
	}
	return digests, nil
}
