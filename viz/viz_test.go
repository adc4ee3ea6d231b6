package viz

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestColorMapsAreUniform: along every map equal steps are about equally far
// apart, lightness only rises (in Diverging: rises, then falls), and the ends
// differ enough for print. The yardstick is CIELAB, which is coarser than
// CAM02-UCS, by which Viridis was made: hence the factor.
func TestColorMapsAreUniform(t *testing.T) {
	for _, m := range ColorMaps() {
		const steps = 32
		var distances []float64
		last := lab(m.At(0))
		for i := 1; i <= steps; i++ {
			next := lab(m.At(float64(i) / steps))
			distances = append(distances, math.Sqrt(square(next[0]-last[0])+square(next[1]-last[1])+square(next[2]-last[2])))
			rise := next[0] - last[0]
			if m.Name() == Diverging().Name() && i > steps/2 {
				rise = -rise
			}
			if rise < -.6 {
				t.Errorf("%s: lightness goes from %.1f to %.1f at step %d", m.Name(), last[0], next[0], i)
			}
			last = next
		}
		slices.Sort(distances)
		if low, high := distances[2], distances[len(distances)-3]; high/low > 3.5 {
			t.Errorf("%s: steps differ by a factor of %.1f in CIELAB, want at most 3.5", m.Name(), high/low)
		}
		low, high := lab(m.At(0))[0], lab(m.At(.5))[0]
		if high-low < 30 {
			t.Errorf("%s: lightness rises from %.0f to %.0f in its first half, want 30 or more", m.Name(), low, high)
		}
	}
}

func square(v float64) float64 { return v * v }

// lab is CIELAB with the white point D65 (CIE 15:2004).
func lab(c color.NRGBA) [3]float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= .04045 {
			return s / 12.92
		}
		return math.Pow((s+.055)/1.055, 2.4)
	}
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	f := func(v float64) float64 {
		if v > 216./24389 {
			return math.Cbrt(v)
		}
		return (24389./27*v + 16) / 116
	}
	x, y, z := f((.4124*r+.3576*g+.1805*b)/.9505), f(.2126*r+.7152*g+.0722*b), f((.0193*r+.1192*g+.9505*b)/1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestSVG: every picture is well-formed XML that says what it shows, asks for
// nothing from elsewhere, and, where there is a renderer, looks like its PNG.
func TestSVG(t *testing.T) {
	renderer, missing := exec.LookPath("rsvg-convert")
	for name, p := range pictures(t) {
		var out bytes.Buffer
		if err := p.WriteSVG(&out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := out.String()
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if s, ok := token.(xml.StartElement); ok {
				for _, a := range s.Attr {
					if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "data:image/png;base64,") {
						t.Errorf("%s refers to %.60q", name, a.Value)
					}
				}
			}
		}
		if !strings.Contains(text, "<title>"+strings.SplitN(p.Alt(), ".", 2)[0]) || !strings.Contains(text, `role="img"`) {
			t.Errorf("%s does not carry its words", name)
		}
		if missing != nil {
			continue
		}
		path := filepath.Join(t.TempDir(), name+".png")
		cmd := exec.Command(renderer, "--width", "480", "--output", path)
		cmd.Stdin = bytes.NewReader(out.Bytes())
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		drawn, err := readPNG(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.Raster(1)
		if err != nil {
			t.Fatal(err)
		}
		if drawn.Bounds().Dy() != want.Bounds().Dy() { // rounded by the renderer
			want.Rect.Max.Y = min(drawn.Rect.Max.Y, want.Rect.Max.Y)
			drawn.Rect.Max.Y = want.Rect.Max.Y
			want.Pix, drawn.Pix = want.Pix[:want.Rect.Max.Y*want.Stride], drawn.Pix[:want.Rect.Max.Y*want.Stride]
		}
		if d := difference(drawn, want); d > 12 {
			t.Errorf("%s: its SVG differs from its PNG by %.1f levels on average", name, d)
		}
	}
	if missing != nil {
		t.Log("no rsvg-convert in PATH: the SVGs are not rendered")
	}
}

// TestGIF: every frame is there, and what is drawn over what gives the frames,
// within the palette's error.
func TestGIF(t *testing.T) {
	movie := smallMovie(t)
	var out bytes.Buffer
	if err := movie.WriteGIF(&out, 1); err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(&out)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Image) != 16 || g.Delay[0] != 10 || g.LoopCount != 0 {
		t.Fatalf("%d frames of %d/100 s, loop count %d; want 16, 10, 0 (without end)", len(g.Image), g.Delay[0], g.LoopCount)
	}
	frames := rasters(t, movie)
	shown := frames[0]
	for i, f := range g.Image {
		if i == 0 {
			copied := *shown
			copied.Pix = slices.Clone(shown.Pix)
			shown = &copied
		}
		for y := f.Rect.Min.Y; y < f.Rect.Max.Y; y++ {
			for x := f.Rect.Min.X; x < f.Rect.Max.X; x++ {
				if _, _, _, a := f.At(x, y).RGBA(); a > 0 {
					shown.Set(x, y, f.At(x, y))
				}
			}
		}
		if d := difference(shown, frames[i]); d > 1.5 {
			t.Errorf("frame %d differs by %.2f levels on average", i, d)
		}
	}
}

func smallMovie(t *testing.T) *Movie {
	t.Helper()
	movie, err := AttentionMovie("Where each patch looks", disc(16), attention(t, "Block 1", 2, 4), 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return movie
}

// rasters are a movie's frames.
func rasters(t *testing.T, m *Movie) []*image.RGBA {
	t.Helper()
	var out []*image.RGBA
	if err := m.each(1, func(_ int, frame, _ *image.RGBA, _ image.Rectangle) error {
		out = append(out, frame)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAPNG: the chunks are those of an animation, numbered without gaps, and
// each frame's pixels, put together as a still PNG, are what was drawn.
func TestAPNG(t *testing.T) {
	movie := smallMovie(t)
	var out bytes.Buffer
	if err := movie.WriteAPNG(&out, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(out.Bytes())); err != nil {
		t.Fatalf("as a still PNG: %v", err)
	}
	chunks, err := pngChunks(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	frames := rasters(t, movie)
	if len(chunks["fcTL"]) != 16 || chunks["acTL"][0][3] != 16 || len(chunks["fdAT"]) < 15 {
		t.Fatalf("%d frame controls, %d frame data, animation of %d frames; want 16, 15 or more, 16", len(chunks["fcTL"]), len(chunks["fdAT"]), chunks["acTL"][0][3])
	}
	numbered := append(slices.Clone(chunks["fcTL"]), chunks["fdAT"]...)
	slices.SortFunc(numbered, func(a, b []byte) int { return bytes.Compare(a[:4], b[:4]) })
	for i, c := range numbered {
		if int(c[3])|int(c[2])<<8 != i {
			t.Fatalf("chunk %d has the number %v", i, c[:4])
		}
	}
	last := chunks["fcTL"][15]
	area := changed(frames[14], frames[15])
	var still bytes.Buffer
	still.WriteString("\x89PNG\r\n\x1a\n")
	writeChunk(&still, "IHDR", append(slices.Clone(last[4:12]), chunks["IHDR"][0][8:]...))
	writeChunk(&still, "IDAT", chunks["fdAT"][len(chunks["fdAT"])-1][4:])
	writeChunk(&still, "IEND", nil)
	m, err := png.Decode(&still)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds().Size() != area.Size() {
		t.Fatalf("the last frame has %v pixels, %v changed", m.Bounds().Size(), area.Size())
	}
	for y := range area.Dy() {
		for x := range area.Dx() {
			r, g, b, _ := m.At(x, y).RGBA()
			if c := frames[15].RGBAAt(area.Min.X+x, area.Min.Y+y); uint8(r>>8) != c.R || uint8(g>>8) != c.G || uint8(b>>8) != c.B {
				t.Fatalf("the last frame differs at %d, %d", x, y)
			}
		}
	}
}

// TestNotebook: a notebook shows pictures and movies without being told how.
func TestNotebook(t *testing.T) {
	p, err := HiddenUnits("Hidden units", mustUnits(t))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(p.PNG())); err != nil || m.Bounds().Dx() != 960 || p.String() != p.Alt() {
		t.Errorf("a picture as PNG: %v, says %q", err, p)
	}
	movie, err := AttentionMovie(`"Where"`, disc(8), attention(t, "Block 1", 1, 2), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if text := movie.HTML(); !strings.HasPrefix(text, `<img src="data:image/gif;base64,R0lG`) || !strings.Contains(text, `alt="&#34;Where&#34;. The image`) {
		t.Errorf("a movie as HTML: %.80s", text)
	}
}
