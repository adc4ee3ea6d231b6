package web

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"patchlab/tracker"
)

// row is a run in the list.
type row struct {
	ID, Name, Model, Experiment string
	Status, Note                string
	Archived                    bool
	Start                       time.Time
	Duration                    string
	Bar                         int    // percent done of a run that goes on, else -1
	Progress, Left              string // "12 of 30", "4 min 10 s"
	Best, Last, Test            string
	Spark                       template.HTML
}

func (h *Handler) rows(ctx context.Context, runs []tracker.RunInfo) []row {
	now := h.options.Now()
	out := make([]row, 0, len(runs))
	for i := range runs {
		r := &runs[i]
		line := row{
			ID: r.ID, Name: r.Name, Model: r.Params["model"], Experiment: r.Experiment, Status: status(r), Archived: r.Archived,
			Start: r.Start, Duration: duration(elapsed(r, now)), Bar: -1, Progress: none, Left: none, Best: none, Last: none, Test: none,
			Spark: h.spark(ctx, r),
		}
		if p, ok := progressOf(r, now); ok {
			line.Progress = fmt.Sprintf("%d of %d", p.Epoch, p.Epochs)
			if r.Status == tracker.Running {
				line.Bar = int(100 * p.Fraction)
			}
			if p.Left > 0 {
				line.Left = duration(p.Left)
			}
		}
		if m, ok := r.Metrics["val_accuracy"]; ok {
			line.Best, line.Last = percent(m.Max), percent(m.Value)
		}
		if m, ok := r.Metrics["test_accuracy"]; ok {
			line.Test = percent(m.Value)
		}
		out = append(out, line)
	}
	return out
}

// sparkMetric is what the little curves show.
const sparkMetric = "val_accuracy"

// sparkKey names a state of a run's metric.
type sparkKey struct {
	run         string
	count, last int64
}

// spark draws a run's validation accuracy as a little curve; nothing where there
// are fewer than two points, or where they cannot be read: its page says so.
func (h *Handler) spark(ctx context.Context, r *tracker.RunInfo) template.HTML {
	m, ok := r.Metrics[sparkMetric]
	if !ok || m.Count < 2 {
		return ""
	}
	key := sparkKey{r.ID, m.Count, m.Time.UnixMicro()}
	h.sparks.mu.Lock()
	drawn, ok := h.sparks.known[key]
	h.sparks.mu.Unlock()
	if ok {
		return drawn
	}
	points, err := h.db.History(ctx, r.ID, sparkMetric)
	if err != nil {
		return ""
	}
	drawn = drawSpark(points)
	h.sparks.mu.Lock()
	defer h.sparks.mu.Unlock()
	if len(h.sparks.known) >= 1<<14 {
		clear(h.sparks.known)
	}
	h.sparks.known[key] = drawn
	return drawn
}

// drawSpark draws points, of many those that bound each column of the picture.
func drawSpark(points []tracker.Point) template.HTML {
	const width, height = 96.0, 22.0
	var xs, ys []float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			continue
		}
		xs, ys = append(xs, float64(p.Step)), append(ys, p.Value)
		low, high = math.Min(low, p.Value), math.Max(high, p.Value)
	}
	if len(xs) < 2 {
		return ""
	}
	keep := thin(xs, ys, xs[0], xs[len(xs)-1], int(width))
	words := fmt.Sprintf("validation accuracy from %s to %s, between %s and %s", percent(ys[0]), percent(ys[len(ys)-1]), percent(low), percent(high))
	if high == low {
		low, high = low-1, high+1
	}
	across := xs[len(xs)-1] - xs[0]
	if across == 0 {
		across = 1
	}
	var path strings.Builder
	var x, y float64
	for i, k := range keep {
		x = 2 + (width-4)*(xs[k]-xs[0])/across
		y = height - 3 - (height-6)*(ys[k]-low)/(high-low)
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %g %g" role="img" aria-label="%s"><title>%s</title>`+
		`<path class="l s0" stroke-width="1.5" d="%s"/><circle class="a s0" cx="%.1f" cy="%.1f" r="2"/></svg>`,
		width, height, words, words, path.String(), x, y))
}
