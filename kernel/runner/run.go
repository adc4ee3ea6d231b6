package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// Tags of cells that Run heeds.
const (
	TagRaises       = "raises-exception" // an error in it is expected
	TagSkip         = "skip-execution"   // it is not run
	TagSkipOnResume = "skip-on-resume"   // it is not run to restore a kernel's variables
)

// Options say how a notebook is run. Only Kernel is required.
type Options struct {
	Kernel Spec
	Start  StartOptions

	Timeout     time.Duration // for the whole notebook; 0: none
	CellTimeout time.Duration // for each cell; 0: none
	AllowErrors bool          // go on after a failed cell

	Input, Output string          // paths; the notebook is saved at Output, if any, after each cell
	Parameters    *ordered.Object // values that were injected, for the metadata

	Previous *notebook.Notebook // what a run left that is to go on; nil: begin
	Restore  Restore            // how the kernel's state of that run is restored

	Progress  func(Event)      // nil: nobody listens
	Now       func() time.Time // nil: time.Now
	SaveEvery time.Duration    // while a cell runs and says something; default 30 s
}

// Phase says what an Event tells.
type Phase int

// Phases of a run.
const (
	Starting  Phase = iota // the kernel is being started
	Restoring              // a kept cell's state is being restored
	Running                // a cell has begun
	Done                   // a cell has succeeded, or failed where that is allowed
	Failed                 // a cell has failed, and with it the run
)

// Event tells how far a run is.
type Event struct {
	Phase   Phase
	Cell    int           // its number among the cells that run, 1-based
	Of      int           // how many there are
	Line    string        // the cell's first line
	Elapsed time.Duration // of a cell that is Done or Failed
}

// run is a run under way.
type run struct {
	Options
	n         *notebook.Notebook
	kernel    *Kernel
	cells     []*notebook.Cell // those that run, in order
	kept      int              // how many of them a previous run did
	collector *collector
	record    record
	saved     time.Time
}

// Run runs the code cells of a notebook in order and puts their outputs into it.
// It changes the notebook, and saves it, also when it fails. The error is a
// [*CellError] where a cell caused it. When the context ends, the cell that runs
// is interrupted, the notebook saved and the kernel ended.
func Run(ctx context.Context, n *notebook.Notebook, o Options) (err error) {
	r := &run{Options: o, n: n, collector: newCollector()}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.SaveEvery <= 0 {
		r.SaveEvery = 30 * time.Second
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, &TimeoutError{Limit: r.Timeout, Notebook: true})
		defer cancel()
	}
	n.Upgrade()
	if r.Previous != nil {
		r.adopt()
	}
	r.cells = runnable(n)
	if r.Previous != nil {
		r.keep()
	}
	if r.kept == len(r.cells) {
		return r.save()
	}
	r.tell(Event{Phase: Starting, Of: len(r.cells)})
	if r.kernel, err = Start(ctx, o.Kernel, o.Start); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.kernel.Close()) }()
	return r.carryOut(ctx)
}

// runnable lists the code cells that are run.
func runnable(n *notebook.Notebook) []*notebook.Cell {
	var cells []*notebook.Cell
	for _, c := range n.Cells {
		if c.Kind() == notebook.Code && strings.TrimSpace(c.Source()) != "" && !c.Tagged(TagSkip) {
			cells = append(cells, c)
		}
	}
	return cells
}

// carryOut runs the cells on the kernel that has been started.
func (r *run) carryOut(ctx context.Context) error {
	r.describeKernel()
	r.record = record{run: r}
	r.record.begin()
	if err := r.save(); err != nil {
		return err
	}
	err := r.restore(ctx)
	for i := r.kept; i < len(r.cells) && err == nil; i++ {
		err = r.cell(ctx, i)
	}
	r.record.end(err)
	return errors.Join(err, r.save())
}

// describeKernel notes in the metadata which kernel and language these are.
func (r *run) describeKernel() {
	v, err := ordered.Parse(r.kernel.Info())
	if info, ok := v.(*ordered.Object); err == nil && ok && info.Object("language_info") != nil {
		language := info.Object("language_info")
		ordered.Sort(language)
		r.n.Metadata().Set("language_info", language)
	}
	if r.n.Kernel() != r.Kernel.Name {
		spec := r.n.Metadata().Sub("kernelspec")
		spec.Set("display_name", ordered.String(r.Kernel.DisplayName))
		spec.Set("language", ordered.String(r.Kernel.Language))
		spec.Set("name", ordered.String(r.Kernel.Name))
	}
}

// cell runs cell i.
func (r *run) cell(ctx context.Context, i int) error {
	cell := r.cells[i]
	event := Event{Phase: Running, Cell: i + 1, Of: len(r.cells), Line: firstLine(cell.Source())}
	r.tell(event)
	r.record.cellBegins(cell)
	began := r.Now()
	r.collector.begin()
	var saveErr error
	reply, err := r.execute(ctx, cell, message.ExecuteRequest{Code: cell.Source()}, func(m *message.Message) {
		r.collector.handle(m)
		if r.Output != "" && r.Now().Sub(r.saved) > r.SaveEvery {
			cell.SetOutputs(r.collector.finish())
			saveErr = errors.Join(saveErr, r.save())
		}
	})
	failure := r.failure(i, reply, err)
	outputs := r.collector.finish()
	if failure != nil && !hasError(outputs) {
		outputs = append(outputs, notebook.NewError(failure.Name, failure.Value, failure.Traceback))
	}
	cell.SetOutputs(outputs)
	cell.SetCount(r.collector.count)
	r.collector.widgets.store(r.n)
	allowed := err == nil && (r.AllowErrors || cell.Tagged(TagRaises))
	r.record.cellEnds(cell, failure != nil && !allowed)
	event.Phase, event.Elapsed = Done, r.Now().Sub(began)
	if failure != nil && !allowed {
		event.Phase = Failed
	}
	r.tell(event)
	if err := errors.Join(saveErr, r.save()); err != nil {
		return err
	}
	if event.Phase == Failed {
		return failure
	}
	return nil
}

// execute runs code for a cell within the cell's time limit.
func (r *run) execute(ctx context.Context, cell *notebook.Cell, request message.ExecuteRequest, handle func(*message.Message)) (message.ExecuteReply, error) {
	if r.CellTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.CellTimeout, &TimeoutError{Limit: r.CellTimeout})
		defer cancel()
	}
	no, stop := false, !r.AllowErrors && !cell.Tagged(TagRaises)
	request.AllowStdin, request.StopOnError = &no, &stop
	return r.kernel.Execute(ctx, request, handle)
}

func hasError(outputs []*notebook.Output) bool {
	for _, o := range outputs {
		if o.Type() == notebook.Error {
			return true
		}
	}
	return false
}

func (r *run) tell(e Event) {
	if r.Progress != nil {
		r.Progress(e)
	}
}

func (r *run) save() error {
	r.saved = r.Now()
	if r.Output == "" {
		return nil
	}
	return r.n.Write(r.Output)
}

// firstLine is a cell's first line that is neither blank nor Go's bare %%.
func firstLine(source string) string {
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && line != "%%" && line != "%main" {
			return line
		}
	}
	return strings.TrimSpace(source)
}

// TimeoutError says that a cell or the whole notebook took too long.
type TimeoutError struct {
	Limit    time.Duration
	Notebook bool
}

func (e *TimeoutError) Error() string {
	if e.Notebook {
		return fmt.Sprintf("the notebook took longer than %v", e.Limit)
	}
	return fmt.Sprintf("it took longer than %v", e.Limit)
}
