package figure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
)

// Size is a chart's in units; a unit is a pixel on a page.
type Size struct{ Width, Height float64 }

// Wide, Narrow and Print are the sizes for a page, for a telephone, and for a
// column of a paper.
func Wide() Size   { return Size{580, 400} }
func Narrow() Size { return Size{360, 340} }

// Print is the size for a figure in a paper.
func Print() Size { return Size{620, 400} }

// Chart is something that can be drawn at any size. Alt says in words what it
// shows.
type Chart interface {
	draw(c Canvas, size Size, f fonts)
	Alt() string
}

const (
	small  = 11.5 // font sizes
	normal = 12.5
)

// Inline gives a chart as an SVG element for a page that has Style.
func Inline(chart Chart, size Size, class string) (string, error) {
	f, err := newFonts()
	if err != nil {
		return "", err
	}
	c := &svg{}
	fmt.Fprintf(c, `<svg class="%s" viewBox="0 0 %s %s" role="group" aria-label="%s" font-family="system-ui,sans-serif"`,
		escape(class), num(size.Width), num(size.Height), escape(chart.Alt()))
	var canvas Canvas = c
	switch lines := chart.(type) {
	case Curves:
		fmt.Fprintf(c, ` data-x="%s" data-y="%s"`, escape(lines.XTitle), escape(lines.YTitle))
	case Traces: // whose values a page shows, by the keyboard too
		x, y := lines.axes(size, f)
		fmt.Fprintf(c, ` tabindex="0" data-x="%s" data-from="%s" data-to="%s" data-low="%s" data-high="%s" data-top="%s" data-bottom="%s"`, escape(lines.XTitle),
			num(x.from), num(x.to), exact(x.low), exact(x.high), num(y.to), num(y.from))
		canvas = &titled{c}
	}
	c.WriteString(">")
	chart.draw(canvas, size, f)
	c.WriteString("</svg>")
	return c.String(), nil
}

// WriteSVG writes a chart as an SVG file on white. Notes, what has to be known
// to read it rightly, go along as its description.
func WriteSVG(w io.Writer, chart Chart, size Size, notes string) error {
	f, err := newFonts()
	if err != nil {
		return err
	}
	c := &svg{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img" font-family="Helvetica,Arial,sans-serif">`,
		num(size.Width), num(size.Height))
	fmt.Fprintf(c, "<title>%s</title><desc>%s</desc><style>%s</style>", escape(chart.Alt()), escape(notes), classes(func(c Color) string { return c.hex(false) }))
	c.Area([]Point{{0, 0}, {size.Width, 0}, {size.Width, size.Height}, {0, size.Height}}, Paper, 1)
	chart.draw(&still{c}, size, f)
	c.WriteString("</svg>\n")
	_, err = io.WriteString(w, c.String())
	return err
}

// still is an SVG canvas without a page around: groups only carry a title.
type still struct{ *svg }

func (c *still) Group(_ int, words string, _ []Value) {
	fmt.Fprintf(c, "<g><title>%s</title>", escape(words))
}

// WritePNG writes a chart as a PNG file, scale pixels a unit, on white. What it
// shows and the notes go along as its description.
func WritePNG(w io.Writer, chart Chart, size Size, scale float64, notes string) error {
	f, err := newFonts()
	if err != nil {
		return err
	}
	if !(scale > 0 && scale <= 10) {
		return fmt.Errorf("a picture's scale lies between 0 and 10, got %v", scale)
	}
	r := newRaster(size.Width, size.Height, scale, f)
	chart.draw(r, size, f)
	var out bytes.Buffer
	if err := png.Encode(&out, r.image); err != nil {
		return err
	}
	_, err = w.Write(describePNG(out.Bytes(), chart.Alt()+"\n"+notes))
	return err
}

// describePNG puts a text in UTF-8 under the keyword Description before the
// end of a PNG (PNG specification, third edition, 11.3.3.4: iTXt).
func describePNG(picture []byte, text string) []byte {
	const end = 12 // length, name and checksum of the closing chunk
	chunk := append([]byte("iTXtDescription\x00\x00\x00\x00\x00"), text...)
	out := append([]byte{}, picture[:len(picture)-end]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(chunk)-4))
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, picture[len(picture)-end:]...)
}

// frame draws axes with their grid and titles, the y axis's title above it.
func frame(c Canvas, x, y axis, xTitle, yTitle string) {
	for _, v := range y.ticks {
		c.Line([]Point{{x.from, y.at(v)}, {x.to, y.at(v)}}, Stroke{Color: Grid, Width: 1})
		c.Text(Point{x.from - 8, y.at(v) + 4}, End, small, Muted, false, y.format(v))
	}
	for _, v := range x.ticks {
		c.Line([]Point{{x.at(v), y.from}, {x.at(v), y.from + 4}}, Stroke{Color: Muted, Width: 1})
		c.Text(Point{x.at(v), y.from + 18}, Middle, small, Muted, false, x.format(v))
	}
	c.Line([]Point{{x.from, y.from}, {x.to, y.from}}, Stroke{Color: Muted, Width: 1})
	c.Text(Point{(x.from + x.to) / 2, y.from + 38}, Middle, normal, Ink, false, xTitle)
	c.Text(Point{4, y.to - 14}, Start, normal, Ink, false, yTitle)
}
