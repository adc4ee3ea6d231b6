package viz

import (
	"image"
	"image/color"
	"math"
	"strings"

	"golang.org/x/image/draw"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// Sizes in points. A picture is pageWidth wide, so that its smallest letters
// can still be read when a page shows it 400 pixels wide.
const (
	pageWidth = 480.0
	margin    = 14.0
	titleSize = 15.0
	labelSize = 12.0
	tickSize  = 11.0
)

func paper() color.Color  { return color.White }
func ink() color.Color    { return color.NRGBA{0x1d, 0x23, 0x2a, 0xff} }
func muted() color.Color  { return color.NRGBA{0x4b, 0x56, 0x62, 0xff} }
func rule() color.Color   { return color.NRGBA{0xd5, 0xdb, 0xe1, 0xff} }
func accent() color.Color { return color.NRGBA{0xd5, 0x2b, 0x1e, 0xff} }

// sheet is what a picture is painted on; places are points from the left and
// from the top.
type sheet struct {
	c      vgdraw.Canvas
	height float64
}

func (s *sheet) at(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x), Y: vg.Length(s.height - y)}
}

// part is the canvas of a rectangle.
func (s *sheet) part(x, y, width, height float64) vgdraw.Canvas {
	return vgdraw.Canvas{Canvas: s.c.Canvas, Rectangle: vg.Rectangle{Min: s.at(x, y+height), Max: s.at(x+width, y)}}
}

// lettering is the style of a text. Every style names its font, for the
// library's defaults are variables that others may change.
func lettering(size float64, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, Handler: text.Plain{Fonts: font.DefaultCache}}
}

// write puts a text with its baseline at y; align 0 starts it at x, .5 centres
// it there, 1 ends it there.
func (s *sheet) write(x, y, align, size float64, c color.Color, bold bool, words string) {
	style := lettering(size, c, bold)
	style.XAlign = text.XAlignment(-align)
	style.YAlign = text.YBottom
	_, _, depth := style.Handler.Box(words, style.Font)
	s.c.FillText(style, s.at(x, y+float64(depth)), words)
}

// upright puts a text that is read from below, centred at (x, y).
func (s *sheet) upright(x, y, size float64, c color.Color, words string) {
	style := lettering(size, c, false)
	style.Rotation = math.Pi / 2
	style.XAlign, style.YAlign = text.XCenter, text.YCenter
	s.c.FillText(style, s.at(x, y), words)
}

// uprightEnd puts a text that is read from below, its end at (x, y).
func (s *sheet) uprightEnd(x, y, size float64, c color.Color, words string) {
	style := lettering(size, c, false)
	style.Rotation = math.Pi / 2
	style.XAlign, style.YAlign = text.XRight, text.YCenter
	s.c.FillText(style, s.at(x, y), words)
}

// textWidth is a text's width in points.
func textWidth(words string, size float64, bold bool) float64 {
	return float64(lettering(size, ink(), bold).Width(words))
}

// fitted shortens a text until it is at most so wide.
func fitted(words string, size float64, bold bool, width float64) string {
	runes := []rune(words)
	for n := len(runes); n > 1; n-- {
		short := words
		if n < len(runes) {
			short = string(runes[:n]) + "…"
		}
		if textWidth(short, size, bold) <= width {
			return short
		}
	}
	return words
}

// title heads a picture and returns where what follows may begin.
func (s *sheet) title(words, below string) float64 {
	s.write(margin, margin+titleSize*.8, 0, titleSize, ink(), true, fitted(words, titleSize, true, pageWidth-2*margin))
	y := margin + titleSize*.8
	for _, line := range wrap(below, labelSize, pageWidth-2*margin) {
		y += labelSize * 1.4
		s.write(margin, y, 0, labelSize, muted(), false, line)
	}
	return y + 14
}

// titleHeight is what title will return.
func titleHeight(below string) float64 {
	return margin + titleSize*.8 + float64(len(wrap(below, labelSize, pageWidth-2*margin)))*labelSize*1.4 + 14
}

// wrap breaks a text into lines of at most a width.
func wrap(words string, size, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(words) {
		next := word
		if line != "" {
			next = line + " " + word
		}
		if line != "" && textWidth(next, size, false) > width {
			lines, line = append(lines, line), word
			continue
		}
		line = next
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func (s *sheet) fill(x, y, width, height float64, c color.Color) {
	s.c.FillPolygon(c, []vg.Point{s.at(x, y), s.at(x+width, y), s.at(x+width, y+height), s.at(x, y+height)})
}

// box strokes a rectangle, its line outside.
func (s *sheet) box(x, y, width, height, thick float64, c color.Color) {
	h := thick / 2
	var path vg.Path
	path.Move(s.at(x-h, y-h))
	path.Line(s.at(x+width+h, y-h))
	path.Line(s.at(x+width+h, y+height+h))
	path.Line(s.at(x-h, y+height+h))
	path.Close()
	s.c.SetLineStyle(vgdraw.LineStyle{Color: c, Width: vg.Length(thick)})
	s.c.Stroke(path)
}

// disc fills a circle with a thin light edge, so that it shows on any colour.
func (s *sheet) disc(x, y, radius float64, c color.Color) {
	for _, part := range []struct {
		radius float64
		color  color.Color
	}{{radius * 1.35, paper()}, {radius, c}} {
		var path vg.Path
		path.Move(s.at(x+part.radius, y))
		path.Arc(s.at(x, y), vg.Length(part.radius), 0, 2*math.Pi)
		path.Close()
		s.c.SetColor(part.color)
		s.c.Fill(path)
	}
}

// image shows pixels enlarged, with hard edges.
func (s *sheet) image(x, y, width, height float64, m image.Image) {
	drawPixels(s.part(x, y, width, height), m)
}

// drawPixels fills a canvas with an image, nearest pixels, aligned to the
// device's so that edges stay sharp: the library's own scaling blurs them.
func drawPixels(c vgdraw.Canvas, m image.Image) {
	inner := c.Canvas
	for { // a chart's canvas lies in others
		outer, ok := inner.(vgdraw.Canvas)
		if !ok {
			break
		}
		inner = outer.Canvas
	}
	device, ok := inner.(interface{ DPI() float64 })
	if !ok { // a vector format: enlarged, for viewers that smooth
		factor := max(1, 96/max(m.Bounds().Dx(), m.Bounds().Dy()))
		c.DrawImage(c.Rectangle, enlarged(m, m.Bounds().Dx()*factor, m.Bounds().Dy()*factor))
		return
	}
	dots := device.DPI() / 72
	grid := func(v vg.Length) float64 { return math.Round(float64(v) * dots) }
	r := vg.Rectangle{
		Min: vg.Point{X: vg.Length(grid(c.Min.X) / dots), Y: vg.Length(grid(c.Min.Y) / dots)},
		Max: vg.Point{X: vg.Length(grid(c.Max.X) / dots), Y: vg.Length(grid(c.Max.Y) / dots)},
	}
	width, height := int(grid(c.Max.X)-grid(c.Min.X)), int(grid(c.Max.Y)-grid(c.Min.Y))
	if width > 0 && height > 0 {
		c.DrawImage(r, enlarged(m, width, height))
	}
}

func enlarged(m image.Image, width, height int) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.NearestNeighbor.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
	return out
}

// axes returns a chart of the library in this package's dress.
func axes(xTitle, yTitle string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // or it would cover what stands beside it
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = lettering(labelSize, ink(), false)
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign = text.XCenter, text.YBottom
		a.Label.Padding = 4
		a.Tick.Label.Color, a.Tick.Label.Font = muted(), lettering(tickSize, muted(), false).Font
		a.Color, a.Tick.Color = muted(), muted()
		a.Width, a.Tick.Width = .75, .75
		a.Tick.Length = 4
		a.Padding = 0
	}
	p.X.Label.Text, p.Y.Label.Text = xTitle, yTitle
	p.Legend.TextStyle = lettering(labelSize, ink(), false)
	p.Legend.TextStyle.YAlign = text.YCenter
	return p
}

// chart draws a chart of the library into a rectangle.
func (s *sheet) chart(x, y, width, height float64, p *plot.Plot) { p.Draw(s.part(x, y, width, height)) }

// chartOver draws a chart so that its data fill a rectangle; axes lie outside.
// The library's margins depend on the width that they are taken from, hence the
// steps.
func (s *sheet) chartOver(x, y, width, height float64, p *plot.Plot) {
	c := s.part(x, y, width, height)
	want := c.Rectangle
	for range 4 {
		data := p.DataCanvas(c)
		c.Min = c.Min.Sub(data.Min.Sub(want.Min))
		c.Max = c.Max.Add(want.Max.Sub(data.Max))
	}
	p.Draw(c)
}
