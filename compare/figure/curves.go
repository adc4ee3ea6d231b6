package figure

import (
	"fmt"
	"math"
	"strconv"
)

// Curve is one configuration's line with a band, points in ascending X. Low
// and High are NaN where there is no band.
type Curve struct {
	Name  string
	Words string
	X     []float64
	Y     []float64
	Low   []float64
	High  []float64
}

// Curves shows learning curves.
type Curves struct {
	XTitle, YTitle string
	Log            bool // the x axis
	Lines          []Curve
}

// Alt says in words what the chart shows.
func (p Curves) Alt() string {
	return fmt.Sprintf("%s by %s for %d configurations, with bands over seeds", p.YTitle, p.XTitle, len(p.Lines))
}

func (p Curves) draw(c Canvas, size Size, f fonts) {
	var xs, ys []float64
	legend := 0.0
	for _, l := range p.Lines {
		xs, ys = append(xs, l.X...), append(ys, l.Y...)
		legend = math.Max(legend, f.width(l.Name, small, false))
	}
	right := size.Width - 16
	if beside := size.Width > 500; beside && len(p.Lines) <= labelMost {
		right -= math.Min(legend+22, 160)
	}
	x := newAxis(xs, p.Log, 46, right, int(size.Width/75))
	y := newAxis(ys, false, size.Height-48, 36, int(size.Height/55))
	frame(c, x, y, p.XTitle, p.YTitle)
	var taken []box
	for i, l := range p.Lines {
		if len(l.X) == 0 {
			continue
		}
		var line []Point
		var values []Value
		for k := range l.X {
			if at := (Point{x.at(l.X[k]), y.at(l.Y[k])}); drawable(at) {
				line = append(line, at)
				if size.Width <= Narrow().Width {
					continue // a telephone has no pointer to hover with
				}
				values = append(values, Value{at, strconv.FormatFloat(l.X[k], 'g', 4, 64), strconv.FormatFloat(l.Y[k], 'f', 2, 64)})
			}
		}
		c.Group(i, l.Words, values)
		p.band(c, i, l, x, y)
		if len(line) > 1 {
			c.Line(line, Stroke{Color: Series(i), Width: 2, Dash: dash(i)})
		}
		if len(line) > 0 {
			last := line[len(line)-1]
			c.Area(shape(i, last, 4), Series(i), 1)
			if right < size.Width-16 {
				place, area := beside(Point{right + 20, last.Y + 4}, f.width(l.Name, small, false), taken)
				taken = append(taken, area)
				c.Area(shape(i, Point{place.X - 8, place.Y - 4}, 3.5), Series(i), 1)
				c.Text(place, Start, small, Series(i), false, l.Name)
			}
		}
		c.EndGroup()
	}
}

// beside moves a name at the end of its line up or down until it covers no
// other.
func beside(at Point, width float64, taken []box) (Point, box) {
	for step := 0; ; step++ {
		shift := float64((step+1)/2) * 3
		if step%2 == 0 {
			shift = -shift
		}
		b := box{at.X, at.Y + shift - 10, at.X + width, at.Y + shift + 2}
		free := true
		for _, t := range taken {
			free = free && b.overlap(t) == 0
		}
		if free || step > 200 {
			return Point{at.X, at.Y + shift}, b
		}
	}
}

// band is clipped to the chart: with few seeds it can be wider than the axis.
func (p Curves) band(c Canvas, i int, l Curve, x, y axis) {
	clip := func(v float64) float64 { return math.Min(y.from, math.Max(y.to, y.at(v))) }
	var top, bottom []Point
	for k := range l.X {
		if k >= len(l.Low) || math.IsNaN(l.Low[k]) || !drawable(Point{x.at(l.X[k]), 0}) {
			continue
		}
		top = append(top, Point{x.at(l.X[k]), clip(l.High[k])})
		bottom = append(bottom, Point{x.at(l.X[k]), clip(l.Low[k])})
	}
	if len(top) < 2 {
		return
	}
	for k := len(bottom) - 1; k >= 0; k-- {
		top = append(top, bottom[k])
	}
	c.Area(top, Series(i), .13)
}
