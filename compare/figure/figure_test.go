package figure_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"patchlab/compare/figure"
)

var update = flag.Bool("update", false, "rewrite the golden pictures under testdata")

func ExampleWriteSVG() {
	chart := figure.Pareto{XTitle: "training images/s", YTitle: "test accuracy, %", Configs: []figure.Config{
		{Name: "mixer-4", X: 2300, Y: 63, YLow: 62, YHigh: 64, XLow: math.NaN(), On: true},
	}}
	var out strings.Builder
	if err := figure.WriteSVG(&out, chart, figure.Print(), ""); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.String()[:89])
	fmt.Println(chart.Alt())
	// Output:
	// <svg xmlns="http://www.w3.org/2000/svg" width="620" height="400" viewBox="0 0 620 400" ro
	// test accuracy, % against training images/s; on the Pareto front: 1 of 1
}

// charts are one of each kind, with what is hard to draw: names that collide,
// a name of markup, a configuration without a speed, one without a band; lines
// that break, and that go on outside of what is shown.
func charts() map[string]figure.Chart {
	nan := math.NaN()
	curve := func(name string, scale float64, points int) figure.Curve {
		l := figure.Curve{Name: name, Words: name + " rises"}
		for i := 1; i <= points; i++ {
			y := 70 * scale * (1 - math.Exp(-float64(i)/4))
			l.X, l.Y = append(l.X, float64(i)), append(l.Y, y)
			if scale == 1 {
				l.Low, l.High = append(l.Low, y-3), append(l.High, y+3)
			} else {
				l.Low, l.High = append(l.Low, nan), append(l.High, nan)
			}
		}
		return l
	}
	steps := figure.Spreads{XTitle: "training step, ms"}
	for i, base := range []float64{20, 35, 36} {
		s := figure.Spread{Name: fmt.Sprint("config-", i), Words: "steps", Series: i}
		for k, f := range []float64{.9, .92, .97, 1, 1.05, 1.3, 2} {
			s.Quantiles[k] = base * f
		}
		for k := range 20 {
			s.From = append(s.From, .9*base*math.Pow(2/.9, float64(k)/20))
			s.To = append(s.To, .9*base*math.Pow(2/.9, float64(k+1)/20))
			s.Count = append(s.Count, []int{2, 30, 80, 100, 70, 40}[min(k, 5)]/max(1, k-4))
		}
		steps.Rows = append(steps.Rows, s)
	}
	return map[string]figure.Chart{
		"pareto": figure.Pareto{XTitle: "training images/s", YTitle: "test accuracy, %", Configs: []figure.Config{
			{Name: "mixer-2", X: 1900, Y: 68.9, XLow: 1850, XHigh: 1950, YLow: 67, YHigh: 70.5, On: true, Words: "mixer-2: 68.9 %"},
			{Name: "vit-2", X: 900, Y: 64.7, XLow: nan, XHigh: nan, YLow: 63, YHigh: 66, Words: "vit-2"},
			{Name: "vit-2b", X: 910, Y: 64.6, XLow: nan, XHigh: nan, YLow: nan, YHigh: nan, Words: "vit-2b"},
			{Name: `<b>&"quoted"`, X: 4500, Y: 49.4, XLow: nan, XHigh: nan, YLow: 48, YHigh: 50, On: true, Words: `<b>&"quoted"`},
			{Name: "unknown", X: nan, Y: 55, XLow: nan, XHigh: nan, YLow: nan, YHigh: nan},
		}},
		"curves": figure.Curves{XTitle: "epoch", YTitle: "validation accuracy, %", Lines: []figure.Curve{
			curve("mixer-2", 1, 10), curve("vit-2", .93, 12), curve("vit-2b", .93, 12), {Name: "empty"}, curve("point", .5, 1),
		}},
		"steps": steps,
		"traces": figure.Traces{XTitle: "epoch", LogY: true, From: 2, To: 12, Lines: []figure.Trace{
			{Name: "smoothed", Words: "smoothed: 1", X: []float64{1, 3, 5, 14}, Y: []float64{.02, .5, .1, .002},
				RawX: []float64{1, 2, 3, 4, 5, 14}, RawY: []float64{.02, 2, .1, .9, .05, .01}},
			{Name: "broken", Words: "broken: 3", X: []float64{2, 4, 6, 7, 9, 11}, Y: []float64{1, .2, nan, .01, math.Inf(1), .0015}},
			{Name: "outside", Words: "outside", X: []float64{0, 1}, Y: []float64{1e9, 1e9}},
			{Name: "over it", Words: "over it", X: []float64{0, 20}, Y: []float64{.003, .3}},
		}},
	}
}

// TestGoldenPictures compares with pictures that a person has looked at: SVG
// to the letter, PNG pixel for pixel within what another processor's
// arithmetic may change.
func TestGoldenPictures(t *testing.T) {
	for name, chart := range charts() {
		var vector, pixels bytes.Buffer
		if err := figure.WriteSVG(&vector, chart, figure.Print(), "Notes & <more>"); err != nil {
			t.Fatal(err)
		}
		if err := figure.WritePNG(&pixels, chart, figure.Print(), 1, "Notes & <more>"); err != nil {
			t.Fatal(err)
		}
		for path, got := range map[string][]byte{name + ".svg": vector.Bytes(), name + ".png": pixels.Bytes()} {
			path = filepath.Join("testdata", path)
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, ".png") {
				if off := farthest(t, got, want); off > 8 {
					t.Errorf("%s: a pixel is %d of 255 away from the golden picture (go test -update rewrites it)", path, off)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s differs from the golden picture (go test -update rewrites it)", path)
			}
		}
	}
}

// farthest is the largest difference of a colour of a pixel.
func farthest(t *testing.T, a, b []byte) int {
	t.Helper()
	var images [2]image.Image
	for i, data := range [][]byte{a, b} {
		var err error
		if images[i], err = png.Decode(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	if images[0].Bounds() != images[1].Bounds() {
		t.Fatalf("sizes %v and %v", images[0].Bounds(), images[1].Bounds())
	}
	most := 0
	for y := range images[0].Bounds().Dy() {
		for x := range images[0].Bounds().Dx() {
			r0, g0, b0, _ := images[0].At(x, y).RGBA()
			r1, g1, b1, _ := images[1].At(x, y).RGBA()
			for _, pair := range [][2]uint32{{r0, r1}, {g0, g1}, {b0, b1}} {
				most = max(most, int(pair[0]>>8)-int(pair[1]>>8), int(pair[1]>>8)-int(pair[0]>>8))
			}
		}
	}
	return most
}

// TestSVGIsXML: well-formed whatever the names, and every configuration drawn
// says in words what it shows.
func TestSVGIsXML(t *testing.T) {
	for name, chart := range charts() {
		inline, err := figure.Inline(chart, figure.Narrow(), "chart")
		if err != nil {
			t.Fatal(err)
		}
		var alone bytes.Buffer
		if err := figure.WriteSVG(&alone, chart, figure.Narrow(), "Notes & <more>"); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{inline, alone.String()} {
			decoder := xml.NewDecoder(strings.NewReader(text))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("%s: a coordinate is not a number", name)
			}
		}
		words := strings.Count(inline, "aria-label=") - 1 + strings.Count(inline, "<title>") // traces have titles, for browsers to show
		if strings.Count(inline, `<g class="c"`) != words || !strings.Contains(inline, `aria-label="`) {
			t.Errorf("%s: a group says nothing in words", name)
		}
	}
}

// TestNothingToDraw: charts of nothing are empty frames, not panics.
func TestNothingToDraw(t *testing.T) {
	for _, chart := range []figure.Chart{figure.Pareto{}, figure.Curves{}, figure.Spreads{}, figure.Traces{}, figure.Traces{LogY: true, From: 1, To: 1, Lines: make([]figure.Trace, 2)}, figure.Curves{Lines: []figure.Curve{{Name: "a"}}}} {
		var out bytes.Buffer
		if err := figure.WritePNG(&out, chart, figure.Print(), 2, ""); err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(&out)
		if err != nil || picture.Bounds() != image.Rect(0, 0, 1240, 800) {
			t.Errorf("%T: %v, %v", chart, picture.Bounds(), err)
		}
		if _, err := figure.Inline(chart, figure.Wide(), "x"); err != nil {
			t.Error(err)
		}
	}
	if err := figure.WritePNG(io.Discard, figure.Pareto{}, figure.Print(), 0, ""); err == nil {
		t.Error("a picture of scale 0 gave no error")
	}
}

// TestStepsKey: dot, bars and hill are named, within the narrowest picture.
func TestStepsKey(t *testing.T) {
	for _, size := range []figure.Size{figure.Narrow(), figure.Wide()} {
		steps := charts()["steps"].(figure.Spreads)
		text, err := figure.Inline(steps, steps.Fit(size), "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"median", "25–75 %", "5–95 %", "steps"} {
			at := regexp.MustCompile(`<text[^>]* x="([0-9.]+)"[^>]*>` + part + `</text>`).FindStringSubmatch(text)
			if at == nil {
				t.Errorf("no key for %s", part)
				continue
			}
			x, err := strconv.ParseFloat(at[1], 64)
			if wide := 8 * float64(len([]rune(part))); err != nil || x+wide > size.Width {
				t.Errorf("%s stands at %v of %v (%v)", part, x, size.Width, err)
			}
		}
	}
}

// TestManySeries: colour, shape and dash together tell 30 configurations apart.
func TestManySeries(t *testing.T) {
	seen := map[string]int{}
	for i := range 30 {
		mark := figure.Mark(i)
		if before, ok := seen[mark]; ok {
			t.Errorf("configurations %d and %d have the same mark", before, i)
		}
		seen[mark] = i
	}
}

// TestContrast: every colour that text is set in has a contrast of at least
// 4.5 to 1 on its paper, light and dark (WCAG 2.2, 1.4.3).
func TestContrast(t *testing.T) {
	rule := regexp.MustCompile(`--([a-z0-9]+):(#[0-9a-f]{6});`)
	light, dark, found := strings.Cut(figure.Style(), "@media")
	if !found {
		t.Fatal("no rules for a dark page")
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range rule.FindAllStringSubmatch(css, -1) {
			colors[m[1]] = m[2]
		}
		if len(colors) < 12 {
			t.Errorf("%s: only the colours %v", name, colors)
		}
		paper := luminance(t, colors["paper"])
		for role, hex := range colors {
			if role == "paper" || role == "grid" {
				continue
			}
			a, b := luminance(t, hex), paper
			if ratio := (math.Max(a, b) + .05) / (math.Min(a, b) + .05); ratio < 4.5 {
				t.Errorf("%s: %s (%s) has a contrast of %.2f to 1, want 4.5", name, role, hex, ratio)
			}
		}
	}
}

// luminance is WCAG's relative luminance of #rrggbb.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift uint) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(16) + .7152*linear(8) + .0722*linear(0)
}
