package viz

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"io"
	"math"
	"time"
)

// Movie is pictures of one size, shown one after the other without end.
type Movie struct {
	frames []*Picture
	delay  time.Duration
	alt    string
}

// Alt says in words what the movie shows.
func (m *Movie) Alt() string { return m.alt }

// String is Alt, for a notebook's readers who get text.
func (m *Movie) String() string { return m.alt }

// HTML is the movie as an image element that holds its GIF: a notebook shows a
// value that has this method as that.
func (m *Movie) HTML() string {
	var b bytes.Buffer
	if err := m.WriteGIF(&b, 1); err != nil {
		return html.EscapeString(err.Error())
	}
	return `<img src="data:image/gif;base64,` + base64.StdEncoding.EncodeToString(b.Bytes()) + `" alt="` + html.EscapeString(m.alt) + `">`
}

// Len is the number of frames.
func (m *Movie) Len() int { return len(m.frames) }

// Frame is the i-th picture.
func (m *Movie) Frame(i int) *Picture { return m.frames[i] }

// AttentionMovie goes through the query patches of a layer, one a frame, each
// shown for a delay: the image with the query boxed, beside it the map of where
// each head looks.
func AttentionMovie(title string, m Image, a Attention, delay time.Duration) (*Movie, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("attention movie: %w", err)
	}
	if a.heads == 0 {
		return nil, fmt.Errorf("attention movie: no scores; allowed: what NewAttention returns")
	}
	if delay < 10*time.Millisecond || delay > time.Minute {
		return nil, fmt.Errorf("attention movie: a delay of %v a frame; allowed: 10ms to 1m", delay)
	}
	movie := &Movie{delay: delay, alt: fmt.Sprintf("%s. The image with one of %d × %d patches boxed after the other, and beside it where each of %s of %s looks from there.",
		title, a.grid, a.grid, count(a.heads, "head"), a.layer)}
	scale := amounts(Viridis(), .995, a.scores)
	for q := range a.Tokens() {
		movie.frames = append(movie.frames, queryFrame(title, m, a, q, scale))
	}
	return movie, nil
}

// queryFrame is one query patch's picture.
func queryFrame(title string, m Image, a Attention, q int, scale Scale) *Picture {
	below := fmt.Sprintf("%s, query in row %d, column %d of %d", a.layer, q/a.grid+1, q%a.grid+1, a.grid)
	const gap, between, name = 18.0, 10.0, 17.0
	columns := int(math.Ceil(math.Sqrt(float64(a.heads))))
	rows := (a.heads + columns - 1) / columns
	// The image is as high as the maps beside it.
	inner := float64(rows-1) * (name + 6)
	cell := (pageWidth - 2*margin - gap - between*float64(columns-1) - inner) / float64(rows+columns)
	left := float64(rows)*cell + inner
	top := titleHeight(below)
	height := left + name
	return &Picture{
		width: pageWidth, height: math.Ceil(top + height + 8 + barHeight + margin),
		alt: fmt.Sprintf("%s. The image with the patch in row %d, column %d boxed, and where %s looks from there.", title, q/a.grid+1, q%a.grid+1, count(a.heads, "head")),
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			s.write(margin, y0+labelSize, 0, labelSize, ink(), false, "Query patch")
			s.image(margin, y0+name, left, left, m.picture())
			step := left / float64(a.grid)
			s.query(margin+float64(q%a.grid)*step, y0+name+float64(q/a.grid)*step, step)
			for h := range a.heads {
				x, y := margin+left+gap+float64(h%columns)*(cell+between), y0+float64(h/columns)*(cell+name+6)
				s.write(x, y+labelSize, 0, labelSize, ink(), false, fmt.Sprintf("Head %d", h+1))
				s.image(x, y+name, cell, cell, heat(a.Query(h, q), a.grid, scale))
				step := cell / float64(a.grid)
				s.query(x+float64(q%a.grid)*step, y+name+float64(q/a.grid)*step, step)
			}
			s.colorBar(margin+20, y0+height+8, pageWidth-2*margin-60, scale, "attention score (share of the query's whole)")
		},
	}
}

// query boxes a patch, so that the box shows on light and dark.
func (s *sheet) query(x, y, size float64) {
	s.box(x-1.5, y-1.5, size+3, size+3, 1, paper())
	s.box(x, y, size, size, 1.5, accent())
}

// each draws the frames one after the other with so many pixels a point and
// hands each over with the rectangle that differs from the one before, which
// for the first is all. Two frames are held at a time: a movie may have a
// thousand.
func (m *Movie) each(scale float64, use func(i int, frame, before *image.RGBA, area image.Rectangle) error) error {
	if len(m.frames) == 0 {
		return fmt.Errorf("a movie has no frames; allowed: 1 or more")
	}
	var before *image.RGBA
	for i, f := range m.frames {
		r, err := f.Raster(scale)
		if err != nil {
			return err
		}
		area := r.Bounds()
		if before != nil {
			if r.Bounds() != before.Bounds() {
				return fmt.Errorf("frame %d of a movie has %v pixels; allowed: %v, as the first", i, r.Bounds().Size(), before.Bounds().Size())
			}
			area = changed(before, r)
		}
		if err := use(i, r, before, area); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		before = r
	}
	return nil
}

// changed is the smallest rectangle in which two images of one size differ; one
// pixel where they don't, for a frame cannot be empty.
func changed(a, b *image.RGBA) image.Rectangle {
	r := a.Bounds()
	row := func(y int) bool {
		i, j := a.PixOffset(r.Min.X, y), a.PixOffset(r.Max.X, y)
		if j > len(a.Pix) || r.Dx() == 0 {
			j = len(a.Pix)
		}
		return bytes.Equal(a.Pix[i:j], b.Pix[i:j])
	}
	for r.Max.Y > r.Min.Y+1 && row(r.Max.Y-1) {
		r.Max.Y--
	}
	for r.Max.Y > r.Min.Y+1 && row(r.Min.Y) {
		r.Min.Y++
	}
	column := func(x int) bool {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				return false
			}
		}
		return true
	}
	for r.Max.X > r.Min.X+1 && column(r.Max.X-1) {
		r.Max.X--
	}
	for r.Max.X > r.Min.X+1 && column(r.Min.X) {
		r.Min.X++
	}
	return r
}

// hundredths is a movie's delay in GIF's unit.
func (m *Movie) hundredths() int { return max(2, int(m.delay/(10*time.Millisecond))) }

// writeAll writes bytes that were made in memory, so that a fault leaves no
// half a file behind.
func writeAll(w io.Writer, b *bytes.Buffer) error {
	_, err := w.Write(b.Bytes())
	return err
}
