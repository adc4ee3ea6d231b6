package figure

import (
	"fmt"
	"math"
)

// Spread is the distribution of one configuration's step times.
type Spread struct {
	Name      string
	Words     string
	Series    int        // its colour, as in the other charts
	Quantiles [7]float64 // .01 .05 .25 .5 .75 .95 .99
	From      []float64  // bins of the histogram
	To        []float64
	Count     []int
}

// Spreads shows distributions one below the other: the shape, the middle half
// as a thick line, 5 % to 95 % as a thin one, the median as a mark.
type Spreads struct {
	XTitle string
	Rows   []Spread
}

// Alt says in words what the chart shows.
func (p Spreads) Alt() string {
	return fmt.Sprintf("distributions of the %s of %d configurations", p.XTitle, len(p.Rows))
}

// Fit gives the chart the height that its rows need.
func (p Spreads) Fit(size Size) Size {
	return Size{size.Width, 98 + 46*float64(len(p.Rows))}
}

func (p Spreads) draw(c Canvas, size Size, f fonts) {
	var xs []float64
	names := 0.0
	for _, r := range p.Rows {
		xs = append(xs, r.Quantiles[0], r.Quantiles[6])
		names = math.Max(names, f.width(r.Name, normal, false))
	}
	left := math.Min(names+24, size.Width*.4)
	x := newAxis(xs, true, left, size.Width-16, int((size.Width-left)/60))
	bottom := size.Height - 76
	for _, v := range x.ticks {
		c.Line([]Point{{x.at(v), 12}, {x.at(v), bottom}}, Stroke{Color: Grid, Width: 1})
		c.Text(Point{x.at(v), bottom + 18}, Middle, small, Muted, false, x.format(v))
	}
	c.Text(Point{(x.from + x.to) / 2, bottom + 38}, Middle, normal, Ink, false, p.XTitle+" (log scale)")
	key(c, size, f, size.Height-12)
	for i, r := range p.Rows {
		p.row(c, r, x, 12+(float64(i)+.7)*(bottom-12)/float64(len(p.Rows)), left)
	}
}

// key says what the marks of a row are, in the middle of a line of its own.
func key(c Canvas, size Size, f fonts, y float64) {
	const sample, gap, between = 22, 6, 16
	parts := []struct {
		text string
		draw func(x float64)
	}{
		{"median", func(x float64) { c.Area(circle(Point{x + sample/2, y - 4}, 2.6), Muted, 1) }},
		{"25–75 %", func(x float64) { c.Line([]Point{{x, y - 4}, {x + sample, y - 4}}, Stroke{Color: Muted, Width: 5}) }},
		{"5–95 %", func(x float64) { c.Line([]Point{{x, y - 4}, {x + sample, y - 4}}, Stroke{Color: Muted, Width: 1.4}) }},
		{"steps", func(x float64) {
			c.Area([]Point{{x, y}, {x + sample*.3, y - 10}, {x + sample*.6, y - 5}, {x + sample, y}}, Muted, .3)
		}},
	}
	width := -float64(between)
	for _, part := range parts {
		width += sample + gap + f.width(part.text, small, false) + between
	}
	x := math.Max((size.Width-width)/2, 4)
	for _, part := range parts {
		part.draw(x)
		c.Text(Point{x + sample + gap, y}, Start, small, Muted, false, part.text)
		x += sample + gap + f.width(part.text, small, false) + between
	}
}

func (p Spreads) row(c Canvas, r Spread, x axis, y, left float64) {
	c.Group(r.Series, r.Words, nil)
	c.Text(Point{left - 12, y + 4}, End, normal, Series(r.Series), false, r.Name)
	most := 0
	for _, n := range r.Count {
		most = max(most, n)
	}
	hill := []Point{}
	for k, n := range r.Count {
		height := 24 * float64(n) / float64(max(most, 1))
		hill = append(hill, Point{x.at(math.Max(r.From[k], 1e-9)), y - height}, Point{x.at(r.To[k]), y - height})
	}
	if len(hill) > 0 {
		hill = append(hill, Point{hill[len(hill)-1].X, y}, Point{hill[0].X, y})
		c.Area(hill, Series(r.Series), .3)
	}
	q := func(i int) Point { return Point{x.at(r.Quantiles[i]), y + 5} }
	c.Line([]Point{q(1), q(5)}, Stroke{Color: Series(r.Series), Width: 1.4})
	c.Line([]Point{q(2), q(4)}, Stroke{Color: Series(r.Series), Width: 5})
	c.Area(circle(q(3), 3.2), Paper, 1)
	c.Area(circle(q(3), 2.2), Series(r.Series), 1)
	c.EndGroup()
}
