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
		c.WriteString(` data-at="`)
		for i, v := range values {
			fmt.Fprintf(c, "%s%s %s %s %s", ";"[:min(i, 1)], num(v.At.X), num(v.At.Y), v.X, v.Y)
		}
		c.WriteString(`"`)
	}
	c.WriteString(">")
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

// Style is the CSS that gives the charts' classes their colours. Dark adds the
// rules for a page that the reader wants dark.
func Style(dark bool) string {
	var light, night strings.Builder
	rule := func(class string, colors [2]string) {
		fmt.Fprintf(&light, "--%s:%s;", class, colors[0])
		fmt.Fprintf(&night, "--%s:%s;", class, colors[1])
	}
	var classes strings.Builder
	for i, colors := range palette() {
		rule(Color(i).class(), colors)
		fmt.Fprintf(&classes, ".l.s%[1]d{stroke:var(--s%[1]d)}.a.s%[1]d{fill:var(--s%[1]d)}", i)
	}
	for _, role := range []Color{Ink, Muted, Grid, Paper} {
		name := role.class()
		rule(name, roles()[role])
		fmt.Fprintf(&classes, ".l.%[1]s{stroke:var(--%[1]s)}.a.%[1]s{fill:var(--%[1]s)}", name)
	}
	css := ":root{" + light.String() + "}"
	if dark {
		css += "@media (prefers-color-scheme:dark){:root{" + night.String() + "}}"
	}
	return css + ".l{fill:none;stroke-linejoin:round;stroke-linecap:round}" + classes.String()
}

// Mark is the sign of the i-th configuration as a small SVG element.
func Mark(i int) string {
	c := &svg{}
	c.WriteString(`<svg viewBox="0 0 12 12" aria-hidden="true">`)
	c.Area(shape(i, Point{6, 6}, 4.4), Series(i), 1)
	c.WriteString("</svg>")
	return c.String()
}
