package web

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"patchlab/tracker"
)

// found is a page of runs.
type found struct {
	runs  []tracker.RunInfo
	more  bool
	total int // -1 where it was not counted
}

// list reads a page of runs. In the database's order, unfiltered or not, it
// reads no further than the page. Any other order has to look at all runs; then
// the order is kept for the pages that follow, which need only the runs on them.
func (h *Handler) list(ctx context.Context, l listing) (found, error) {
	if l.Sort == "" && l.Show != "archived" {
		return h.listInOrder(ctx, l)
	}
	key := orderKey{l.Filter, l.Sort, l.Show}
	ids, known := h.orders.get(key, h.options.Now())
	if l.Page == 1 || !known {
		runs, err := h.db.Runs(ctx, l.query())
		if err != nil {
			return found{total: -1}, err
		}
		if l.Show == "archived" {
			runs = slices.DeleteFunc(runs, func(r tracker.RunInfo) bool { return !r.Archived })
		}
		places := sortRuns(runs, l.Sort, h.options.Now())
		ids = make([]string, len(places))
		for i, place := range places {
			ids[i] = runs[place].ID
		}
		h.orders.put(key, ids, h.options.Now())
		f := found{total: len(ids)}
		from, to := l.span(len(ids))
		for _, place := range places[from:to] {
			f.runs = append(f.runs, runs[place])
		}
		f.more = to < len(ids)
		return f, nil
	}
	f := found{total: len(ids)}
	from, to := l.span(len(ids))
	for _, id := range ids[from:to] {
		run, err := h.db.Find(ctx, id)
		if errors.Is(err, tracker.ErrNotFound) { // removed meanwhile
			continue
		}
		if err != nil {
			return f, err
		}
		f.runs = append(f.runs, run)
	}
	f.more = to < len(ids)
	return f, nil
}

// listInOrder reads a page with the latest start first.
func (h *Handler) listInOrder(ctx context.Context, l listing) (found, error) {
	query := l.query()
	query.Offset, query.Limit = (l.Page-1)*pageRows, pageRows+1
	runs, err := h.db.Runs(ctx, query)
	f := found{runs: runs, total: -1}
	if f.more = len(runs) > pageRows; !f.more {
		f.total = query.Offset + len(runs)
		return f, err
	}
	f.runs = runs[:pageRows]
	if l.Filter == "" { // else all runs would have to be read
		f.total, err = h.db.Count(ctx, query)
	}
	return f, err
}

func (l listing) query() tracker.Query {
	return tracker.Query{
		Filter: l.Filter, IncludeArchived: l.Show != "", IncludeDeleted: l.Show == "all", DeletedOnly: l.Show == "deleted",
	}
}

// span is the part of so many runs that the page shows.
func (l listing) span(runs int) (from, to int) {
	return min((l.Page-1)*pageRows, runs), min(l.Page*pageRows, runs)
}

// orderKey names an order of runs.
type orderKey struct{ filter, sort, show string }

// orders keeps the orders that readers turn the pages of: so a page costs what
// is on it, and no run is shown twice or left out because others moved. The
// first page is always read anew.
type orders struct {
	mu    sync.Mutex
	known map[orderKey]order
}

type order struct {
	ids  []string
	made time.Time
}

// Of the orders kept, how many, and how long.
const (
	ordersMost = 16
	ordersFor  = time.Minute
)

func (o *orders) get(key orderKey, now time.Time) ([]string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.known[key]
	if !ok || now.Sub(known.made) > ordersFor {
		return nil, false
	}
	return known.ids, true
}

func (o *orders) put(key orderKey, ids []string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= ordersMost {
		clear(o.known)
	}
	o.known[key] = order{ids, now}
}
