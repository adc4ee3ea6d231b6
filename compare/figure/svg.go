package figure

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// svg writes a canvas as SVG. Colours are classes (see Style), so that a page
// can follow the reader's light or dark.
type svg struct{ strings.Builder }

func (c *svg) Line(points []Point, s Stroke) {
	fmt.Fprintf(c, `<path class="l %s" stroke-width="%s"`, s.Color.class(), num(s.Width))
	if s.Dash > 0 {
		fmt.Fprintf(c, ` stroke-dasharray="%s"`, num(s.Dash))
	}
	if s.Alpha > 0 && s.Alpha < 1 {
		fmt.Fprintf(c, ` stroke-opacity="%s"`, num(s.Alpha))
	}
	fmt.Fprintf(c, ` d="%s"/>`, path(points))
}

func (c *svg) Area(points []Point, fill Color, alpha float64) {
	fmt.Fprintf(c, `<path class="a %s"`, fill.class())
	if alpha < 1 {
		fmt.Fprintf(c, ` fill-opacity="%s"`, num(alpha))
	}
	fmt.Fprintf(c, ` d="%sz"/>`, path(points))
}

func (c *svg) Text(at Point, anchor Anchor, size float64, color Color, bold bool, text string) {
	fmt.Fprintf(c, `<text class="a %s" x="%s" y="%s" font-size="%s"`, color.class(), num(at.X), num(at.Y), num(size))
	switch anchor {
	case Middle:
		c.WriteString(` text-anchor="middle"`)
	case End:
		c.WriteString(` text-anchor="end"`)
	}
	if bold {
		c.WriteString(` font-weight="600"`)
	}
	fmt.Fprintf(c, ">%s</text>", escape(text))
}

func (c *svg) Group(series int, words string, values []Value) {
	fmt.Fprintf(c, `<g class="c" data-c="%d" data-tip="%s" tabindex="0" role="button" aria-label="%s"`, series, escape(words), escape(words))
	if len(values) > 0 {
		c.WriteString(` data-at="` + places(values) + `"`)
	}
	c.WriteString(">")
}

// places writes values for a script: the place, then the value, parted by spaces.
func places(values []Value) string {
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%s%s %s %s %s", ";"[:min(i, 1)], num(v.At.X), num(v.At.Y), v.X, v.Y)
	}
	return b.String()
}

func (c *svg) EndGroup() { c.WriteString("</g>") }

func (color Color) class() string {
	switch color {
	case Ink:
		return "ink"
	case Muted:
		return "muted"
	case Grid:
		return "grid"
	case Paper:
		return "paper"
	}
	return "s" + strconv.Itoa(int(color))
}

// num writes a tenth of a unit at most.
func num(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

func path(points []Point) string {
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(num(p.X) + " " + num(p.Y))
	}
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}

// Style is the CSS that gives the charts' classes their colours on a page,
// light or dark as the reader wants it.
func Style() string {
	var light, night strings.Builder
	for _, c := range colors() {
		fmt.Fprintf(&light, "--%s:%s;", c.class(), c.hex(false))
		fmt.Fprintf(&night, "--%s:%s;", c.class(), c.hex(true))
	}
	return ":root{" + light.String() + "}@media (prefers-color-scheme:dark){:root{" + night.String() + "}}" +
		classes(func(c Color) string { return "var(--" + c.class() + ")" })
}

// classes gives lines and areas of each colour its value. A file on its own
// names the colours themselves: not every program that draws SVG for papers
// knows CSS variables.
func classes(value func(Color) string) string {
	var b strings.Builder
	b.WriteString(".l{fill:none;stroke-linejoin:round;stroke-linecap:round}")
	for _, c := range colors() {
		fmt.Fprintf(&b, ".l.%[1]s{stroke:%[2]s}.a.%[1]s{fill:%[2]s}", c.class(), value(c))
	}
	return b.String()
}

// colors lists every colour.
func colors() []Color {
	var out []Color
	for i := range palette() {
		out = append(out, Color(i))
	}
	return append(out, Ink, Muted, Grid, Paper)
}

// hex is the colour on light or dark paper.
func (color Color) hex(dark bool) string {
	i := 0
	if dark {
		i = 1
	}
	if color >= 0 {
		return palette()[color][i]
	}
	return roles()[color][i]
}

// Mark is the sign of the i-th configuration as a small SVG element.
func Mark(i int) string {
	c := &svg{}
	c.WriteString(`<svg viewBox="0 0 12 12" aria-hidden="true">`)
	c.Area(shape(i, Point{6, 6}, 4.4), Series(i), 1)
	c.WriteString("</svg>")
	return c.String()
}
