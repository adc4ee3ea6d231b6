package runner

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"patchlab/kernel/message"
)

// CellError tells which cell ended a run, and why.
type CellError struct {
	Cell, Of  int    // its number among the cells that run, 1-based
	ID        string // the cell's
	Source    string
	Name      string // of the error, as the kernel calls it
	Value     string
	Traceback []string // may hold terminal colours
	Restoring bool     // it failed when it was to restore the kernel's state
	// Cause is what ended the cell where it was not its own error: [ErrDied], a
	// [*TimeoutError], or the context's.
	Cause error
}

func (e *CellError) Error() string {
	where := fmt.Sprintf("cell %d of %d", e.Cell, e.Of)
	if e.Restoring {
		where += ", run again to restore the kernel's state,"
	}
	if e.Cause != nil {
		return fmt.Sprintf("%s was stopped: %v", where, e.Cause)
	}
	value, _, _ := strings.Cut(Plain(e.Value), "\n")
	return fmt.Sprintf("%s failed: %s", where, strings.TrimSuffix(e.Name+": "+value, ": "))
}

func (e *CellError) Unwrap() error { return e.Cause }

// Trace shows the cell and what the kernel says of the error, in lines. With
// colour the kernel's colours stay.
func (e *CellError) Trace(colour bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Cell %d of %d (id %s):\n\n", e.Cell, e.Of, e.ID)
	lines := strings.Split(strings.TrimRight(e.Source, "\n"), "\n")
	for i, line := range lines {
		if len(lines) > 30 && i == 15 {
			fmt.Fprintf(&b, "       … %d lines …\n", len(lines)-30)
		}
		if len(lines) <= 30 || i < 15 || i >= len(lines)-15 {
			fmt.Fprintf(&b, "  %3d  %s\n", i+1, line)
		}
	}
	b.WriteByte('\n')
	trace := strings.Join(e.Traceback, "\n")
	if strings.TrimSpace(trace) == "" {
		trace = strings.TrimSuffix(e.Name+": "+e.Value, ": ")
	}
	if colour {
		trace = keepColours(trace)
	} else {
		trace = Plain(trace)
	}
	b.WriteString(strings.TrimRight(trace, "\n") + "\n")
	return b.String()
}

// failure is what reply and err tell of cell i, nil where it succeeded.
func (r *run) failure(i int, reply message.ExecuteReply, err error) *CellError {
	if err == nil && reply.Status == message.StatusOK {
		return nil
	}
	e := &CellError{Cell: i + 1, Of: len(r.cells), ID: r.cells[i].ID(), Source: r.cells[i].Source(),
		Name: reply.Name, Value: reply.Value, Traceback: reply.Traceback, Cause: err}
	var late *TimeoutError
	switch {
	case err == nil && e.Name == "":
		e.Name = "status " + reply.Status
	case errors.As(err, &late):
		e.Name, e.Value = "TimeoutError", err.Error()
	case errors.Is(err, ErrDied):
		e.Name, e.Value = "DeadKernelError", err.Error()
	case errors.Is(err, context.Canceled):
		e.Name, e.Value = "Interrupted", "interrupted by the user"
	case err != nil:
		e.Name, e.Value = "RunnerError", err.Error()
	}
	if len(e.Traceback) == 0 {
		e.Traceback = []string{e.Name + ": " + e.Value}
	}
	return e
}

// escapes matches terminal control sequences (ECMA-48: CSI, OSC and two-character
// ones) and control characters other than tab and line feed.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f]")

var colours = regexp.MustCompile("^\x1b\\[[0-9;:]*m$")

// Plain removes terminal control sequences from text.
func Plain(text string) string { return escapes.ReplaceAllString(text, "") }

// keepColours removes all terminal control sequences but colours.
func keepColours(text string) string {
	text = escapes.ReplaceAllStringFunc(text, func(s string) string {
		if colours.MatchString(s) {
			return s
		}
		return ""
	})
	if strings.Contains(text, "\x1b[") {
		text += "\x1b[0m"
	}
	return text
}
