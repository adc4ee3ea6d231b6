package viz

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/draw"
	"image/png"
	"io"
	"strings"

	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Picture is one drawing, laid out in points (1/72 inch) and drawn anew for
// every format. It stands on white paper, so that it reads on light and dark
// pages and in print.
type Picture struct {
	width, height float64
	alt           string
	paint         func(*sheet)
}

// Alt says in words what the picture shows, for those who don't see it.
func (p *Picture) Alt() string { return p.alt }

// String is Alt, for a notebook's readers who get text.
func (p *Picture) String() string { return p.alt }

// PNG is what WritePNG writes at 2 pixels a point: a notebook shows a value
// that has this method as that picture.
func (p *Picture) PNG() []byte {
	var b bytes.Buffer
	if err := p.WritePNG(&b, 2); err != nil {
		return nil // not reached: the scale is a legal one, and memory takes every byte
	}
	return b.Bytes()
}

// Size is the picture's width and height in points.
func (p *Picture) Size() (width, height float64) { return p.width, p.height }

// Raster draws the picture with so many pixels a point, above 0 and at most 10.
func (p *Picture) Raster(scale float64) (*image.RGBA, error) {
	if !(scale > 0 && scale <= 10) {
		return nil, fmt.Errorf("a picture's scale is %v pixels a point; allowed: above 0, at most 10", scale)
	}
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(p.width), vg.Length(p.height)), vgimg.UseDPI(int(scale*72+.5)))
	p.paint(&sheet{c: vgdraw.New(c), height: p.height})
	out, ok := c.Image().(*image.RGBA)
	if !ok {
		out = image.NewRGBA(c.Image().Bounds())
		draw.Draw(out, out.Bounds(), c.Image(), image.Point{}, draw.Src)
	}
	return out, nil
}

// WritePNG writes the picture as PNG with so many pixels a point, above 0 and
// at most 10; 2 is right for most screens.
func (p *Picture) WritePNG(w io.Writer, scale float64) error {
	m, err := p.Raster(scale)
	if err != nil {
		return err
	}
	return png.Encode(w, m)
}

// WriteSVG writes the picture as SVG: axes and text as shapes, pixels and maps
// as PNG within. Its title is Alt.
func (p *Picture) WriteSVG(w io.Writer) error {
	c := vgsvg.New(vg.Length(p.width), vg.Length(p.height))
	s := &sheet{c: vgdraw.New(c), height: p.height}
	s.fill(0, 0, p.width, p.height, paper())
	p.paint(s)
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return fmt.Errorf("write SVG: %w", err)
	}
	_, err := io.WriteString(w, polishSVG(out.String(), p.alt))
	return err
}

// polishSVG gives the file its words for screen readers, hard edges between
// the pixels of images, and fonts of the same widths where Liberation is not
// installed.
func polishSVG(text, alt string) string {
	head := strings.Index(text, "<svg ")
	end := strings.Index(text[head:], ">") + head + 1
	return text[:head] + `<svg role="img" ` + text[head+len("<svg "):end] + "\n<title>" + html.EscapeString(alt) + "</title>" +
		strings.NewReplacer(
			"<image ", `<image preserveAspectRatio="none" style="image-rendering:pixelated" `,
			"data:image/jpg;", "data:image/png;",
			"font-family:Liberation Sans;font-variant:normal;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;",
		).Replace(text[end:])
}
