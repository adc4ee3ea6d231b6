package viz

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// Axis is one direction of a chart: its title with the unit, and whether its
// scale is logarithmic.
type Axis struct {
	Title string
	Log   bool
}

// Lines shows how quantities depend on another, with a dot at every point that
// was measured. At most six lines are told apart by colour and dash; each is
// named at its end. On logarithmic axes all values are above 0.
func Lines(title, below string, x, y Axis, lines []Curve) (*Picture, error) {
	if len(lines) == 0 || len(lines) > 6 {
		return nil, fmt.Errorf("lines: %d; allowed: 1 to 6", len(lines))
	}
	alt := fmt.Sprintf("%s: %s against %s.", title, y.Title, x.Title)
	for _, l := range lines {
		n := len(l.X)
		if n == 0 || n != len(l.Y) {
			return nil, fmt.Errorf("lines: %s has %d places and %d values; allowed: as many of both, 1 or more", l.Name, n, len(l.Y))
		}
		for i := range l.X {
			if bad(l.X[i], x.Log) || bad(l.Y[i], y.Log) {
				return nil, fmt.Errorf("lines: %s has the point (%g, %g); allowed: finite numbers, above 0 on logarithmic axes", l.Name, l.X[i], l.Y[i])
			}
		}
		alt += fmt.Sprintf(" %s: %s at %s, %s at %s.", l.Name, number(l.Y[0]), number(l.X[0]), number(l.Y[n-1]), number(l.X[n-1]))
	}
	const height = 260.0
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + height + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			s.plotLines(margin, y0, pageWidth-2*margin, height, x, y, lines)
		},
	}, nil
}

func bad(v float64, log bool) bool {
	return math.IsNaN(v) || math.IsInf(v, 0) || log && v <= 0
}

// plotLines draws the chart of Lines into a rectangle.
func (s *sheet) plotLines(x, y, width, height float64, xAxis, yAxis Axis, lines []Curve) {
	p := axes(xAxis.Title, yAxis.Title)
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, rule(), .75
	p.Add(grid)
	var xs, ys, ends []float64
	room := 0.
	for i, l := range lines {
		points := make(plotter.XYs, len(l.X))
		for k := range l.X {
			points[k] = plotter.XY{X: l.X[k], Y: l.Y[k]}
		}
		xs, ys, ends = append(xs, l.X...), append(ys, l.Y...), append(ends, l.Y[len(l.Y)-1])
		room = math.Max(room, textWidth(l.Name, labelSize, false))
		p.Add(&plotter.Line{XYs: points, LineStyle: vgdraw.LineStyle{Color: series(i), Width: 2, Dashes: dashes(i)}},
			&plotter.Scatter{XYs: points, GlyphStyle: vgdraw.GlyphStyle{Color: series(i), Radius: 3, Shape: vgdraw.CircleGlyph{}}})
	}
	span(&p.X, xs, xAxis.Log)
	span(&p.Y, ys, yAxis.Log)
	const left, foot = 52.0, 40.0
	s.chartNamed(x+left, y+6, width-left-room-12, height-6-foot, p, lines, ends)
}

// span gives an axis the range of its values with some room, and its ticks.
func span(a *plot.Axis, values []float64, log bool) {
	low, high := quantile(0, values), quantile(1, values)
	if log {
		room := math.Max(math.Pow(high/low, .06), 1.05)
		a.Min, a.Max, a.Scale = low/room, high*room, plot.LogScale{}
		a.Tick.Marker = plot.ConstantTicks(logTicks(a.Min, a.Max))
		return
	}
	room := math.Max((high-low)*.06, 1e-6)
	a.Min, a.Max = low-room, high+room
	if low >= 0 {
		a.Min = math.Max(0, a.Min)
	}
	a.Tick.Marker = plot.ConstantTicks(Scale{Low: a.Min, High: a.Max}.ticks())
}

// logTicks are 1, 2 and 5 times the powers of ten; over many decades only the
// powers.
func logTicks(low, high float64) []plot.Tick {
	steps := []float64{1, 2, 5}
	if high/low > 1e3 {
		steps = steps[:1]
	}
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, step := range steps {
			if v := step * math.Pow(10, e); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: number(v)})
			}
		}
	}
	return ticks
}
