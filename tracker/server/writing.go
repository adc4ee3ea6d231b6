package server

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"patchlab/tracker"
)

// held is a run that is written to. Each has a lock of its own: a slow disk
// makes the clients of one run wait, not those of all.
type held struct {
	users int // how many have it in hand, under Handler.mu

	mu  sync.RWMutex
	run *tracker.Run // nil: it is not open for points
	// again is how the run ends once more, where it was reopened only to take
	// points after its end; nil where it goes on.
	again *ending

	models sync.Mutex // held while the record of one of its logged models is edited
}

// ending is when and how a run ended.
type ending struct {
	at     time.Time
	status tracker.Status
}

// hold takes a run in hand; let gives it back.
func (h *Handler) hold(id string) *held {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.runs[id]
	if o == nil {
		o = &held{}
		h.runs[id] = o
	}
	o.users++
	return o
}

func (h *Handler) let(id string, o *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.users--; o.users == 0 && o.run == nil {
		delete(h.runs, id)
	}
}

// began keeps a run that a client has started.
func (h *Handler) began(run *tracker.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs[run.ID()] = &held{run: run}
}

// change does something to a run other than logging points. A run that another
// process writes is refused, as its points are.
func (h *Handler) change(ctx context.Context, id string, do func(tracker.RunInfo) error) error {
	info, err := h.active(ctx, id)
	if err != nil {
		return err
	}
	if info.Status == tracker.Running {
		o := h.hold(id)
		defer h.let(id, o)
		o.mu.RLock()
		ours := o.run != nil
		o.mu.RUnlock()
		if !ours {
			// It may have ended since it was looked up.
			if info, err = h.active(ctx, id); err != nil {
				return err
			}
			if info.Status == tracker.Running {
				return &apiError{http.StatusConflict, "RESOURCE_CONFLICT",
					"another process is writing the run " + id + ": it cannot be changed here before it has ended"}
			}
		}
	}
	return do(info)
}

// write logs points into a run: through the handle by which it is written now,
// or by reopening one that has ended, which then ends again as it was.
func (h *Handler) write(ctx context.Context, id string, do func(*tracker.Run) error) error {
	o := h.hold(id)
	defer h.let(id, o)
	o.mu.RLock()
	if o.run != nil && o.again == nil {
		err := do(o.run)
		o.mu.RUnlock()
		if err != nil {
			o.mu.Lock()
			h.dropStale(ctx, id, o)
			o.mu.Unlock()
		}
		return err
	}
	o.mu.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := h.open(ctx, id, o); err != nil {
		return err
	}
	err := do(o.run)
	if o.again != nil {
		return errors.Join(err, h.finish(ctx, id, o, *o.again))
	}
	if err != nil {
		h.dropStale(ctx, id, o)
	}
	return err
}

// open makes a run ready to take points; o.mu must be held.
func (h *Handler) open(ctx context.Context, id string, o *held) error {
	if o.run != nil {
		return nil
	}
	info, err := h.active(ctx, id)
	if err != nil {
		return err
	}
	if o.run, err = h.db.Resume(ctx, id); err != nil {
		return err
	}
	if info.Status != tracker.Crashed && info.Status != tracker.Running { // those go on here
		o.again = &ending{info.End, info.Status}
	}
	return nil
}

// finish ends a run; where that fails, as when the disk is full, the run stays
// open so that it can be ended later. o.mu must be held.
func (h *Handler) finish(ctx context.Context, id string, o *held, e ending) error {
	if err := o.run.FinishAt(e.at, e.status); err != nil {
		h.dropStale(ctx, id, o)
		return err
	}
	o.run, o.again = nil, nil
	return nil
}

// dropStale lets a handle go whose run was ended or removed by somebody else;
// o.mu must be held.
func (h *Handler) dropStale(ctx context.Context, id string, o *held) {
	info, err := h.find(ctx, id)
	var said *apiError
	if gone := errors.As(err, &said) && said.Code == "RESOURCE_DOES_NOT_EXIST"; gone || err == nil && info.Status != tracker.Running {
		o.run, o.again = nil, nil
	}
}

// endRun ends a run that a client says has ended.
func (h *Handler) endRun(ctx context.Context, id string, e ending) error {
	return h.opened(ctx, id, func(o *held) error { return h.finish(ctx, id, o, e) })
}

// reopenRun makes a run that has ended running again, as when a client resumes it.
func (h *Handler) reopenRun(ctx context.Context, id string) error {
	return h.opened(ctx, id, func(*held) error { return nil })
}

// opened opens a run so that it goes on, then calls do with its lock held.
func (h *Handler) opened(ctx context.Context, id string, do func(*held) error) error {
	if _, err := h.active(ctx, id); err != nil {
		return err
	}
	o := h.hold(id)
	defer h.let(id, o)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := h.open(ctx, id, o); err != nil {
		return err
	}
	o.again = nil
	return do(o)
}
