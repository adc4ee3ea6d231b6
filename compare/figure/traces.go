package figure

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Trace is one metric of a run, points in ascending X. A Y that is NaN or
// infinite breaks the line and leaves a mark at the top. Raw is drawn faintly
// behind a line that was smoothed.
type Trace struct {
	Name       string
	Words      string // what hovering says
	X, Y       []float64
	RawX, RawY []float64
}

// Traces shows metrics of a run that share a unit.
type Traces struct {
	XTitle, YTitle string
	LogY           bool    // values that are not positive have no place then
	From, To       float64 // the part of the x axis that is shown; NaN: as far as the points go
	Lines          []Trace
}

// Alt says in words what the chart shows.
func (p Traces) Alt() string {
	var names []string
	for _, l := range p.Lines {
		names = append(names, l.Name)
	}
	return fmt.Sprintf("%s by %s", strings.Join(names, ", "), p.XTitle)
}

// axes spans what is shown: x exactly, y with some room over what lies within x.
func (p Traces) axes(size Size, f fonts) (x, y axis) {
	from, to := math.Inf(1), math.Inf(-1)
	for _, l := range p.Lines {
		for _, v := range l.X {
			from, to = math.Min(from, v), math.Max(to, v)
		}
	}
	if !math.IsNaN(p.From) {
		from = p.From
	}
	if !math.IsNaN(p.To) {
		to = p.To
	}
	if !(from < to) { // one point, or none
		if math.IsInf(from, 0) || math.IsInf(to, 0) {
			from, to = 0, 1
		}
		from, to = from-.5, from+.5
	}
	var ys []float64
	add := func(xs, values []float64) {
		for k, v := range values {
			if xs[k] >= from && xs[k] <= to {
				ys = append(ys, v)
			}
		}
	}
	for _, l := range p.Lines {
		add(l.X, l.Y)
		add(l.RawX, l.RawY)
	}
	y = newAxis(ys, p.LogY, size.Height-44, 14, int(size.Height/45))
	if !p.LogY && y.high-y.low > 0 && y.high-y.low < 1e-3 || math.Abs(y.high) >= 1e6 || math.Abs(y.low) >= 1e6 || p.LogY && y.low < -5 {
		y.format = func(v float64) string { return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "-", "−", 1) }
	}
	left := 30.0
	for _, v := range y.ticks {
		left = math.Max(left, f.width(y.format(v), small, false)+14)
	}
	x = axis{low: from, high: to, from: left, to: size.Width - 12}
	x.chooseTicks(int(size.Width / 75))
	return x, y
}

func (p Traces) draw(c Canvas, size Size, f fonts) {
	x, y := p.axes(size, f)
	frame(c, x, y, p.XTitle, p.YTitle)
	empty := true
	for i, l := range p.Lines {
		c.Group(i, l.Words, p.values(l, x, y))
		for _, part := range pieces(l.RawX, l.RawY, x, y) {
			c.Line(part, Stroke{Color: Series(i), Width: 1, Alpha: .35})
		}
		parts := pieces(l.X, l.Y, x, y)
		for _, part := range parts {
			empty = false
			if len(part) == 1 {
				c.Area(shape(i, part[0], 2.5), Series(i), 1)
				continue
			}
			c.Line(part, Stroke{Color: Series(i), Width: 1.7, Dash: dash(i)})
		}
		if n := len(parts); n > 0 {
			last := parts[n-1]
			c.Area(shape(i, last[len(last)-1], 3.5), Series(i), 1)
		}
		for k, v := range l.Y {
			if at := x.at(l.X[k]); (math.IsNaN(v) || math.IsInf(v, 0)) && at >= x.from-.5 && at <= x.to+.5 {
				c.Line([]Point{{at, y.to - 7}, {at, y.to - 1}}, Stroke{Color: Series(i), Width: 1.5})
			}
		}
		c.EndGroup()
	}
	if empty {
		c.Text(Point{(x.from + x.to) / 2, (y.from + y.to) / 2}, Middle, normal, Muted, false, "no points in this range")
	}
}

// pieces are the parts of a line that can be drawn: where a value has no place,
// it breaks. The points just outside the x axis are moved to its end, along the line.
func pieces(xs, ys []float64, x, y axis) [][]Point {
	var out [][]Point
	var part []Point
	var before Point // the point before, in places; drawn or not
	known, outside := false, false
	end := func() {
		if len(part) > 0 {
			out = append(out, part)
		}
		part = nil
	}
	for k, v := range ys {
		at := Point{x.at(xs[k]), y.at(v)}
		if !drawable(at) {
			end()
			known = false
			continue
		}
		here := at.X < x.from-1e-6 || at.X > x.to+1e-6
		if known && outside && !here {
			part = append(part, crossing(before, at, x.from))
		}
		if known && !outside && here {
			part = append(part, crossing(before, at, x.to))
		}
		if known && before.X < x.from && at.X > x.to { // over the whole of it
			part = append(part, crossing(before, at, x.from), crossing(before, at, x.to))
		}
		if here {
			end()
		} else {
			part = append(part, at)
		}
		before, known, outside = at, true, here
	}
	end()
	return out
}

// crossing is where the line from a to b crosses a vertical one.
func crossing(a, b Point, x float64) Point {
	if a.X == b.X {
		return Point{x, b.Y}
	}
	return Point{x, a.Y + (b.Y-a.Y)*(x-a.X)/(b.X-a.X)}
}

// values are what hovering shows, one in two units of width; a telephone has no
// pointer to hover with.
func (p Traces) values(l Trace, x, y axis) []Value {
	if x.to-x.from < Narrow().Width {
		return nil
	}
	var out []Value
	last := math.Inf(-1)
	for k, v := range l.Y {
		at := Point{x.at(l.X[k]), y.at(v)}
		if !drawable(at) || at.X < x.from-.5 || at.X > x.to+.5 || at.X-last < 2 && k < len(l.Y)-1 {
			continue
		}
		last = at.X
		out = append(out, Value{at, strconv.FormatFloat(l.X[k], 'g', 6, 64), strconv.FormatFloat(v, 'g', 5, 64)})
	}
	return out
}

// titled is an SVG canvas whose groups browsers explain without a script.
type titled struct{ *svg }

func (c *titled) Group(series int, words string, values []Value) {
	fmt.Fprintf(c, `<g class="c" data-c="%d"`, series)
	if len(values) > 0 {
		c.WriteString(` data-at="` + places(values) + `"`)
	}
	fmt.Fprintf(c, "><title>%s</title>", escape(words))
}

// exact writes a number for a script.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
