package figure

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// raster draws a canvas into an image, scale pixels a unit.
type raster struct {
	image *image.RGBA
	scale float64
	fonts fonts
}

// fonts are the two faces that charts are set in, by size.
type fonts struct {
	regular, bold *opentype.Font
	faces         map[faceKey]font.Face
}

type faceKey struct {
	bold bool
	size float64
}

func newFonts() (fonts, error) {
	f := fonts{faces: map[faceKey]font.Face{}}
	var err error
	if f.regular, err = opentype.Parse(goregular.TTF); err != nil {
		return f, fmt.Errorf("reading the charts' font: %w", err)
	}
	if f.bold, err = opentype.Parse(gobold.TTF); err != nil {
		return f, fmt.Errorf("reading the charts' bold font: %w", err)
	}
	return f, nil
}

// face is a font at a size in pixels.
func (f fonts) face(bold bool, size float64) font.Face {
	key := faceKey{bold, size}
	if face, ok := f.faces[key]; ok {
		return face
	}
	parsed := f.regular
	if bold {
		parsed = f.bold
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // the sizes are this package's own
	}
	f.faces[key] = face
	return face
}

// width is that of a text in units.
func (f fonts) width(text string, size float64, bold bool) float64 {
	return float64(font.MeasureString(f.face(bold, size), text)) / 64
}

func newRaster(width, height, scale float64, f fonts) *raster {
	r := &raster{image: image.NewRGBA(image.Rect(0, 0, int(width*scale), int(height*scale))), scale: scale, fonts: f}
	draw.Draw(r.image, r.image.Bounds(), image.NewUniform(rgba(Paper, 1)), image.Point{}, draw.Src)
	return r
}

// rgba is a colour on light paper.
func rgba(c Color, alpha float64) color.Color {
	v, err := strconv.ParseUint(c.hex(false)[1:], 16, 32)
	if err != nil {
		panic(err) // the colours are this package's own
	}
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), uint8(math.Round(255 * alpha))}
}

// fill fills closed polygons at once; where they overlap they are drawn once.
func (r *raster) fill(polygons [][]Point, c color.Color) {
	low, high := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for _, polygon := range polygons {
		for _, p := range polygon {
			low = Point{math.Min(low.X, p.X), math.Min(low.Y, p.Y)}
			high = Point{math.Max(high.X, p.X), math.Max(high.Y, p.Y)}
		}
	}
	bounds := image.Rect(int(math.Floor(low.X*r.scale)), int(math.Floor(low.Y*r.scale)),
		int(math.Ceil(high.X*r.scale))+1, int(math.Ceil(high.Y*r.scale))+1).Intersect(r.image.Bounds())
	if bounds.Empty() {
		return
	}
	z := vector.NewRasterizer(bounds.Dx(), bounds.Dy())
	for _, polygon := range polygons {
		for i, p := range polygon {
			x, y := float32(p.X*r.scale)-float32(bounds.Min.X), float32(p.Y*r.scale)-float32(bounds.Min.Y)
			if i == 0 {
				z.MoveTo(x, y)
			} else {
				z.LineTo(x, y)
			}
		}
		z.ClosePath()
	}
	z.Draw(r.image, bounds, image.NewUniform(c), image.Point{})
}

func (r *raster) Area(points []Point, fill Color, alpha float64) {
	r.fill([][]Point{points}, rgba(fill, alpha))
}

func (r *raster) Line(points []Point, s Stroke) {
	alpha := s.Alpha
	if alpha == 0 {
		alpha = 1
	}
	var polygons [][]Point
	for _, piece := range dashes(points, s.Dash) {
		for i := 1; i < len(piece); i++ {
			if quad := thick(piece[i-1], piece[i], s.Width); quad != nil {
				polygons = append(polygons, quad)
			}
			if i > 1 && s.Width > 1.2 {
				polygons = append(polygons, circle(piece[i-1], s.Width/2))
			}
		}
	}
	r.fill(polygons, rgba(s.Color, alpha))
}

// thick is a segment as a rectangle, wound like circle's polygons, so that
// overlaps add up instead of cancelling.
func thick(a, b Point, width float64) []Point {
	length := math.Hypot(b.X-a.X, b.Y-a.Y)
	if length == 0 {
		return nil
	}
	nx, ny := -(b.Y-a.Y)/length*width/2, (b.X-a.X)/length*width/2
	return []Point{{a.X - nx, a.Y - ny}, {b.X - nx, b.Y - ny}, {b.X + nx, b.Y + ny}, {a.X + nx, a.Y + ny}}
}

// dashes cuts a line into pieces of the given length with as long gaps.
func dashes(points []Point, length float64) [][]Point {
	if length <= 0 || len(points) < 2 {
		return [][]Point{points}
	}
	var out [][]Point
	piece, left, drawn := []Point{points[0]}, length, true
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		for {
			rest := math.Hypot(b.X-a.X, b.Y-a.Y)
			if rest < left {
				left -= rest
				piece = append(piece, b)
				break
			}
			a = Point{a.X + (b.X-a.X)*left/rest, a.Y + (b.Y-a.Y)*left/rest}
			if drawn {
				out = append(out, append(piece, a))
			}
			piece, left, drawn = []Point{a}, length, !drawn
		}
	}
	if drawn && len(piece) > 1 {
		out = append(out, piece)
	}
	return out
}

func (r *raster) Text(at Point, anchor Anchor, size float64, c Color, bold bool, text string) {
	face := r.fonts.face(bold, size*r.scale)
	x := at.X * r.scale
	width := float64(font.MeasureString(face, text)) / 64
	switch anchor {
	case Middle:
		x -= width / 2
	case End:
		x -= width
	}
	d := font.Drawer{
		Dst: r.image, Src: image.NewUniform(rgba(c, 1)), Face: face,
		Dot: fixed.Point26_6{X: fixed.Int26_6(math.Round(x * 64)), Y: fixed.Int26_6(math.Round(at.Y * r.scale * 64))},
	}
	d.DrawString(text)
}

func (r *raster) Group(int, string, []Value) {}
func (r *raster) EndGroup()                  {}
