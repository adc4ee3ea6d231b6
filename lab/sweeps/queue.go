package sweeps

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"patchlab/experiments/launch"
)

// Queue is what a cluster says of a sweep's jobs now.
type Queue struct {
	Err   error                        // Slurm does not answer
	Tasks map[string]launch.QueuedTask // of trials, by digest
	Merge []launch.QueuedTask
	// Undone are the trials on Kubernetes that have not said that they ended.
	Undone []string

	last Round
}

// AskSlurm asks for the jobs of all rounds.
func (s *Sweep) AskSlurm(ctx context.Context) (*Queue, error) {
	rounds, err := s.Rounds()
	if err != nil {
		return nil, err
	}
	q := &Queue{Tasks: map[string]launch.QueuedTask{}}
	if len(rounds) == 0 {
		return q, nil
	}
	q.last = rounds[len(rounds)-1]
	queued, err := launch.Queue(ctx)
	if err != nil {
		q.Err = err
		return q, err
	}
	for _, t := range queued {
		for _, r := range rounds {
			switch {
			case t.Job == r.Array && t.Index >= 0 && t.Index < len(r.Tasks):
				q.Tasks[r.Tasks[t.Index].Digest] = t
			case t.Job == r.Merge && t.Job != "":
				q.Merge = append(q.Merge, t)
			}
		}
	}
	return q, nil
}

// Active is how many of Slurm's jobs have not ended.
func (q *Queue) Active() int { return len(q.Tasks) + len(q.Merge) }

// Jobs are the numbers of the jobs that are in the queue.
func (q *Queue) Jobs() []string {
	var all []string
	for _, t := range q.Tasks {
		all = append(all, t.Job)
	}
	for _, t := range q.Merge {
		all = append(all, t.Job)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// describe corrects a trial's row by what the queue says.
func (q *Queue) describe(row *TrialStatus, s *Sweep) {
	t, queued := q.Tasks[row.Digest]
	switch {
	case q.Err != nil && row.State != "finished" && row.State != "failed":
		if slices.ContainsFunc(q.last.Tasks, func(t RoundTask) bool { return t.Digest == row.Digest }) {
			row.State = "unknown"
		}
	case slices.Contains(q.Undone, row.Digest):
		row.State = "submitted"
	case !queued:
		return
	case t.State == "PENDING":
		row.State, row.Where = "waiting", t.Reason
	default:
		row.State, row.Where = strings.ToLower(t.State), t.Node
	}
	epoch, _ := s.Epoch(row.Digest)
	row.Epochs = max(row.Epochs, epoch)
}

// lookAtCluster reads the trials' results where nobody writes: the merged
// database, unless its job runs, and the databases of trials that no job is at.
func (s *Sweep) lookAtCluster(ctx context.Context) (runs Runs, queue *Queue, unread []error, err error) {
	queue = &Queue{}
	if s.Launcher == LaunchSlurm {
		if queue, err = s.AskSlurm(ctx); queue == nil {
			return nil, nil, nil, err
		}
	} else if undone, err := s.Undone(); err != nil {
		return nil, nil, nil, err
	} else {
		queue.Undone = undone
	}
	runs = Runs{}
	results := NewResults(s)
	if !slices.ContainsFunc(queue.Merge, func(t launch.QueuedTask) bool { return t.State != "PENDING" }) {
		if runs, err = results.Read(ctx, s.DB); err != nil {
			return nil, nil, nil, err
		}
	}
	if queue.Err != nil {
		return runs, queue, unread, nil
	}
	paths, err := filepath.Glob(s.Path(trialsFolder, "*.db"))
	if err != nil {
		return nil, nil, nil, err
	}
	busy := map[string]bool{}
	for _, digest := range queue.Undone {
		busy[s.trialPath(digest, ".db")] = true
	}
	for digest := range queue.Tasks {
		if queue.Tasks[digest].State != "PENDING" {
			busy[s.trialPath(digest, ".db")] = true
		}
	}
	for _, path := range paths {
		if busy[path] {
			continue
		}
		own, err := results.Read(ctx, path)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		maps.Copy(runs, own)
	}
	return runs, queue, unread, nil
}
