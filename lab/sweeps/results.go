package sweeps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/lab"
	"patchlab/tracker"
)

// TrialRun is a trial's run with its result.
type TrialRun struct {
	sweep.Result
	Run tracker.RunInfo
}

// Runs are the trials' runs, by the digests of their recipes.
type Runs map[string]TrialRun

// Results are what a plan asks for.
func (r Runs) Results() map[string]sweep.Result {
	all := make(map[string]sweep.Result, len(r))
	for digest, run := range r {
		all[digest] = run.Result
	}
	return all
}

// Word is what a trial's run is called in what people read: by the status that
// every other command shows, unless nothing is known of it.
func (r TrialRun) Word() string {
	if r.State == sweep.Stopped {
		return r.Run.Status.String()
	}
	return r.State.String()
}

// Steps is how many steps a run has done whose first epoch has not ended; 0
// where one has.
func (r TrialRun) Steps() int {
	if len(r.Epochs) > 0 {
		return 0
	}
	return int(r.Run.Metrics["step_loss"].Step)
}

// Results reads what became of a sweep's trials from databases, and keeps what
// does not change.
type Results struct {
	// Uncounted says why runs do not count, by the digest of their recipe.
	Uncounted map[string]string

	sweep  *Sweep
	epochs map[string][]experiments.Evaluation // by run and number of epochs
}

// NewResults begins to read a sweep's results.
func NewResults(s *Sweep) *Results {
	return &Results{Uncounted: map[string]string{}, sweep: s, epochs: map[string][]experiments.Evaluation{}}
}

// Read finds the runs of a database by their recipe's digest; a database that is
// not there has none. Any run of the recipe counts, whichever command made it, if it
// saw the same images on the backend that the sweep demands; of several the one that
// came furthest.
func (r *Results) Read(ctx context.Context, path string) (Runs, error) {
	found := Runs{}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	infos, err := db.Runs(ctx, tracker.Query{IncludeArchived: true})
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		digest := info.Params["recipe"]
		if digest == "" {
			continue
		}
		if why := r.unfit(info); why != "" {
			r.Uncounted[digest] = why
			continue
		}
		run := TrialRun{Run: info, Result: sweep.Result{State: stateOf(info)}}
		if before, ok := found[digest]; ok && !further(run, before) {
			continue
		}
		found[digest] = run
	}
	for digest, run := range found {
		if run.Epochs, err = r.history(ctx, db, run.Run); err != nil {
			return nil, err
		}
		found[digest] = run
	}
	return found, nil
}

// stateOf is the state that a run's status means. A run that failed can continue,
// except where training again would end the same.
func stateOf(info tracker.RunInfo) sweep.State {
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
func further(a, later TrialRun) bool {
	order := map[sweep.State]int{sweep.Missing: 0, sweep.Failed: 1, sweep.Stopped: 2, sweep.Running: 3, sweep.Finished: 4}
	if order[a.State] != order[later.State] {
		return order[a.State] > order[later.State]
	}
	return a.State == sweep.Stopped && epochs(a.Run) > epochs(later.Run)
}

// epochs is how many epochs a run has completed.
func epochs(info tracker.RunInfo) int64 { return info.Metrics["val_loss"].Step }

// unfit says why a run is none of the sweep's: it saw other images, or was made
// on another backend than the sweep's; "" where it is one.
func (r *Results) unfit(info tracker.RunInfo) string {
	want := r.sweep.Backend
	if kind, err := lab.KindOf(info.Environment["backend"]); want != backend.Auto && (err != nil || kind != want) {
		why := fmt.Sprintf("on backend %s, whose losses are not those of %s", info.Environment["backend"], want)
		if err == nil {
			why += fmt.Sprintf(" (--backend %s would take them over)", kind)
		}
		return why
	}
	for _, digest := range r.sweep.Images {
		for _, in := range info.Inputs {
			if in.Digest == digest {
				return ""
			}
		}
	}
	return "with other images than are found now"
}

// history is what a run came to on the images held out, after each epoch.
func (r *Results) history(ctx context.Context, db *tracker.DB, info tracker.RunInfo) ([]experiments.Evaluation, error) {
	count := info.Metrics["val_loss"].Count
	if count == 0 {
		return nil, nil
	}
	key := fmt.Sprint(info.ID, count)
	if epochs, ok := r.epochs[key]; ok {
		return epochs, nil
	}
	losses, err := metricByEpoch(ctx, db, info.ID, "val_loss")
	if err != nil {
		return nil, err
	}
	accuracies, err := metricByEpoch(ctx, db, info.ID, "val_accuracy")
	if err != nil {
		return nil, err
	}
	epochs := make([]experiments.Evaluation, min(len(losses), len(accuracies)))
	for i := range epochs {
		epochs[i] = experiments.Evaluation{Loss: losses[i], Top1: accuracies[i]}
	}
	r.epochs[key] = epochs
	return epochs, nil
}

// metricByEpoch is a metric of a run after each of its epochs.
func metricByEpoch(ctx context.Context, db *tracker.DB, id, metric string) (values []float64, err error) {
	points, err := db.History(ctx, id, metric)
	if err != nil {
		return nil, err
	}
	for i, p := range points {
		if i > 0 && p.Step == points[i-1].Step { // logged again after a crash, with the same value
			continue
		}
		values = append(values, p.Value)
	}
	return values, nil
}
