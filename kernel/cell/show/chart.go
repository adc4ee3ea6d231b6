package show

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// chart is a picture of panels side by side, two in a row. It has colours of its own and a white ground, since front
// ends show SVG as a picture that takes nothing of their dark or light theme.
type chart struct {
	title  string
	panels []panel
}

// panel is one diagram with axes.
type panel struct {
	title  string
	xTitle string
	lines  []line
	log    bool // a logarithmic y axis, where all values are positive

	categories []string    // what stands at x = 0, 1, 2, …
	grid       [][]float64 // cells by rows, in place of lines
}

// line is what is drawn of one series of points.
type line struct {
	name string
	x, y []float64
	mark shape
}

type shape int

const (
	joined  shape = iota // a line through the points
	points               // points alone
	both                 // a line and points
	columns              // a bar from zero to each point
)

// colours tell lines apart, also for those who see red and green alike (Okabe and Ito, "Color Universal Design").
var colours = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8a7a00"}

// Measures in pixels.
const (
	panelWidth, panelHeight         = 360.0, 240.0
	marginLeft, marginRight         = 58.0, 12.0
	marginTop, marginBottom         = 30.0, 36.0
	titleHeight                     = 24.0
	plotWidth, plotHeight           = panelWidth - marginLeft - marginRight, panelHeight - marginTop - marginBottom
	buckets                 float64 = plotWidth // a line has at most two points for each
)

func (c chart) svg() string {
	across := min(len(c.panels), 2)
	down := (len(c.panels) + 1) / 2
	top := 0.
	if c.title != "" {
		top = titleHeight
	}
	width, height := float64(max(across, 1))*panelWidth, float64(max(down, 1))*panelHeight+top
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="sans-serif" font-size="11">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<title>%s</title>\n", html.EscapeString(c.title))
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	if c.title != "" {
		fmt.Fprintf(&b, `<text x="12" y="17" font-size="13" font-weight="bold" fill="#222222">%s</text>`+"\n", html.EscapeString(c.title))
	}
	for i, p := range c.panels {
		fmt.Fprintf(&b, `<g transform="translate(%.0f,%.0f)">`+"\n", float64(i%2)*panelWidth, top+float64(i/2)*panelHeight)
		p.svg(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>")
	return b.String()
}

// finite tells whether a value has a place in a diagram.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// scale maps values to pixels: from low at 0 to high at length.
type scale struct {
	low, high, length float64
	log               bool
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log10(v), math.Log10(low), math.Log10(high)
	}
	return (v/2 - low/2) / (high/2 - low/2) * s.length // halves, whose differences cannot overflow
}

// scales are those of a panel.
func (p panel) scales() (x, y scale) {
	x, y = scale{length: plotWidth}, scale{length: plotHeight, log: p.log}
	x.low, x.high, y.low, y.high = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range p.lines {
		for i, v := range l.y {
			if !finite(v) || !finite(l.x[i]) {
				continue
			}
			x.low, x.high = min(x.low, l.x[i]), max(x.high, l.x[i])
			y.low, y.high = min(y.low, v), max(y.high, v)
		}
		if l.mark == columns {
			y.low, y.high = min(y.low, 0), max(y.high, 0)
			x.low, x.high = x.low-.6, x.high+.6
		}
	}
	if y.low <= 0 {
		y.log = false
	}
	x.widen()
	y.widen()
	return x, y
}

func (s *scale) widen() {
	if s.low > s.high { // nothing to show
		s.low, s.high, s.log = 0, 1, false
	}
	if s.low == s.high {
		by := math.Abs(s.low) * .1
		if by == 0 {
			by = 1
		}
		if s.log {
			s.low, s.high = s.low/2, s.high*2
			return
		}
		s.low, s.high = s.low-by, s.high+by
	}
}

// ticks are round numbers on a scale, at most n+1 of them: multiples of 1, 2 or 5 times a power of ten.
func (s scale) ticks(n int) []float64 {
	var all []float64
	if s.log {
		for e := math.Floor(math.Log10(s.low)); e <= math.Ceil(math.Log10(s.high)); e++ {
			for _, m := range []float64{1, 2, 5} {
				if v := m * math.Pow(10, e); v >= s.low && v <= s.high {
					all = append(all, v)
				}
			}
		}
		if len(all) > 2*n { // powers of ten alone
			var powers []float64
			for _, v := range all {
				if l := math.Log10(v); math.Abs(l-math.Round(l)) < 1e-9 {
					powers = append(powers, v)
				}
			}
			return powers
		}
		return all
	}
	rough := s.high/float64(n) - s.low/float64(n)
	if !(rough > 0) || !finite(rough) {
		return nil
	}
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, m := range []float64{5, 2, 1} {
		if m*power >= rough*(1-1e-9) {
			step = m * power
		}
	}
	first := math.Ceil(s.low / step)
	for i := range 4 * n {
		v := (first + float64(i)) * step
		if v > s.high+step*1e-9 {
			break
		}
		all = append(all, v)
	}
	return all
}

func label(v float64) string {
	if v == 0 {
		return "0" // not -0
	}
	if a := math.Abs(v); a >= 1e5 || a < 1e-3 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func (p panel) svg(b *strings.Builder) {
	x, y := p.scales()
	fmt.Fprintf(b, `<text x="%.0f" y="14" font-weight="bold" fill="#222222">%s</text>`+"\n", marginLeft, html.EscapeString(p.title))
	p.legend(b)
	fmt.Fprintf(b, `<g transform="translate(%.0f,%.0f)" fill="#444444">`+"\n", marginLeft, marginTop)
	if len(p.grid) > 0 {
		drawGrid(b, p.grid)
		b.WriteString("</g>\n")
		return
	}
	for _, v := range y.ticks(6) {
		at := plotHeight - y.at(v)
		fmt.Fprintf(b, `<path d="M0 %.1fH%.0f" stroke="#e4e4e4"/><text x="-6" y="%.1f" text-anchor="end">%s</text>`+"\n", at, plotWidth, at+4, label(v))
	}
	for v, name := range p.xLabels(x) {
		at := x.at(v)
		fmt.Fprintf(b, `<path d="M%.1f %.0fv4" stroke="#888888"/><text x="%.1f" y="%.0f" text-anchor="middle">%s</text>`+"\n", at, plotHeight, at, plotHeight+16, html.EscapeString(name))
	}
	if p.xTitle != "" {
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle">%s</text>`+"\n", plotWidth/2, plotHeight+31, html.EscapeString(p.xTitle))
	}
	fmt.Fprintf(b, `<path d="M0 0V%.0fH%.0f" fill="none" stroke="#888888"/>`+"\n", plotHeight, plotWidth)
	for i, l := range p.lines {
		l.svg(b, x, y, colours[i%len(colours)])
	}
	b.WriteString("</g>\n")
}

// xLabels are what stands below the x axis, and where: round numbers, or categories as far as they fit.
func (p panel) xLabels(x scale) func(func(float64, string) bool) {
	return func(yield func(float64, string) bool) {
		if p.categories == nil {
			for _, v := range x.ticks(6) {
				if !yield(v, label(v)) {
					return
				}
			}
			return
		}
		every := (len(p.categories) + 7) / 8
		for i := 0; i < len(p.categories); i += every {
			name := []rune(p.categories[i])
			if most := 60 / min(len(p.categories), 8); len(name) > most {
				name = append(name[:most-1], '…')
			}
			if !yield(float64(i), string(name)) {
				return
			}
		}
	}
}

// legend names the lines, from right to left, in their colours; with how many values have no place in the diagram.
func (p panel) legend(b *strings.Builder) {
	if len(p.lines) == 1 && p.lines[0].name == p.title && p.lines[0].missing() == 0 {
		return
	}
	fmt.Fprintf(b, `<text x="%.0f" y="14" text-anchor="end">`, panelWidth-marginRight)
	for i, l := range p.lines {
		name := l.name
		if n := l.missing(); n > 0 {
			name += fmt.Sprintf(" (%d not finite)", n)
		}
		fmt.Fprintf(b, `<tspan fill="%s">&#160;&#160;● %s</tspan>`, colours[i%len(colours)], html.EscapeString(name))
	}
	b.WriteString("</text>\n")
}

func (l line) missing() int {
	n := 0
	for _, v := range l.y {
		if !finite(v) {
			n++
		}
	}
	return n
}

func (l line) svg(b *strings.Builder, x, y scale, colour string) {
	if l.mark == columns {
		wide := math.Min(plotWidth/float64(max(len(l.x), 1))*.7, 40)
		zero := plotHeight - y.at(0)
		for i, v := range l.y {
			if finite(v) && finite(l.x[i]) {
				at := plotHeight - y.at(v)
				fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x.at(l.x[i])-wide/2, min(at, zero), wide, math.Abs(at-zero), colour)
			}
		}
		return
	}
	xs, ys := thin(l.x, l.y, x)
	if l.mark != points {
		var path strings.Builder
		pen := "M"
		for i := range xs {
			if !finite(ys[i]) || !finite(xs[i]) {
				pen = "M" // a gap
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, x.at(xs[i]), plotHeight-y.at(ys[i]))
			pen = "L"
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.6" stroke-linejoin="round"/>`+"\n", path.String(), colour)
	}
	if l.mark != joined || len(xs) <= 25 {
		for i := range xs {
			if finite(ys[i]) && finite(xs[i]) {
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.2" fill="%s"/>`, x.at(xs[i]), plotHeight-y.at(ys[i]), colour)
			}
		}
		b.WriteString("\n")
	}
}

// thin reduces points that lie closer than a pixel to their extremes, so that a picture of a million is as small as
// one of a thousand and has the same outline.
func thin(xs, ys []float64, x scale) ([]float64, []float64) {
	if float64(len(xs)) <= 2*buckets {
		return xs, ys
	}
	var tx, ty []float64
	for i := 0; i < len(xs); {
		pixel := math.Floor(x.at(xs[i]))
		low, high, j := i, i, i
		for ; j < len(xs) && math.Floor(x.at(xs[j])) == pixel && finite(ys[j]) == finite(ys[i]); j++ {
			if ys[j] < ys[low] {
				low = j
			}
			if ys[j] > ys[high] {
				high = j
			}
		}
		j = max(j, i+1)
		for _, k := range []int{min(low, high), max(low, high)} {
			tx, ty = append(tx, xs[k]), append(ty, ys[k])
		}
		i = j
	}
	return tx, ty
}
