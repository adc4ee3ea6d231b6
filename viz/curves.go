package viz

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// Curve is a quantity by epoch, points in ascending order of X.
type Curve struct {
	Name string
	X, Y []float64
}

// Curves shows losses (in nats) above accuracies (fractions, drawn as percents)
// by epoch. Up to six curves a chart are told apart by colour and dash; each is
// named at its end.
func Curves(title string, losses, accuracies []Curve) (*Picture, error) {
	type part struct {
		yTitle string
		curves []Curve
	}
	var parts []part
	for _, p := range []struct {
		yTitle string
		factor float64
		curves []Curve
	}{{"loss (nats)", 1, losses}, {"accuracy (%)", 100, accuracies}} {
		var scaled []Curve
		for _, c := range p.curves {
			if len(c.X) == 0 || len(c.X) != len(c.Y) {
				return nil, fmt.Errorf("curves: %s has %d places and %d values; allowed: as many of both, 1 or more", c.Name, len(c.X), len(c.Y))
			}
			line := Curve{Name: c.Name, X: c.X}
			for _, v := range c.Y {
				line.Y = append(line.Y, v*p.factor)
			}
			scaled = append(scaled, line)
		}
		if len(scaled) > 6 {
			return nil, fmt.Errorf("curves: %d in one chart; allowed: at most 6", len(scaled))
		}
		if len(scaled) > 0 {
			parts = append(parts, part{p.yTitle, scaled})
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("curves: none; allowed: 1 or more")
	}
	alt := title + "."
	for _, p := range parts {
		for _, c := range p.curves {
			n := len(c.Y) - 1
			alt += fmt.Sprintf(" %s, %s: %s at epoch %s, %s at epoch %s.", c.Name, p.yTitle, number(c.Y[0]), number(c.X[0]), number(c.Y[n]), number(c.X[n]))
		}
	}
	const height, gap = 200.0, 0.0
	top := titleHeight("")
	return &Picture{
		width: pageWidth, height: top + float64(len(parts))*(height+gap) + margin - gap, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, "")
			for i, p := range parts {
				x := ""
				if i == len(parts)-1 {
					x = "epoch"
				}
				s.lines(margin, y0+float64(i)*(height+gap), pageWidth-2*margin, height, x, p.yTitle, p.curves)
			}
		},
	}, nil
}

// lines draws a chart of curves with their names at their ends.
func (s *sheet) lines(x, y, width, height float64, xTitle, yTitle string, curves []Curve) {
	p := axes(xTitle, yTitle)
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, rule(), .75
	p.Add(grid)
	low, high, last, room := math.Inf(1), math.Inf(-1), 1., 0.
	for _, c := range curves {
		room = math.Max(room, textWidth(c.Name, labelSize, false))
		for i, v := range c.Y {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = math.Min(low, v), math.Max(high, v)
			}
			last = math.Max(last, c.X[i])
		}
	}
	if low > high {
		low, high = 0, 1
	}
	pad := math.Max((high-low)*.08, 1e-3)
	p.Y.Min, p.Y.Max = math.Max(low-pad, math.Min(low, 0)), high+pad
	p.X.Min, p.X.Max = 1, math.Max(last, 2)
	p.X.Tick.Marker = plot.ConstantTicks(wholeTicks(p.X.Max))
	p.Y.Tick.Marker = plot.ConstantTicks(Scale{Low: p.Y.Min, High: p.Y.Max}.ticks())
	var ends []float64
	for i, c := range curves {
		var points plotter.XYs
		for k := range c.X {
			if !math.IsNaN(c.Y[k]) && !math.IsInf(c.Y[k], 0) {
				points = append(points, plotter.XY{X: c.X[k], Y: c.Y[k]})
			}
		}
		if len(points) == 0 {
			ends = append(ends, low)
			continue
		}
		ends = append(ends, points[len(points)-1].Y)
		if len(points) == 1 {
			p.Add(&plotter.Scatter{XYs: points, GlyphStyle: vgdraw.GlyphStyle{Color: series(i), Radius: 3, Shape: vgdraw.CircleGlyph{}}})
			continue
		}
		p.Add(&plotter.Line{XYs: points, LineStyle: vgdraw.LineStyle{Color: series(i), Width: 2, Dashes: dashes(i)}})
	}
	const left, foot = 46.0, 40.0
	s.chartNamed(x+left, y+6, width-left-room-12, height-6-foot, p, curves, ends)
}

// chartNamed draws a chart so that its data fill a rectangle, and the name of
// each curve beside its end.
func (s *sheet) chartNamed(x, y, width, height float64, p *plot.Plot, curves []Curve, ends []float64) {
	s.chartOver(x, y, width, height, p)
	data := s.part(x, y, width, height)
	_, at := p.Transforms(&data)
	for i, place := range spread(curves, ends, func(v float64) float64 { return float64(at(v)) }) {
		style := lettering(labelSize, series(i), false)
		style.YAlign = -.5
		s.c.FillText(style, vg.Point{X: data.Max.X + 8, Y: vg.Length(place)}, curves[i].Name)
	}
}

// spread gives each curve's name a place near its end, no two closer than a line.
func spread(curves []Curve, ends []float64, at func(float64) float64) []float64 {
	places := make([]float64, len(curves))
	for i, v := range ends {
		places[i] = at(v)
	}
	for range 50 {
		for i := range places {
			for j := range places {
				if d := places[i] - places[j]; i != j && math.Abs(d) < labelSize*1.1 && (d > 0 || d == 0 && i < j) {
					places[i] += .5
					places[j] -= .5
				}
			}
		}
	}
	return places
}

// wholeTicks are whole numbers from 1.
func wholeTicks(high float64) []plot.Tick {
	step := math.Max(1, roundStep(high/6))
	ticks := []plot.Tick{{Value: 1, Label: "1"}}
	for v := step; v <= high+1e-9; v += step {
		if v > 1 {
			ticks = append(ticks, plot.Tick{Value: v, Label: number(v)})
		}
	}
	return ticks
}
