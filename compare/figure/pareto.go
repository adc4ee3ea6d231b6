package figure

import (
	"fmt"
	"math"
	"slices"
)

// Config is a configuration in a scatter chart. X and Y have intervals where
// they are not NaN.
type Config struct {
	Name        string
	X, Y        float64
	XLow, XHigh float64
	YLow, YHigh float64
	On          bool    // the front
	Probability float64 // of being on it; NaN: unknown
	Words       string  // what hovering says
}

// Pareto is speed (logarithmic) against accuracy, with the front.
type Pareto struct {
	XTitle, YTitle string
	Configs        []Config // in the order of their colours
}

// Alt says in words what the chart shows.
func (p Pareto) Alt() string {
	on := 0
	for _, c := range p.Configs {
		if c.On {
			on++
		}
	}
	return fmt.Sprintf("%s against %s; on the Pareto front: %d of %d", p.YTitle, p.XTitle, on, len(p.Configs))
}

// labelMost is the number of configurations up to which each has its name
// beside it; of more only those on the front do.
const labelMost = 24

func (p Pareto) draw(c Canvas, size Size, f fonts) {
	var xs, ys []float64
	for _, g := range p.Configs {
		xs, ys = append(xs, g.X, g.XLow, g.XHigh), append(ys, g.Y, g.YLow, g.YHigh)
	}
	x := newAxis(xs, true, 46, size.Width-16, int(size.Width/75))
	y := newAxis(ys, false, size.Height-48, 36, int(size.Height/55))
	frame(c, x, y, p.XTitle+" (log scale)", p.YTitle)
	taken := p.front(c, x, y)
	for _, g := range p.Configs {
		if at := (Point{x.at(g.X), y.at(g.Y)}); drawable(at) {
			taken = append(taken, box{at.X - 6, at.Y - 6, at.X + 6, at.Y + 6})
			if !math.IsNaN(g.YLow) {
				taken = append(taken, box{at.X - 1, y.at(g.YHigh), at.X + 1, y.at(g.YLow)})
			}
			if !math.IsNaN(g.XLow) && g.XLow > 0 {
				taken = append(taken, box{x.at(g.XLow), at.Y - 2, x.at(g.XHigh), at.Y + 2})
			}
		}
	}
	for _, i := range p.frontLast() {
		g := p.Configs[i]
		at := Point{x.at(g.X), y.at(g.Y)}
		if !drawable(at) {
			continue
		}
		c.Group(i, g.Words, nil)
		bar := Stroke{Color: Series(i), Width: 1.5, Alpha: .65}
		if !math.IsNaN(g.YLow) {
			c.Line([]Point{{at.X, y.at(g.YLow)}, {at.X, y.at(g.YHigh)}}, bar)
		}
		if !math.IsNaN(g.XLow) && g.XLow > 0 {
			c.Line([]Point{{x.at(g.XLow), at.Y}, {x.at(g.XHigh), at.Y}}, bar)
		}
		mark := shape(i, at, 5.5)
		if g.On {
			c.Area(mark, Series(i), 1)
		} else {
			c.Area(mark, Paper, 1)
			c.Line(append(mark, mark[0]), Stroke{Color: Series(i), Width: 1.6})
		}
		if len(p.Configs) <= labelMost || g.On {
			place, anchor, area := label(at, f.width(g.Name, normal, g.On), x, y, taken)
			taken = append(taken, area)
			c.Text(place, anchor, normal, Series(i), g.On, g.Name)
		}
		c.EndGroup()
	}
}

// frontLast orders the configurations so that those on the front are drawn
// over the others.
func (p Pareto) frontLast() []int {
	order := make([]int, len(p.Configs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p.Configs[i].On == p.Configs[j].On:
			return 0
		case p.Configs[j].On:
			return -1
		}
		return 1
	})
	return order
}

func drawable(p Point) bool {
	return !math.IsNaN(p.X) && !math.IsNaN(p.Y) && !math.IsInf(p.X, 0) && !math.IsInf(p.Y, 0)
}

// front draws the steps below and left of which nobody is the best.
// It returns the places that the line takes.
func (p Pareto) front(c Canvas, x, y axis) []box {
	var on []Config
	for _, g := range p.Configs {
		if g.On && drawable(Point{x.at(g.X), y.at(g.Y)}) {
			on = append(on, g)
		}
	}
	if len(on) == 0 {
		return nil
	}
	slices.SortFunc(on, func(a, b Config) int { return int(math.Copysign(1, a.X-b.X)) })
	line := []Point{{x.from, y.at(on[0].Y)}}
	for i, g := range on {
		line = append(line, Point{x.at(g.X), y.at(g.Y)})
		if i+1 < len(on) {
			line = append(line, Point{x.at(g.X), y.at(on[i+1].Y)})
		}
	}
	last := line[len(line)-1]
	line = append(line, Point{last.X, y.from})
	area := append(slices.Clone(line), Point{x.from, y.from})
	c.Area(area, Muted, .07)
	c.Line(line, Stroke{Color: Muted, Width: 1.2, Dash: 4})
	var taken []box
	for i := 1; i < len(line); i++ {
		a, b := line[i-1], line[i]
		taken = append(taken, box{math.Min(a.X, b.X) - 1, math.Min(a.Y, b.Y) - 1, math.Max(a.X, b.X) + 1, math.Max(a.Y, b.Y) + 1})
	}
	return taken
}

// box is a rectangle that is taken.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) overlap(o box) float64 {
	w := math.Min(b.x1, o.x1) - math.Max(b.x0, o.x0)
	h := math.Min(b.y1, o.y1) - math.Max(b.y0, o.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}

// label finds a place for a name beside its mark: the one of several where it
// covers the least and does not leave the chart.
func label(at Point, width float64, x, y axis, taken []box) (Point, Anchor, box) {
	type place struct {
		at     Point
		anchor Anchor
	}
	var best place
	var bestBox box
	least := math.Inf(1)
	for cost, p := range []place{
		{Point{at.X + 10, at.Y + 4}, Start}, {Point{at.X - 10, at.Y + 4}, End},
		{Point{at.X + 8, at.Y - 8}, Start}, {Point{at.X + 8, at.Y + 17}, Start},
		{Point{at.X - 8, at.Y - 8}, End}, {Point{at.X - 8, at.Y + 17}, End},
		{Point{at.X, at.Y - 12}, Middle}, {Point{at.X, at.Y + 21}, Middle},
		{Point{at.X + 8, at.Y - 22}, Start}, {Point{at.X - 8, at.Y - 22}, End},
		{Point{at.X + 8, at.Y + 31}, Start}, {Point{at.X - 8, at.Y + 31}, End},
	} {
		x0 := p.at.X - map[Anchor]float64{Start: 0, Middle: width / 2, End: width}[p.anchor]
		b := box{x0, p.at.Y - 11, x0 + width, p.at.Y + 3}
		badness := float64(cost)
		for _, t := range taken {
			badness += 3 * b.overlap(t)
		}
		inside := b.overlap(box{x.from, y.to - 10, x.to + 12, y.from})
		badness += 5 * ((b.x1-b.x0)*(b.y1-b.y0) - inside)
		if badness < least {
			best, bestBox, least = p, b, badness
		}
	}
	return best.at, best.anchor, bestBox
}
