package web

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"

	"patchlab/compare/figure"
	"patchlab/tracker"
)

// chartView is a chart with what stands around it.
type chartView struct {
	Title        string
	Wide, Narrow template.HTML
	Legend       []legendView
	Notes        []string
}

type legendView struct {
	Mark        template.HTML
	Name, Value string
}

// seriesMost is how many lines a chart can tell apart.
const seriesMost = 24

// chartSize is that of a chart on a page, and on a telephone.
func chartSize() (wide, narrow figure.Size) {
	return figure.Size{Width: 580, Height: 300}, figure.Size{Width: 360, Height: 250}
}

// charts draws a run's metrics. One that cannot be read costs its line, not the
// page.
func (h *Handler) charts(ctx context.Context, r *tracker.RunInfo, c controls) ([]chartView, error) {
	places := newPlaces(ctx, h.db, r, axisNamed(c.X))
	var out []chartView
	for _, g := range groups(r) {
		view, err := h.chart(ctx, r, g, c, places)
		if err != nil {
			return nil, err
		}
		out = append(out, view)
	}
	return out, nil
}

func (h *Handler) chart(ctx context.Context, r *tracker.RunInfo, g group, c controls, places *places) (chartView, error) {
	view := chartView{Title: g.title}
	if len(g.keys) > seriesMost {
		view.Notes = append(view.Notes, fmt.Sprintf("The first %d of %d metrics.", seriesMost, len(g.keys)))
		g.keys = g.keys[:seriesMost]
	}
	c.From, c.To = places.within(c)
	traces := figure.Traces{XTitle: places.axis.Title, LogY: c.Log, From: c.From, To: c.To}
	for _, key := range g.keys {
		points, err := h.db.History(ctx, r.ID, key)
		if ctx.Err() != nil {
			return view, ctx.Err()
		}
		if err != nil {
			view.Notes = append(view.Notes, fmt.Sprintf("%s cannot be read; %s.", key, h.logged(err)))
		}
		m := r.Metrics[key]
		line, lost := newTrace(key, points, c, places)
		view.Legend = append(view.Legend, legendView{template.HTML(figure.Mark(len(traces.Lines))), key, number(m.Value)})
		line.Words = fmt.Sprintf("%s: %s at step %s, between %s and %s", key, number(m.Value), number(float64(m.Step)), number(m.Min), number(m.Max))
		if lost > 0 {
			verb, what := "are", "NaN or infinite (marked at the top)"
			if lost == 1 {
				verb = "is"
			}
			if c.Log {
				what = "not positive or not finite"
			}
			view.Notes = append(view.Notes, fmt.Sprintf("%s of %s %s %s.", plural(lost, "value"), key, verb, what))
		}
		traces.Lines = append(traces.Lines, line)
	}
	wide, narrow := chartSize()
	for _, part := range []struct {
		to    *template.HTML
		size  figure.Size
		class string
	}{{&view.Wide, wide, "chart wide"}, {&view.Narrow, narrow, "chart narrow"}} {
		drawn, err := figure.Inline(traces, part.size, part.class)
		if err != nil {
			return view, err
		}
		*part.to = template.HTML(drawn)
	}
	return view, nil
}

// newTrace turns points into what a chart draws, and counts the values that
// have no place on it.
func newTrace(key string, points []tracker.Point, c controls, places *places) (line figure.Trace, lost int) {
	line.Name = key
	if len(points) == 0 {
		return line, 0
	}
	xs, ys := places.of(key, points), make([]float64, len(points))
	for i, p := range points {
		ys[i] = p.Value
		if bad := math.IsNaN(p.Value) || math.IsInf(p.Value, 0); bad || c.Log && p.Value <= 0 {
			lost++
			if !bad {
				ys[i] = math.NaN()
			}
		}
	}
	from, to := c.From, c.To
	if math.IsNaN(from) {
		from = xs[0]
	}
	if math.IsNaN(to) {
		to = xs[len(xs)-1]
	}
	wide, _ := chartSize()
	pick := func(ys []float64) (px, py []float64) {
		for _, i := range thin(xs, ys, from, to, int(wide.Width)) {
			px, py = append(px, xs[i]), append(py, ys[i])
		}
		return px, py
	}
	if c.Smooth > 0 {
		line.RawX, line.RawY = pick(ys)
		ys = smooth(ys, c.Smooth)
	}
	line.X, line.Y = pick(ys)
	return line, lost
}

// places knows where on the x axis a point belongs.
type places struct {
	axis   axis
	run    *tracker.RunInfo
	epochs []tracker.Point // the ends of the epochs
	steps  float64         // an epoch, 0: unknown
}

func newPlaces(ctx context.Context, db *tracker.DB, r *tracker.RunInfo, a axis) *places {
	p := &places{axis: a, run: r, steps: stepsPerEpoch(r.Params)}
	if a.Key == "epoch" {
		p.epochs, _ = db.History(ctx, r.ID, "train_seconds") // a chart of its own says what is wrong with it
	}
	return p
}

// of gives the places of a metric's points, in ascending order, and brings the
// points into that order.
func (p *places) of(key string, points []tracker.Point) []float64 {
	place := p.place(key)
	if place == nil {
		slices.SortStableFunc(points, func(a, b tracker.Point) int { return a.Time.Compare(b.Time) })
		if place = p.epochAt; p.axis.seconds > 0 {
			place = func(point tracker.Point) float64 { return point.Time.Sub(p.run.Start).Seconds() / p.axis.seconds }
		}
	}
	xs := make([]float64, len(points))
	for i, point := range points {
		if xs[i] = place(point); i > 0 { // a clock that was set back
			xs[i] = math.Max(xs[i], xs[i-1])
		}
	}
	return xs
}

// within is the part of the axis that is shown: what the reader asked for, else
// the same for all charts, but by steps, which are not the same for all metrics.
func (p *places) within(c controls) (from, to float64) {
	from, to = c.From, c.To
	end := math.Inf(-1)
	switch {
	case p.axis.seconds > 0:
		for _, m := range p.run.Metrics {
			end = math.Max(end, m.Time.Sub(p.run.Start).Seconds()/p.axis.seconds)
		}
	case p.axis.Key == "epoch":
		end = float64(p.run.Metrics["train_seconds"].Step)
		if p.steps > 0 {
			end = math.Max(end, float64(p.run.Metrics["step_loss"].Step)/p.steps)
		}
	}
	if end > 0 {
		if math.IsNaN(from) && !(to <= 0) {
			from = 0
		}
		if math.IsNaN(to) && from < end {
			to = end
		}
	}
	return from, to
}

// place finds the place of a point by its step; nil: it goes by its time.
func (p *places) place(key string) func(tracker.Point) float64 {
	perEpoch, m := p.run.Metrics["train_seconds"], p.run.Metrics[key]
	switch {
	case p.axis.Key == "step", p.axis.Key == "epoch" && m.Step == perEpoch.Step && m.Count == perEpoch.Count:
		return func(point tracker.Point) float64 { return float64(point.Step) }
	case p.axis.Key == "epoch" && p.steps > 0 && (key == "step_loss" || key == "step_ms"):
		return func(point tracker.Point) float64 { return float64(point.Step) / p.steps }
	}
	return nil
}

// epochAt is the epoch at a point's time: between the ends of epochs in
// proportion, beyond the last one as fast as in that.
func (p *places) epochAt(point tracker.Point) float64 {
	before := tracker.Point{Time: p.run.Start}
	for i, end := range p.epochs {
		if !point.Time.After(end.Time) || i == len(p.epochs)-1 {
			took := end.Time.Sub(before.Time).Seconds()
			if took <= 0 {
				return float64(end.Step)
			}
			within := point.Time.Sub(before.Time).Seconds() / took
			return math.Max(0, float64(before.Step)+within*float64(end.Step-before.Step))
		}
		before = end
	}
	return 0
}
