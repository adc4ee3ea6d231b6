package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// runSweep runs the trials of a sweep on this machine, and tells of them.
func runSweep(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan, trials []sweep.Trial, retryFailed bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	results := sweeps.NewResults(f)
	runs, err := results.Read(cmd.Context(), f.DB)
	if err != nil {
		return err
	}
	errs := cmd.ErrOrStderr()
	sayUncounted(errs, f.DB, trials, runs, results.Uncounted)
	if runtime.GOOS != "linux" {
		fmt.Fprintln(errs, "This system binds no process to cores: the workers are told how many to use.")
	}
	line := &statusLine{w: errs, folder: f}
	l := sweeps.Local{
		Sweep: f, Plan: plan, Load: loader(cmd, f), Results: results, Program: program, Cores: shares(f), RetryFailed: retryFailed,
		Tick: line.show,
	}
	l.Begin = func(p sweeps.Progress) {
		fmt.Fprintln(errs, wrapped("", fmt.Sprintf("Sweep %s: %s, %s of %s, recorded in %s", f.Spec.Name,
			describe(f.Spec, p.Trials), counted(len(l.Cores), "worker"), counted(len(l.Cores[0]), "core"), f.DB)))
		if n := p.Counts(); n.Missing+n.Impossible < len(p.Trials) {
			fmt.Fprintf(errs, "Of %s so far: %s\n", counted(len(p.Trials), "trial"), n)
		}
	}
	l.Ended = func(end sweeps.End) {
		line.clear()
		fmt.Fprintln(cmd.OutOrStdout(), trialLine(f.Spec, end))
		if state := end.Run.State; end.Err != nil && state != sweep.Failed && state != sweep.Finished && !wasInterrupted(end.Err) {
			fmt.Fprintf(errs, "  %s\n  its log: %s\n", cut(oneLine(f.LastLine(end.Task.Digest)), 200), f.LogPath(end.Task.Digest))
		}
	}
	l.Stopping = func(running int) {
		line.clear()
		fmt.Fprintf(errs, "Stopping: writing the checkpoints of %s …\n", counted(running, "trial"))
	}
	p, err := l.Run(cmd.Context())
	line.clear()
	switch {
	case p.Stopped:
		fmt.Fprintf(errs, "Stopped; continue with: %s sweep resume %s\n", self(), sweepRef(f))
		return err
	case err != nil:
		return err
	}
	return conclude(cmd, f, p)
}

// conclude prints the best candidates and what could not be trained.
func conclude(cmd *cobra.Command, f *sweeps.Sweep, p sweeps.Progress) error {
	printBest(cmd.OutOrStdout(), f, p.Trials, p.Tasks, p.Runs)
	n := p.Counts()
	if n.Failed > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d failed; why: %s sweep status %s\nTo try again: %s sweep resume %s --retry-failed\n",
			n.Failed, self(), sweepRef(f), self(), sweepRef(f))
	}
	if n.Failed > 0 && n.Failed+n.Impossible == len(p.Trials) {
		return errors.New("no trial could be trained")
	}
	return lost(f, p.Lost)
}

// lost says of trials that they were tried in vain.
func lost(f *sweeps.Sweep, n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s could not be trained; the logs are in %s; \"%s sweep resume %s\" tries again",
		counted(n, "trial"), f.TrialsDir(), self(), sweepRef(f))
}

// statusLine is the line of a terminal that tells of the trials under way.
type statusLine struct {
	w      io.Writer
	folder *sweeps.Sweep
	text   string
}

// show renews the line on a terminal.
func (l *statusLine) show(running []sweep.Task, of int) {
	if !isTerminal(l.w) {
		return
	}
	var at []string
	for _, t := range running {
		where := "begins"
		if epoch, of := l.folder.Epoch(t.Digest); epoch > 0 {
			where = fmt.Sprintf("epoch %d/%d", epoch, of)
		}
		at = append(at, fmt.Sprintf("%d: %s", t.Number, where))
	}
	text := cut(fmt.Sprintf("%d running of %d, %s", len(running), of, strings.Join(at, "; ")), 78)
	if text != l.text {
		l.clear()
		fmt.Fprint(l.w, text)
		l.text = text
	}
}

func (l *statusLine) clear() {
	if l.text != "" {
		io.WriteString(l.w, "\r\x1b[K")
		l.text = ""
	}
}
