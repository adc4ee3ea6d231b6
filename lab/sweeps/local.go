package sweeps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// maxTries is how often a trial is tried that ends without getting further.
const maxTries = 2

// Local runs the trials of a sweep in processes of this machine. The functions that
// tell what happens may be nil.
type Local struct {
	Sweep       *Sweep
	Plan        *sweep.Plan
	Load        Loader
	Results     *Results
	Program     string  // patchlab, whose command "sweep task" trains a trial
	Cores       [][]int // of each worker; there is at least one
	RetryFailed bool    // train anew what diverged before

	Begin    func(Progress)                     // before the first trial
	Tick     func(running []sweep.Task, of int) // each second: the trials under way, of so many
	Ended    func(End)                          // after each trial
	Stopping func(running int)                  // where trials under way are being stopped

	free    []int // workers
	running map[string]localTrial
	ended   chan localEnd
	tries   map[string]int // of this call, by digest: those that got no further
	begun   map[string]bool
}

// Progress is how far a sweep has come.
type Progress struct {
	Trials []sweep.Trial
	Tasks  []sweep.Task // that are left
	Runs   Runs
	// Lost are the trials that were tried in vain, and are given up.
	Lost int
	// Stopped says that the sweep was stopped before it came to its end.
	Stopped bool
}

// Counts are the trials by what became of them.
func (p Progress) Counts() Counts { return Count(p.Trials, p.Tasks, p.Runs) }

// End is the end of a process that trained a trial.
type End struct {
	Task     sweep.Task
	Run      TrialRun
	Recorded bool  // Run is there
	Err      error // how the process ended, nil where well
	Took     time.Duration
}

// localTrial is a trial under way.
type localTrial struct {
	sweep.Task
	worker int
	began  time.Time
	epochs int // that it had when it began
}

type localEnd struct {
	digest string
	err    error
}

// Run trains until nothing is left, or until it is stopped: by ctx, whose error it
// returns then, or by [Sweep.Stop]. Trials under way write their checkpoints first.
// A trial that ends twice without getting further is given up, and stops no other.
func (l *Local) Run(ctx context.Context) (Progress, error) {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	l.running, l.ended, l.begun, l.tries = map[string]localTrial{}, make(chan localEnd), map[string]bool{}, map[string]int{}
	l.free = nil
	for worker := range l.Cores {
		l.free = append(l.free, worker)
	}
	runs, err := l.read(ctx)
	if err != nil {
		return Progress{}, err
	}
	if l.Begin != nil {
		l.Begin(l.progress(runs))
	}
	runs, err = l.work(running, cancel, runs)
	stopped := running.Err() != nil
	if cancel(); len(l.running) > 0 && l.Stopping != nil {
		l.Stopping(len(l.running))
	}
	for len(l.running) > 0 {
		runs, _ = l.finish(context.WithoutCancel(ctx), true, <-l.ended)
	}
	if err != nil {
		return Progress{}, err
	}
	if stopped {
		return Progress{Stopped: true}, ctx.Err()
	}
	return l.progress(runs), nil
}

// work has trials trained until nothing is left or the context ends, which stop
// does where somebody asks for it.
func (l *Local) work(ctx context.Context, stop func(), runs Runs) (Runs, error) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for ctx.Err() == nil {
		trials, tasks := l.Plan.Next(l.known(runs))
		more, err := l.Sweep.Know(trials, l.Load)
		if err != nil {
			return runs, err
		}
		if more { // which runs count follows from the images
			if err := l.Sweep.Save(); err != nil {
				return runs, err
			}
			if runs, err = l.read(ctx); err != nil {
				return runs, err
			}
			continue
		}
		if err := l.start(ctx, tasks, runs); err != nil || len(l.running) == 0 {
			return runs, err
		}
		select {
		case end := <-l.ended:
			if runs, err = l.finish(ctx, false, end); err != nil {
				return runs, err
			}
		case <-look.C:
			l.tick(len(trials))
			if l.Sweep.Stopping() {
				stop()
			}
		case <-ctx.Done():
		}
	}
	return runs, nil
}

// read reads the results so far.
func (l *Local) read(ctx context.Context) (Runs, error) { return l.Results.Read(ctx, l.Sweep.DB) }

func (l *Local) progress(runs Runs) Progress {
	p := Progress{Runs: runs}
	p.Trials, p.Tasks = l.Plan.Next(l.known(runs))
	for _, n := range l.tries {
		if n >= maxTries {
			p.Lost++
		}
	}
	return p
}

// known are the results as the plan is to see them: what runs here is running,
// and what was tried in vain is failed.
func (l *Local) known(runs Runs) map[string]sweep.Result {
	all := runs.Results()
	for digest, r := range all {
		if r.State == sweep.Failed && l.RetryFailed && !l.begun[digest] {
			r.State, r.Epochs = sweep.Missing, nil
			all[digest] = r
		}
	}
	for digest, t := range l.running {
		r := all[digest]
		r.State, r.Until = sweep.Running, t.Until
		all[digest] = r
	}
	for digest, n := range l.tries {
		if r := all[digest]; n >= maxTries && r.State != sweep.Finished {
			r.State = sweep.Failed
			all[digest] = r
		}
	}
	return all
}

// start begins tasks while there are free workers.
func (l *Local) start(ctx context.Context, tasks []sweep.Task, runs Runs) error {
	for _, task := range tasks {
		if len(l.free) == 0 {
			return nil
		}
		if _, busy := l.running[task.Digest]; busy {
			continue
		}
		if err := l.Sweep.WriteTrial(task.Trial); err != nil {
			return err
		}
		log, err := l.Sweep.OpenLog(task.Digest)
		if err != nil {
			return err
		}
		worker := l.free[0]
		l.free = l.free[1:]
		l.begun[task.Digest] = true
		l.running[task.Digest] = localTrial{Task: task, worker: worker, began: time.Now(), epochs: len(runs[task.Digest].Epochs)}
		p := launch.Process{
			Program: l.Program, Cores: l.Cores[worker], Output: log,
			Args: []string{"sweep", "task", l.Sweep.Dir, task.Digest, "--until", fmt.Sprint(task.Until), "--name", task.Name(l.Sweep.Spec.Name),
				"--instead-of", runs[task.Digest].Run.ID},
		}
		go func() {
			err := p.Run(ctx)
			l.ended <- localEnd{task.Digest, errors.Join(err, log.Close())}
		}()
	}
	return nil
}

// finish takes note of a trial's end and tells of it. One that was stopped was not
// tried in vain.
func (l *Local) finish(ctx context.Context, stopping bool, end localEnd) (Runs, error) {
	t := l.running[end.digest]
	delete(l.running, end.digest)
	l.free = append(l.free, t.worker)
	runs, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	r, recorded := runs[end.digest]
	if end.err != nil && !stopping && ctx.Err() == nil && len(r.Epochs) <= t.epochs {
		l.tries[end.digest]++
	}
	if l.Ended != nil {
		l.Ended(End{Task: t.Task, Run: r, Recorded: recorded, Err: end.err, Took: time.Since(t.began)})
	}
	return runs, nil
}

func (l *Local) tick(of int) {
	if l.Tick == nil {
		return
	}
	var running []sweep.Task
	for _, t := range l.running {
		running = append(running, t.Task)
	}
	l.Tick(running, of)
}
