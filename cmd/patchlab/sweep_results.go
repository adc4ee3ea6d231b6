package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"patchlab/backend"
	"patchlab/experiments/sweep"
	"patchlab/lab"
	"patchlab/tracker"
)

// sweepResults reads what became of trials from a database and keeps what does
// not change.
type sweepResults struct {
	folder *sweepFolder
	values map[string][]float64 // by run and number of epochs
	// uncounted says why runs do not count, by the digest of their recipe.
	uncounted map[string]string
}

func newSweepResults(f *sweepFolder) *sweepResults {
	return &sweepResults{folder: f, values: map[string][]float64{}, uncounted: map[string]string{}}
}

// trialRun is a trial's run with its result.
type trialRun struct {
	sweep.Result
	run tracker.RunInfo
}

// read finds the runs of a database by their recipe's digest. Any run of the
// recipe counts, whichever command made it, if it saw the same images on the
// backend that the sweep demands; of several the one that came furthest.
func (s *sweepResults) read(ctx context.Context, path string) (map[string]trialRun, error) {
	found := map[string]trialRun{}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	runs, err := db.Runs(ctx, tracker.Query{IncludeArchived: true})
	if err != nil {
		return nil, err
	}
	for _, info := range runs {
		digest := info.Params["recipe"]
		if digest == "" {
			continue
		}
		if why := s.unfit(info); why != "" {
			s.uncounted[digest] = why
			continue
		}
		r := trialRun{run: info, Result: sweep.Result{State: trialState(info)}}
		if before, ok := found[digest]; ok && !further(r, before) {
			continue
		}
		found[digest] = r
	}
	for digest, r := range found {
		if r.Values, err = s.history(ctx, db, r.run); err != nil {
			return nil, err
		}
		found[digest] = r
	}
	return found, nil
}

// word is what a trial's run is called in what people read: by the status that
// every other command shows, unless nothing is known of it.
func (r trialRun) word() string {
	if r.State == sweep.Stopped {
		return r.run.Status.String()
	}
	return r.State.String()
}

// steps is how many steps a run has done whose first epoch has not ended; 0
// where one has.
func (r trialRun) steps() int {
	if len(r.Values) > 0 {
		return 0
	}
	return int(r.run.Metrics["step_loss"].Step)
}

// progress is how far a run came, in 10 characters or so: epochs, or steps in the first.
func (r trialRun) progress() string {
	n, what := len(r.Values), "epoch"
	if steps := r.steps(); steps > 0 {
		n, what = steps, "step"
	}
	number, what, _ := strings.Cut(counted(n, what), " ")
	return fmt.Sprintf("%3s %s", number, what)
}

// trialState is the state that a run's status means. A run that failed can
// continue, except where training again would end the same.
func trialState(info tracker.RunInfo) sweep.State {
	_, diverged := info.Tags[lab.TagDiverged]
	switch {
	case info.Status == tracker.Finished:
		return sweep.Finished
	case info.Status == tracker.Running:
		return sweep.Running
	case info.Status == tracker.Failed && diverged:
		return sweep.Failed
	case info.Status == tracker.Damaged:
		return sweep.Missing
	}
	return sweep.Stopped
}

// further reports whether a run has come further than a later one.
func further(a, later trialRun) bool {
	order := map[sweep.State]int{sweep.Missing: 0, sweep.Failed: 1, sweep.Stopped: 2, sweep.Running: 3, sweep.Finished: 4}
	if order[a.State] != order[later.State] {
		return order[a.State] > order[later.State]
	}
	return a.State == sweep.Stopped && epochs(a.run) > epochs(later.run)
}

// epochs is how many epochs a run has completed.
func epochs(info tracker.RunInfo) int64 { return info.Metrics["val_loss"].Step }

// unfit says why a run is none of the sweep's: it saw other images, or was made
// on another backend than the sweep's; "" where it is one.
func (s *sweepResults) unfit(info tracker.RunInfo) string {
	if kind, err := kindOf(info.Environment["backend"]); s.folder.Backend != backend.Auto && (err != nil || kind != s.folder.Backend) {
		why := fmt.Sprintf("on backend %s, whose losses are not those of %s", info.Environment["backend"], s.folder.Backend)
		if err == nil {
			why += fmt.Sprintf(" (--backend %s would take them over)", kind)
		}
		return why
	}
	for _, digest := range s.folder.Images {
		for _, in := range info.Inputs {
			if in.Digest == digest {
				return ""
			}
		}
	}
	return "with other images than are found now"
}

// history is the metric after each epoch of a run.
func (s *sweepResults) history(ctx context.Context, db *tracker.DB, info tracker.RunInfo) ([]float64, error) {
	metric := string(s.folder.Spec.Metric)
	count := info.Metrics[metric].Count
	if count == 0 {
		return nil, nil
	}
	key := fmt.Sprint(info.ID, count)
	if values, ok := s.values[key]; ok {
		return values, nil
	}
	points, err := db.History(ctx, info.ID, metric)
	if err != nil {
		return nil, err
	}
	var values []float64
	for i, p := range points {
		if i > 0 && p.Step == points[i-1].Step { // logged again after a crash, with the same value
			continue
		}
		values = append(values, p.Value)
	}
	s.values[key] = values
	return values, nil
}

// results are those of runs, for the plan.
func results(runs map[string]trialRun) map[string]sweep.Result {
	all := make(map[string]sweep.Result, len(runs))
	for digest, r := range runs {
		all[digest] = r.Result
	}
	return all
}
