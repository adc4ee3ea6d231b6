package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"patchlab/tracker"
)

// stream is an answer of server-sent events (HTML, section 9.2).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func newStream(w http.ResponseWriter) stream {
	w.Header().Set("Content-Type", "text/event-stream")
	return stream{w, http.NewResponseController(w)}
}

// patience is how long a reader may take to receive an event.
const patience = time.Minute

func (s stream) send(event, data string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(patience))
	if event == "" {
		fmt.Fprint(s.w, ": alive\n\n") // so that a reader who is gone is noticed
	} else {
		fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data)
	}
	return s.control.Flush()
}

// watch calls look at every interval until it is done, the reader is gone, or
// the server stops. Look returns whether there is more to come; a failure to
// read is not the end, the next look may succeed.
func (h *Handler) watch(r *http.Request, s stream, look func() (more bool, err error)) error {
	tick := time.NewTicker(h.options.Interval)
	defer tick.Stop()
	quiet := time.Now()
	if err := s.send("", ""); err != nil {
		return nil
	}
	for {
		more, err := look()
		if err != nil || !more {
			return nil // the reader is gone, or has heard all
		}
		if time.Since(quiet) > patience/4 {
			quiet = time.Now()
			if s.send("", "") != nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return nil
		case <-h.options.Stop:
			return nil
		}
	}
}

// state is what readers of a run's page see change.
func state(r *tracker.RunInfo) string {
	var points int64
	for _, m := range r.Metrics {
		points += m.Count
	}
	return fmt.Sprint(r.Status, r.End, r.Deleted, r.Archived, r.Name, points, len(r.Params), len(r.Tags), len(r.Inputs))
}

// runEvents says when a run changed, until it has ended. Seen is the state that
// the page shows, so that nothing is missed between page and stream.
func (h *Handler) runEvents(w http.ResponseWriter, r *http.Request) error {
	run, err := h.find(r)
	if err != nil {
		return err
	}
	s := newStream(w)
	before := ""
	return h.watch(r, s, func() (bool, error) {
		run, err := h.db.Find(r.Context(), run.ID)
		if err != nil {
			return r.Context().Err() == nil, nil
		}
		if now := state(&run); now != before {
			before = now
			if err := s.send("change", run.ID); err != nil {
				return false, err
			}
		}
		if run.Status == tracker.Running {
			return true, nil
		}
		return false, s.send("end", run.ID)
	})
}

// newest is how many of the latest runs a look for new ones takes in. The page
// says as many of those that it has.
const newest = 20

// runsEvents says which of the runs that an address names changed, while they
// run, and, where it asks for them, which runs are new.
func (h *Handler) runsEvents(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	wanted, err := tracker.ParseFilter(values.Get("q"))
	if err != nil {
		return err
	}
	l := follower{h: h, r: r, s: newStream(w), wanted: wanted, states: map[string]string{}, known: map[string]bool{}, fresh: values.Get("new") == "1"}
	for _, id := range namedRuns(values["run"], followedMost) {
		l.states[id] = ""
	}
	for _, id := range namedRuns(values["known"], followedMost) {
		l.known[id] = true
	}
	return h.watch(r, l.s, l.look)
}

// follower is one reader of the list's events.
type follower struct {
	h      *Handler
	r      *http.Request
	s      stream
	wanted func(*tracker.RunInfo) bool
	states map[string]string // of the runs that are followed
	known  map[string]bool   // the latest runs that the reader has
	fresh  bool
}

func (l *follower) look() (bool, error) {
	ctx := l.r.Context()
	var changed []string
	for id, before := range l.states {
		run, err := l.h.db.Find(ctx, id)
		if err != nil {
			continue
		}
		if now := state(&run); now != before {
			l.states[id] = now
			changed = append(changed, id)
		}
		if run.Status != tracker.Running {
			delete(l.states, id)
		}
	}
	if len(changed) > 0 {
		if err := l.s.send("change", addresses(changed)); err != nil {
			return false, err
		}
	}
	if !l.fresh && len(l.states) == 0 {
		return false, l.s.send("end", "")
	}
	if !l.fresh {
		return true, nil
	}
	runs, err := l.h.db.Runs(ctx, tracker.Query{Limit: newest})
	if err != nil {
		return ctx.Err() == nil, nil
	}
	var fresh []string
	for i := range runs {
		run := &runs[i]
		if l.known[run.ID] {
			continue
		}
		if !l.wanted(run) {
			continue // it may become so while it runs
		}
		l.known[run.ID] = true
		fresh = append(fresh, run.ID)
		if run.Status == tracker.Running {
			l.states[run.ID] = state(run)
		}
	}
	if len(fresh) > 0 {
		return true, l.s.send("new", addresses(fresh))
	}
	return true, nil
}

// addresses writes IDs as the address of the fragment takes them.
func addresses(ids []string) string {
	return strings.TrimPrefix(url.Values{"run": ids}.Encode(), "?")
}
