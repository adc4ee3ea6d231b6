package sweeps

import (
	"context"
	"math"

	"patchlab/experiments/sweep"
	"patchlab/lab"
)

// TrialStatus is what became of a trial, in figures and words.
type TrialStatus struct {
	Number    int             `json:"candidate"`
	Seed      int64           `json:"seed"`
	Settings  string          `json:"settings"`
	State     string          `json:"state"`
	Where     string          `json:"where,omitempty"` // of a trial that runs or waits: the node, or why it waits
	Epochs    int             `json:"epochs"`
	Of        int             `json:"of"`
	Steps     int             `json:"steps,omitempty"` // done, while the first epoch has not ended
	Best      *float64        `json:"best,omitempty"`  // the sweep's metric, of the weights kept so far
	Test      *float64        `json:"test_accuracy,omitempty"`
	Run       string          `json:"run,omitempty"`
	Digest    string          `json:"recipe,omitempty"`
	Error     string          `json:"error,omitempty"`
	Candidate sweep.Candidate `json:"-"`
}

// Status is what became of a sweep, by what the database and the cluster say now.
type Status struct {
	Rows   []TrialStatus
	Trials []sweep.Trial
	Tasks  []sweep.Task // that are left
	Runs   Runs
	Queue  *Queue  // nil where the sweep runs on this machine
	Unread []error // of databases on a cluster that could not be read
}

// Status looks at every trial.
func (s *Sweep) Status(ctx context.Context, plan *sweep.Plan) (st Status, err error) {
	if s.Launcher == LaunchLocal {
		st.Runs, err = NewResults(s).Read(ctx, s.DB)
	} else {
		st.Runs, st.Queue, st.Unread, err = s.lookAtCluster(ctx)
	}
	if err != nil {
		return st, err
	}
	st.Trials, st.Tasks = plan.Next(st.Runs.Results())
	waiting := map[string]bool{}
	for _, t := range st.Tasks {
		waiting[t.Digest] = true
	}
	for _, t := range st.Trials {
		row := s.trialStatus(t, st.Runs, st.Queue)
		if r := st.Runs[t.Digest]; r.State == sweep.Stopped && !waiting[t.Digest] && len(r.Epochs) > 0 && row.Where == "" {
			row.State = "paused" // by successive halving, which may yet go on with it
			if len(st.Tasks) == 0 {
				row.State = "dropped"
			}
		}
		st.Rows = append(st.Rows, row)
	}
	return st, nil
}

// Complete reports whether nothing is left to train, and no job to wait for.
func (st Status) Complete() bool {
	q := st.Queue
	return len(st.Tasks) == 0 && (q == nil || q.Err == nil && q.Active() == 0 && len(q.Undone) == 0)
}

func (s *Sweep) trialStatus(t sweep.Trial, runs Runs, queue *Queue) TrialStatus {
	r := runs[t.Digest]
	row := TrialStatus{
		Number: t.Number, Seed: t.Seed, Settings: t.Candidate.String(), Candidate: t.Candidate, State: r.Word(),
		Epochs: len(r.Epochs), Of: t.Recipe.Epochs, Steps: r.Steps(), Run: r.Run.ID, Digest: t.Digest,
	}
	if t.Err != nil {
		row.State, row.Error = "impossible", t.Err.Error()
		return row
	}
	if v, ok := s.Spec.Metric.Kept(t.Recipe.Keep, r.Epochs); ok && !math.IsNaN(v) {
		row.Best = &v
	}
	if test, ok := r.Run.Metrics["test_accuracy"]; ok && r.State == sweep.Finished {
		row.Test = &test.Value
	}
	row.Error = r.Run.Tags[lab.TagError]
	if queue != nil {
		queue.describe(&row, s)
	}
	return row
}
