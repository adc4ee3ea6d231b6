package record

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"patchlab/tracker"
)

// The notebook is stored anew after each cell while it is small, else once in a while: what it replaces takes room
// until the tracker's garbage collection.
const (
	smallNotebook = 256 << 10
	storeEvery    = time.Minute
)

// afterCell makes durable what the cell logged, stores the cells so far, and ends the run where the cell asked for it.
func (r *runs) afterCell(ok bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastOK, r.pending = ok, true
	switch {
	case r.run == nil:
		return nil
	case r.ending != 0:
		return r.finish()
	}
	if r.size > smallNotebook && r.options.Now().Sub(r.stored) < storeEvery {
		return r.run.Flush()
	}
	return errors.Join(r.run.Flush(), r.store())
}

// store stores the notebook; r.mu must be held.
func (r *runs) store() error {
	if !r.pending {
		return nil
	}
	cells, err := r.cells()
	if err != nil {
		return err
	}
	text := Notebook(r.earlier[r.run.ID()], cells)
	if err := r.run.AddArtifact(Artifact, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("storing the cells of run %s: %w", r.name, err)
	}
	r.pending, r.size, r.stored = false, len(text), r.options.Now()
	return nil
}

// finish ends the run, if there is one, as it is to end; r.mu must be held.
func (r *runs) finish() error {
	if r.run == nil {
		return nil
	}
	as := r.ending
	if as == 0 {
		as = tracker.Finished
	}
	storing := r.store()
	err := r.run.Finish(as)
	if err == nil {
		r.run, r.name, r.ending = nil, "", 0
	}
	return errors.Join(storing, err)
}

// close ends the run with the session: finished, or failed where the last cell was.
func (r *runs) close() error {
	r.endCell()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending == 0 && !r.lastOK {
		r.ending = tracker.Failed
	}
	err := r.finish()
	if r.db != nil {
		err = errors.Join(err, r.db.Close())
		r.db = nil
	}
	return err
}
