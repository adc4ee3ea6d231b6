package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// maxTries is how often a trial is tried that ends without getting further.
const maxTries = 2

// localSweep runs the trials of a sweep in processes of this machine.
type localSweep struct {
	cmd         *cobra.Command
	folder      *sweepFolder
	plan        *sweep.Plan
	shares      [][]int // the cores of each worker
	results     *sweepResults
	retryFailed bool

	free    []int // workers
	running map[string]localTrial
	ended   chan localEnd
	tries   map[string]int // of this call, by digest: those that got no further
	begun   map[string]bool
	line    string // the status line on the terminal
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

// run trains until nothing is left, or until it is stopped.
func (l *localSweep) run() error {
	ctx, cancel := context.WithCancel(l.cmd.Context())
	defer cancel()
	l.running, l.ended, l.begun = map[string]localTrial{}, make(chan localEnd), map[string]bool{}
	for worker := range l.shares {
		l.free = append(l.free, worker)
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	runs, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.announce(runs)
	for err == nil && ctx.Err() == nil {
		trials, tasks := l.plan.Next(l.known(runs))
		more, wrong := l.folder.know(l.cmd, trials)
		if err = wrong; err == nil && more {
			if err = l.folder.save(); err == nil {
				runs, err = l.read(ctx)
			}
			continue
		}
		if err == nil {
			err = l.start(ctx, tasks, runs)
		}
		if err != nil || len(l.running) == 0 {
			break
		}
		select {
		case end := <-l.ended:
			runs, err = l.finish(ctx, end)
		case <-look.C:
			l.show(ctx, len(trials))
			if l.folder.stopping() {
				cancel()
			}
		case <-ctx.Done():
		}
	}
	stopped := ctx.Err() != nil
	if cancel(); len(l.running) > 0 {
		l.clear()
		fmt.Fprintf(l.cmd.ErrOrStderr(), "Stopping: writing the checkpoints of %s …\n", counted(len(l.running), "trial"))
	}
	for len(l.running) > 0 {
		runs, _ = l.finish(context.WithoutCancel(ctx), <-l.ended)
	}
	l.clear()
	if err != nil {
		return err
	}
	if stopped {
		fmt.Fprintf(l.cmd.ErrOrStderr(), "Stopped; continue with: %s sweep resume %s\n", self(), l.folder.ref())
		return l.cmd.Context().Err() // nil where "sweep stop" stopped it
	}
	return l.conclude(runs)
}

// read reads the results so far.
func (l *localSweep) read(ctx context.Context) (map[string]trialRun, error) {
	return l.results.read(ctx, l.folder.DB)
}

// known are the results as the plan is to see them: what runs here is running,
// and what was tried in vain is failed.
func (l *localSweep) known(runs map[string]trialRun) map[string]sweep.Result {
	all := results(runs)
	for digest, r := range all {
		if r.State == sweep.Failed && l.retryFailed && !l.begun[digest] {
			r.State, r.Values = sweep.Missing, nil
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
func (l *localSweep) start(ctx context.Context, tasks []sweep.Task, runs map[string]trialRun) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if len(l.free) == 0 {
			return nil
		}
		if _, busy := l.running[task.Digest]; busy {
			continue
		}
		if err := l.folder.writeTrial(task.Trial); err != nil {
			return err
		}
		log, err := os.OpenFile(l.folder.trialPath(task.Digest, ".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("opening the trial's log: %w", err)
		}
		worker := l.free[0]
		l.free = l.free[1:]
		l.begun[task.Digest] = true
		l.running[task.Digest] = localTrial{Task: task, worker: worker, began: time.Now(), epochs: len(runs[task.Digest].Values)}
		p := launch.Process{
			Program: program, Cores: l.shares[worker], Output: log,
			Args: []string{"sweep", "task", l.folder.dir, task.Digest, "--until", fmt.Sprint(task.Until), "--name", task.Name(l.folder.Spec.Name),
				"--instead-of", runs[task.Digest].run.ID},
		}
		go func() {
			err := p.Run(ctx)
			l.ended <- localEnd{task.Digest, errors.Join(err, log.Close())}
		}()
	}
	return nil
}

// finish takes note of a trial's end and says it in a line.
func (l *localSweep) finish(ctx context.Context, end localEnd) (map[string]trialRun, error) {
	t := l.running[end.digest]
	delete(l.running, end.digest)
	l.free = append(l.free, t.worker)
	runs, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	r, recorded := runs[end.digest]
	if end.err != nil && ctx.Err() == nil && len(r.Values) <= t.epochs {
		l.tries[end.digest]++
	}
	l.clear()
	fmt.Fprintln(l.cmd.OutOrStdout(), trialLine(l.folder.Spec, t.Task, r, recorded, end.err, time.Since(t.began)))
	if end.err != nil && r.State != sweep.Failed && r.State != sweep.Finished && !wasInterrupted(end.err) {
		fmt.Fprintf(l.cmd.ErrOrStderr(), "  %s\n  its log: %s\n", lastLine(l.folder.trialPath(end.digest, ".log")), l.folder.trialPath(end.digest, ".log"))
	}
	return runs, nil
}

// announce says what begins.
func (l *localSweep) announce(runs map[string]trialRun) {
	trials, tasks := l.plan.Next(l.known(runs))
	n := countTrials(trials, tasks, runs)
	fmt.Fprintln(l.cmd.ErrOrStderr(), wrapped("", fmt.Sprintf("Sweep %s: %s, %s of %s, recorded in %s", l.folder.Spec.Name,
		describe(l.folder.Spec, trials), counted(len(l.shares), "worker"), counted(len(l.shares[0]), "core"), l.folder.DB)))
	if n.missing+n.impossible < len(trials) {
		fmt.Fprintf(l.cmd.ErrOrStderr(), "Of %s so far: %s\n", counted(len(trials), "trial"), n)
	}
}

// show renews the status line on a terminal.
func (l *localSweep) show(ctx context.Context, trials int) {
	if !isTerminal(l.cmd.ErrOrStderr()) {
		return
	}
	var at []string
	for digest, t := range l.running {
		at = append(at, fmt.Sprintf("%d: %s", t.Number, epochLine(l.folder.trialPath(digest, ".log"))))
	}
	line := cut(fmt.Sprintf("%d running of %d, %s", len(l.running), trials, strings.Join(at, "; ")), 78)
	if line != l.line {
		l.clear()
		fmt.Fprint(l.cmd.ErrOrStderr(), line)
		l.line = line
	}
}

func (l *localSweep) clear() {
	if l.line != "" {
		io.WriteString(l.cmd.ErrOrStderr(), "\r\x1b[K")
		l.line = ""
	}
}

// conclude prints the best candidates and what could not be trained.
func (l *localSweep) conclude(runs map[string]trialRun) error {
	trials, tasks := l.plan.Next(l.known(runs))
	printBest(l.cmd.OutOrStdout(), l.folder, trials, tasks, runs)
	var lost int
	for _, n := range l.tries {
		if n >= maxTries {
			lost++
		}
	}
	n := countTrials(trials, tasks, runs)
	if n.failed > 0 {
		fmt.Fprintf(l.cmd.ErrOrStderr(), "%d failed; why: %s sweep status %s\nTo try again: %s sweep resume %s --retry-failed\n",
			n.failed, self(), l.folder.ref(), self(), l.folder.ref())
	}
	if n.failed > 0 && n.failed+n.impossible == len(trials) {
		return errors.New("no trial could be trained")
	}
	if lost > 0 {
		return fmt.Errorf("%s could not be trained; the logs are in %s; \"%s sweep resume %s\" tries again",
			counted(lost, "trial"), l.folder.path(sweepTrials), self(), l.folder.ref())
	}
	return nil
}
