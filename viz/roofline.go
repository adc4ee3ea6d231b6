package viz

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// Roofs are what a machine was measured to do at most: the roofs of a roofline.
type Roofs struct {
	FLOPsPerSecond, BytesPerSecond float64
}

// at is the height of the roof above an intensity.
func (r Roofs) at(intensity float64) float64 {
	return math.Min(r.FLOPsPerSecond, r.BytesPerSecond*intensity)
}

// Achieved is what one piece of work reaches below the roofs: Intensity in
// FLOP for each byte that it moves to or from memory.
type Achieved struct {
	Name                      string
	Intensity, FLOPsPerSecond float64
}

// Roofline shows work under a machine's roofs (Williams, Waterman & Patterson
// 2009, "Roofline"), both axes logarithmic: left of the ridge memory is the
// limit, right of it arithmetic. Groups of work, at most six, have a colour each;
// every dot is named beside it.
func Roofline(title, below string, roofs Roofs, groups [][]Achieved) (*Picture, error) {
	if bad(roofs.FLOPsPerSecond, true) || bad(roofs.BytesPerSecond, true) {
		return nil, fmt.Errorf("roofline: roofs of %g FLOP/s and %g bytes/s; allowed: above 0", roofs.FLOPsPerSecond, roofs.BytesPerSecond)
	}
	if len(groups) == 0 || len(groups) > 6 {
		return nil, fmt.Errorf("roofline: %d groups; allowed: 1 to 6", len(groups))
	}
	ridge := roofs.FLOPsPerSecond / roofs.BytesPerSecond
	alt := fmt.Sprintf("%s: a roofline. The roofs are %s GFLOP/s and %s GB/s; they meet at %s FLOP/byte.",
		title, number(roofs.FLOPsPerSecond/1e9), number(roofs.BytesPerSecond/1e9), number(ridge))
	for _, group := range groups {
		if len(group) == 0 {
			return nil, fmt.Errorf("roofline: a group without work; allowed: 1 or more")
		}
		for _, a := range group {
			if bad(a.Intensity, true) || bad(a.FLOPsPerSecond, true) {
				return nil, fmt.Errorf("roofline: %s reaches %g FLOP/s at %g FLOP/byte; allowed: above 0", a.Name, a.FLOPsPerSecond, a.Intensity)
			}
			alt += fmt.Sprintf(" %s: %s GFLOP/s at %s FLOP/byte, %s of its roof.",
				a.Name, number(a.FLOPsPerSecond/1e9), number(a.Intensity), percent(a.FLOPsPerSecond/roofs.at(a.Intensity)))
		}
	}
	const height = 300.0
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + height + margin, alt: alt,
		paint: func(s *sheet) {
			y := s.title(title, below)
			s.roofline(margin, y, pageWidth-2*margin, height, roofs, groups)
		},
	}, nil
}

// roofline draws the chart of Roofline into a rectangle.
func (s *sheet) roofline(x, y, width, height float64, roofs Roofs, groups [][]Achieved) {
	ridge := roofs.FLOPsPerSecond / roofs.BytesPerSecond
	xs, ys := []float64{ridge / 4, ridge * 4}, []float64{roofs.FLOPsPerSecond / 1e9}
	for _, group := range groups {
		for _, a := range group {
			xs, ys = append(xs, a.Intensity), append(ys, a.FLOPsPerSecond/1e9)
		}
	}
	p := axes("arithmetic intensity (FLOP for each byte to or from memory)", "GFLOP/s")
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, rule(), .75
	p.Add(grid)
	span(&p.X, xs, true)
	span(&p.Y, append(ys, roofs.at(p.X.Min)/1e9), true)
	roof := plotter.XYs{{X: p.X.Min, Y: roofs.at(p.X.Min) / 1e9}, {X: ridge, Y: roofs.FLOPsPerSecond / 1e9}, {X: p.X.Max, Y: roofs.FLOPsPerSecond / 1e9}}
	p.Add(&plotter.Line{XYs: roof, LineStyle: vgdraw.LineStyle{Color: ink(), Width: 2}})
	const left, foot, right = 52.0, 40.0, 12.0
	x, y, width, height = x+left, y+6, width-left-right, height-6-foot
	s.chartOver(x, y, width, height, p)
	s.nameRoofs(x, y, width, height, p, roofs)
	s.dots(x, y, width, height, p, groups)
}

// nameRoofs writes each roof's measure along it.
func (s *sheet) nameRoofs(x, y, width, height float64, p *plot.Plot, roofs Roofs) {
	data := s.part(x, y, width, height)
	toX, toY := p.Transforms(&data)
	flat := lettering(labelSize, ink(), false)
	flat.XAlign, flat.YAlign = -1, 0
	s.c.FillText(flat, vg.Point{X: data.Max.X, Y: toY(roofs.FLOPsPerSecond/1e9) + 4}, number(roofs.FLOPsPerSecond/1e9)+" GFLOP/s, matrix product")
	low, ridge := p.X.Min, roofs.FLOPsPerSecond/roofs.BytesPerSecond
	ax, ay := toX(low), toY(roofs.at(low)/1e9)
	bx, by := toX(ridge), toY(roofs.FLOPsPerSecond/1e9)
	steep := lettering(labelSize, ink(), false)
	steep.Rotation = math.Atan2(float64(by-ay), float64(bx-ax))
	steep.XAlign, steep.YAlign = -.5, 0
	up := vg.Length(4)
	middle := vg.Point{X: (ax+bx)/2 - up*vg.Length(math.Sin(steep.Rotation)), Y: (ay+by)/2 + up*vg.Length(math.Cos(steep.Rotation))}
	s.c.FillText(steep, middle, number(roofs.BytesPerSecond/1e9)+" GB/s, triad")
}

// dots draws the work and writes the name of each beside it: on the side where
// there is room, and no two over each other.
func (s *sheet) dots(x, y, width, height float64, p *plot.Plot, groups [][]Achieved) {
	data := s.part(x, y, width, height)
	toX, toY := p.Transforms(&data)
	var names []Curve
	var ends []float64
	var places []vg.Length
	var colours []int
	for i, group := range groups {
		for _, a := range group {
			names, ends = append(names, Curve{Name: a.Name}), append(ends, a.FLOPsPerSecond/1e9)
			places, colours = append(places, toX(a.Intensity)), append(colours, i)
		}
	}
	for i := range names {
		s.disc(float64(places[i]), s.height-float64(toY(ends[i])), 4, series(colours[i]))
	}
	for i, at := range spread(names, ends, func(v float64) float64 { return float64(toY(v)) }) {
		style := lettering(labelSize, series(colours[i]), false)
		style.YAlign = -.5
		place := places[i] + 8
		if float64(place)+textWidth(names[i].Name, labelSize, false) > float64(data.Max.X) {
			style.XAlign, place = -1, places[i]-8
		}
		s.c.FillText(style, vg.Point{X: place, Y: vg.Length(at)}, names[i].Name)
	}
}
