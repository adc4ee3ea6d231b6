package runner

import (
	"context"
	"slices"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/gocell"
	"patchlab/kernel/notebook/ordered"
	"patchlab/kernel/notebook/parameters"
)

// Restore says how the state is restored that the cells of a previous run left
// in its kernel.
type Restore string

// Ways to restore a kernel's state.
const (
	RestoreAuto    Restore = ""        // RestoreDeclare for Go, RestoreRerun for other languages
	RestoreDeclare Restore = "declare" // Go: send declarations and settings, run nothing
	RestoreRerun   Restore = "rerun"   // run the cells again, but those tagged skip-on-resume, and drop their outputs
	RestoreNothing Restore = "nothing" // the cells need nothing from each other
)

// adopt takes over what the previous run says of itself, and its parameters where
// none are given.
func (r *run) adopt() {
	for _, key := range []string{"language_info", "papermill", "widgets"} {
		if v := r.Previous.Metadata().Get(key); v != nil {
			r.n.Metadata().Set(key, ordered.Clone(v))
		}
	}
	if r.Parameters.Len() > 0 {
		return
	}
	tagged := func(tag string) func(*notebook.Cell) bool {
		return func(c *notebook.Cell) bool { return c.Tagged(tag) }
	}
	i := slices.IndexFunc(r.Previous.Cells, tagged(parameters.InjectedTag))
	if i < 0 {
		return
	}
	r.Parameters = r.Previous.Metadata().Object("papermill").Object("parameters")
	cell := r.Previous.Cells[i].Clone()
	if j := slices.IndexFunc(r.n.Cells, tagged(parameters.InjectedTag)); j >= 0 {
		r.n.Cells[j] = cell
		return
	}
	r.n.Insert(slices.IndexFunc(r.n.Cells, tagged(parameters.Tag))+1, cell)
}

// keep takes over from the previous run the results of the first cells, up to the
// one that did not succeed or has another source now.
func (r *run) keep() {
	previous := runnable(r.Previous)
	for r.kept < len(r.cells) && r.kept < len(previous) {
		cell, old := r.cells[r.kept], previous[r.kept]
		if cell.Source() != old.Source() || !succeeded(old) {
			return
		}
		cell.SetOutputs(old.Outputs())
		cell.SetCount(old.Count())
		for _, key := range []string{"execution", "papermill"} {
			if meta := old.Metadata().Object(key); meta != nil {
				cell.Metadata().Set(key, ordered.Clone(meta))
			}
		}
		r.collector.next = old.Count() + 1
		r.kept++
	}
}

// succeeded says whether a cell was run, by us or by any Jupyter client, and
// ended well.
func succeeded(c *notebook.Cell) bool {
	if status := c.Metadata().Object("papermill").Text("status"); status != "" {
		return status == completed
	}
	return c.Count() > 0 && (c.Tagged(TagRaises) || !hasError(c.Outputs()))
}

// restore brings the kernel to where the kept cells had left the last one.
func (r *run) restore(ctx context.Context) error {
	how := r.Restore
	if how == RestoreAuto {
		how = RestoreRerun
		if r.n.Language() == "go" {
			how = RestoreDeclare
		}
	}
	if how == RestoreNothing {
		return nil
	}
	for i, cell := range r.cells[:r.kept] {
		code := cell.Source()
		if how == RestoreDeclare {
			if parts, err := gocell.Split(code); err == nil { // else it is run as it is
				code = parts.Definitions()
			}
		} else if cell.Tagged(TagSkipOnResume) {
			continue
		}
		if code == "" {
			continue
		}
		r.tell(Event{Phase: Restoring, Cell: i + 1, Of: len(r.cells), Line: firstLine(code)})
		reply, err := r.execute(ctx, cell, message.ExecuteRequest{Code: code}, func(*message.Message) {})
		if e := r.failure(i, reply, err); e != nil && (err != nil || !r.AllowErrors && !cell.Tagged(TagRaises)) {
			e.Restoring = true
			return e
		}
	}
	return nil
}
