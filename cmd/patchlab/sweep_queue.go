package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"patchlab/experiments/launch"
)

// slurmQueue is what Slurm says of a sweep's jobs now.
type slurmQueue struct {
	err   error // Slurm does not answer
	last  sweepRound
	tasks map[string]launch.QueuedTask // of trials, by digest
	merge []launch.QueuedTask
	// undone are the trials on Kubernetes that have not said that they ended.
	undone []string
}

// askSlurm asks for the jobs of all rounds.
func (f *sweepFolder) askSlurm(ctx context.Context) (*slurmQueue, error) {
	rounds, err := f.rounds()
	if err != nil {
		return nil, err
	}
	q := &slurmQueue{tasks: map[string]launch.QueuedTask{}}
	if len(rounds) == 0 {
		return q, nil
	}
	q.last = rounds[len(rounds)-1]
	queued, err := launch.Queue(ctx)
	if err != nil {
		q.err = err
		return q, err
	}
	for _, t := range queued {
		for _, r := range rounds {
			switch {
			case t.Job == r.Array && t.Index >= 0 && t.Index < len(r.Tasks):
				q.tasks[r.Tasks[t.Index].Digest] = t
			case t.Job == r.Merge && t.Job != "":
				q.merge = append(q.merge, t)
			}
		}
	}
	return q, nil
}

func (q *slurmQueue) active() int { return len(q.tasks) + len(q.merge) }

// jobs are the numbers of the jobs that are in the queue.
func (q *slurmQueue) jobs() []string {
	var all []string
	for _, t := range q.tasks {
		all = append(all, t.Job)
	}
	for _, t := range q.merge {
		all = append(all, t.Job)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sentence says what the queue holds.
func (q *slurmQueue) sentence() string {
	switch {
	case q.err != nil:
		return fmt.Sprintf("Slurm does not answer (%v): what runs now is unknown, what is merged is below.", q.err)
	case len(q.undone) > 0:
		return fmt.Sprintf("Kubernetes has not ended %s, as far as the folder tells; kubectl get jobs shows more.", counted(len(q.undone), "trial"))
	case q.active() == 0:
		return "No job of it is in the queue."
	}
	var running int
	for _, t := range q.tasks {
		if t.State == "RUNNING" {
			running++
		}
	}
	s := fmt.Sprintf("Slurm: %s running, %d waiting or ending", counted(running, "trial"), len(q.tasks)-running)
	if len(q.merge) > 0 {
		s += fmt.Sprintf("; job %s merges them", q.merge[0].Job)
	}
	return s + "."
}

// describe corrects a trial's row by what the queue says.
func (q *slurmQueue) describe(row *trialStatus, f *sweepFolder) {
	t, queued := q.tasks[row.Digest]
	switch {
	case q.err != nil && row.State != "finished" && row.State != "failed":
		if slices.ContainsFunc(q.last.Tasks, func(t roundTask) bool { return t.Digest == row.Digest }) {
			row.State = "unknown"
		}
	case slices.Contains(q.undone, row.Digest):
		row.State = "submitted"
	case !queued:
		return
	case t.State == "PENDING":
		row.State, row.Where = "waiting", t.Reason
	default:
		row.State, row.Where = strings.ToLower(t.State), t.Node
	}
	var epoch, of int
	if _, err := fmt.Sscanf(epochLine(f.trialPath(row.Digest, ".log")), "epoch %d/%d", &epoch, &of); err == nil {
		row.Epochs = max(row.Epochs, epoch)
	}
}

// lookAtCluster reads the trials' results where nobody writes: the merged
// database, unless its job runs, and the databases of trials that no job is at.
func (f *sweepFolder) lookAtCluster(ctx context.Context) (map[string]trialRun, *slurmQueue, error) {
	queue := &slurmQueue{}
	if f.Launcher == launchSlurm {
		var err error
		if queue, err = f.askSlurm(ctx); queue == nil {
			return nil, nil, err
		}
	} else if undone, err := f.undone(); err != nil {
		return nil, nil, err
	} else {
		queue.undone = undone
	}
	runs := map[string]trialRun{}
	results := newSweepResults(f)
	if !slices.ContainsFunc(queue.merge, func(t launch.QueuedTask) bool { return t.State != "PENDING" }) {
		var err error
		if runs, err = results.read(ctx, f.DB); err != nil {
			return nil, nil, err
		}
	}
	if queue.err != nil {
		return runs, queue, nil
	}
	paths, err := filepath.Glob(f.path(sweepTrials, "*.db"))
	if err != nil {
		return nil, nil, err
	}
	busy := map[string]bool{}
	for _, digest := range queue.undone {
		busy[f.trialPath(digest, ".db")] = true
	}
	for digest := range queue.tasks {
		if queue.tasks[digest].State != "PENDING" {
			busy[f.trialPath(digest, ".db")] = true
		}
	}
	for _, path := range paths {
		if busy[path] {
			continue
		}
		own, err := results.read(ctx, path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "not read:", oneLine(err.Error()))
			continue
		}
		for digest, r := range own {
			runs[digest] = r
		}
	}
	return runs, queue, nil
}
