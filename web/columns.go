package web

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"patchlab/tracker"
)

// column is a column of the runs page that sorts.
type column struct {
	Key, Title, Long string
	falling          bool // the largest first, unless turned round
	text             func(*tracker.RunInfo) string
	number           func(*tracker.RunInfo, time.Time) float64 // NaN: none, which comes last
}

func columns() []column {
	metric := func(key string, of func(tracker.Metric) float64) func(*tracker.RunInfo, time.Time) float64 {
		return func(r *tracker.RunInfo, _ time.Time) float64 {
			if m, ok := r.Metrics[key]; ok {
				return of(m)
			}
			return math.NaN()
		}
	}
	latest := func(m tracker.Metric) float64 { return m.Value }
	return []column{
		{Key: "status", Title: "Status", Long: "running first, then finished, failed, killed and crashed", number: func(r *tracker.RunInfo, _ time.Time) float64 { return float64(r.Status) }},
		{Key: "name", Title: "Run", Long: "by name", text: func(r *tracker.RunInfo) string { return r.Name }},
		{Key: "model", Title: "Model", Long: "the parameter model", text: func(r *tracker.RunInfo) string { return r.Params["model"] }},
		{Key: "start", Title: "Started", Long: "when it started", falling: true, number: func(r *tracker.RunInfo, _ time.Time) float64 { return float64(r.Start.UnixMicro()) }},
		{Key: "duration", Title: "Duration", Long: "how long it took, or has taken", falling: true, number: func(r *tracker.RunInfo, now time.Time) float64 { return elapsed(r, now).Seconds() }},
		{Key: "progress", Title: "Progress", Long: "epochs done", falling: true, number: func(r *tracker.RunInfo, now time.Time) float64 {
			if p, ok := progressOf(r, now); ok {
				return p.Fraction
			}
			return math.NaN()
		}},
		{Key: "left", Title: "Left", Long: "about how long it still takes", number: func(r *tracker.RunInfo, now time.Time) float64 {
			if p, _ := progressOf(r, now); p.Left > 0 {
				return p.Left.Seconds()
			}
			return math.NaN()
		}},
		{Key: "best", Title: "Best val", Long: "the best validation accuracy of any epoch", falling: true, number: metric("val_accuracy", func(m tracker.Metric) float64 { return m.Max })},
		{Key: "last", Title: "Last val", Long: "the validation accuracy of the last epoch", falling: true, number: metric("val_accuracy", latest)},
		{Key: "test", Title: "Test", Long: "the test accuracy", falling: true, number: metric("test_accuracy", latest)},
	}
}

func columnNamed(key string) (column, bool) {
	all := columns()
	i := slices.IndexFunc(all, func(c column) bool { return c.Key == key })
	if i < 0 {
		return column{}, false
	}
	return all[i], true
}

// sortRuns returns the places of runs in the order of a column; runs without a
// value come last, equal ones with the latest start first, as they are read.
func sortRuns(runs []tracker.RunInfo, order string, now time.Time) []int {
	type keyed struct {
		place  int
		number float64
		text   string
		none   bool
	}
	key, turned := strings.CutPrefix(order, "-")
	c, _ := columnNamed(cmp.Or(key, "start"))
	all := make([]keyed, len(runs))
	for i := range runs {
		k := keyed{place: i}
		if c.text != nil {
			k.text = c.text(&runs[i])
			k.none = k.text == ""
		} else {
			k.number = c.number(&runs[i], now)
			k.none = math.IsNaN(k.number)
		}
		all[i] = k
	}
	slices.SortFunc(all, func(a, b keyed) int {
		d := btoi(a.none) - btoi(b.none)
		if d == 0 && !a.none {
			d = cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
			if c.falling != turned {
				d = -d
			}
		}
		return cmp.Or(d, a.place-b.place)
	})
	places := make([]int, len(all))
	for i, k := range all {
		places[i] = k.place
	}
	return places
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// columnView is a heading: a link that sorts.
type columnView struct {
	column
	Address string
	Sorted  string // for aria-sort, "" if it is not by this column
}

func columnViews(l listing) []columnView {
	var out []columnView
	for _, c := range columns() {
		v := columnView{column: c}
		next := listing{Filter: l.Filter, Show: l.Show, Sort: c.Key}
		now := cmp.Or(l.Sort, "start")
		if strings.TrimPrefix(now, "-") == c.Key {
			turned := strings.HasPrefix(now, "-")
			v.Sorted = "ascending"
			if c.falling != turned {
				v.Sorted = "descending"
			}
			if !turned {
				next.Sort = "-" + c.Key
			}
		}
		if next.Sort == "start" {
			next.Sort = ""
		}
		v.Address = next.address()
		out = append(out, v)
	}
	return out
}
