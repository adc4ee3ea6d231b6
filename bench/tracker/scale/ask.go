package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// question is something that users ask a tracker; work returns how many runs
// or points it found.
type question struct {
	what  string
	times int
	want  int // of what it finds; -1: any
	work  func() (int, error)
}

// ask opens the tracker as a command does and writes how long answers take.
func ask(ctx context.Context, folder string) (err error) {
	var db *tracker.DB
	var latest tracker.RunInfo
	opened, err := measure(func() (err error) {
		if db, err = tracker.Open(database(folder), tracker.ReadOnly()); err == nil {
			latest, err = db.Find(ctx, "latest")
		}
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	all, err := db.Count(ctx, tracker.Query{})
	if err != nil {
		return err
	}
	of := func(model int) int { return (all + models - 1 - model) / models } // its runs
	list := func(q tracker.Query) func() (int, error) {
		return func() (int, error) {
			runs, err := db.Runs(ctx, q)
			return len(runs), err
		}
	}
	find := func(ref string) func() (int, error) {
		return func() (int, error) {
			_, err := db.Find(ctx, ref)
			return 1, err
		}
	}
	compared := func(format report.Format, filter string) func() (int, error) {
		return func() (int, error) {
			curves, steps := report.Needs(format, "")
			r, err := compare.Build(ctx, db, compare.Options{Filter: filter, Curves: curves, Steps: steps})
			if err != nil {
				return 0, err
			}
			return r.Counted, report.Write(&bytes.Buffer{}, format, r, report.Options{})
		}
	}
	head("reading")
	line("open, and find the latest run", opened)
	for _, q := range []question{
		{"find a run by its ID", 20, 1, find(latest.ID)},
		{"find a run by its name", 20, 1, find(latest.Name)},
		{"count", 20, all, func() (int, error) { return db.Count(ctx, tracker.Query{}) }},
		{"list the latest 100", 20, min(100, all), list(tracker.Query{Limit: 100})},
		{"list 100 from the middle", 20, min(100, all-all/2), list(tracker.Query{Limit: 100, Offset: all / 2})},
		{"list all", 3, all, list(tracker.Query{})},
		{"filter: `params.model = 'model-7'`, all of them", 3, of(7), list(tracker.Query{Filter: "params.model = 'model-7'"})},
		{"filter: `metrics.test_accuracy > 0.7 and params.lr = '0.001'`, all of them", 3, -1, list(tracker.Query{Filter: "metrics.test_accuracy > 0.7 and params.lr = '0.001'"})},
		{"filter: `tags.task = '7'`, one of all", 3, 1, list(tracker.Query{Filter: "tags.task = '7'"})},
		{"the best 100 by `metrics.test_accuracy DESC`", 3, min(100, all), list(tracker.Query{OrderBy: "metrics.test_accuracy DESC", Limit: 100})},
		{"history of one metric", 20, steps, func() (int, error) {
			points, err := db.History(ctx, latest.ID, "val_loss")
			return len(points), err
		}},
		{"compare one model's seeds with another's, table", 3, of(7) + of(8), compared(report.Text, "params.model IN ('model-7', 'model-8')")},
		{fmt.Sprintf("compare all, %d models, table", models), 1, all, compared(report.Text, "")},
		{fmt.Sprintf("compare all, %d models, page", models), 1, all, compared(report.HTML, "")},
	} {
		if err := q.answer(); err != nil {
			return err
		}
	}
	some, err := db.Runs(ctx, tracker.Query{Limit: 1000})
	if err != nil {
		return err
	}
	took, err := measure(func() error {
		for _, r := range some {
			if err := db.Verify(ctx, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	line(fmt.Sprintf("verify %d runs, every point", len(some)), took)
	if peak := peakMemory(); peak != "" {
		fmt.Printf("| peak memory of all this, one process | %s | |\n", peak)
	}
	return writeOn(ctx, folder, all)
}

func (q question) answer() error {
	var costs []cost
	for range q.times {
		n := 0
		took, err := measure(func() (err error) {
			n, err = q.work()
			return err
		})
		costs = append(costs, took)
		if err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
		if q.want >= 0 && n != q.want {
			return fmt.Errorf("%s: found %d, not %d", q.what, n, q.want)
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", q.what, costs)
	line(q.what, middle(costs))
	return nil
}

// writeOn records more runs in the full tracker.
func writeOn(ctx context.Context, folder string, number int) (err error) {
	db, err := tracker.Open(database(folder))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rng := rand.New(rand.NewPCG(1, 1))
	const more = 100
	took, err := measure(func() error {
		for i := range more {
			if err := recordRun(ctx, db, rng, number+i); err != nil {
				return err
			}
		}
		return nil
	})
	line(fmt.Sprintf("record %d more runs in it, one after the other", more), took)
	return err
}

// peakMemory is the most memory that this process had, where Linux says so.
func peakMemory() string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for field := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(field, "VmHWM:"); ok {
			var kilobytes float64
			if _, err := fmt.Sscan(value, &kilobytes); err == nil {
				return fmt.Sprintf("%.1f GB", kilobytes/1e6)
			}
		}
	}
	return ""
}
