package viz

import (
	"bytes"
	"flag"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// pictures draws one of every kind from made-up numbers.
func pictures(t testing.TB) map[string]*Picture {
	t.Helper()
	out := map[string]*Picture{}
	add := func(name string) func(*Picture, error) {
		return func(p *Picture, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = p
		}
	}
	m, a := disc(32), attention(t, "Block 1", 4, 8)
	add("patches")(Patches("A disc in patches", m, 8))
	images, names := make([]Image, 18), make([]string, 18)
	for i := range images {
		images[i], names[i] = disc(8+i), []string{"disc", "automobile", "aeroplane"}[i%3]
	}
	add("images")(Images("Images of the test split", images, names, 6))
	add("matrices")(AttentionMatrices("Attention of each head", a))
	add("queries")(AttentionByQuery("Where each patch looks", a, 1))
	wide := attention(t, "Block 2", 2, 8)
	add("rollout")(AttentionRollout("Attention rollout", m, []Attention{a, wide}))
	add("distance")(AttentionDistance("Attention distance", []HeadValues{{"Block 1", a.Distances()}, {"Block 2", wide.Distances()}}, 128, 8, 8))
	add("entropy")(AttentionEntropy("Attention entropy", []HeadValues{{"Block 1", a.Entropies()}, {"Block 2", wide.Entropies()}}, 128, 64))
	var train, val Curve
	for e := range 12 {
		x := float64(e + 1)
		train.X, train.Y = append(train.X, x), append(train.Y, .3+.5*(1-math.Exp(-x/4)))
		val.X, val.Y = append(val.X, x), append(val.Y, .3+.38*(1-math.Exp(-x/3)))
	}
	train.Name, val.Name = "training", "validation"
	loss := func(c Curve) Curve {
		l := Curve{Name: c.Name, X: c.X}
		for _, v := range c.Y {
			l.Y = append(l.Y, 3*(1-v))
		}
		return l
	}
	add("curves")(Curves("Learning curves", []Curve{loss(train), loss(val)}, []Curve{train, val}))
	units, err := NewUnits("Block 1", waves(8, 32), 32)
	if err != nil {
		t.Fatal(err)
	}
	add("units")(HiddenUnits("Hidden units", units))
	add("units-by-frequency")(UnitsByFrequency("Hidden units by frequency", units))
	add("activations")(Activations("Active units", "Block 1", noise(24*32), 24, 32))
	add("kernels")(DepthwiseKernels("Depthwise kernels", "Block 1", noise(5*5*16), 5, 16))
	add("filters")(PatchFilters("Patch filters", noise(6*6*3*64), 6, 3, 64))
	add("components")(PatchFilters("Patch filters", noise(6*6*3*128), 6, 3, 128))
	table := make([]float32, 0, 36*8)
	for i := range 36 {
		for k := range 8 {
			table = append(table, float32(math.Cos(float64(i%6)*.5+float64(k))+math.Sin(float64(i/6)*.5+float64(k*k))))
		}
	}
	add("position")(PositionSimilarity("Position embeddings", table, 36, 8))
	add("confusion")(Confusion("Confusion", [][]int{{50, 3, 0, 2}, {4, 40, 9, 0}, {1, 12, 30, 1}, {0, 0, 2, 60}}, []string{"disc", "automobile", "cat", "dog"}))
	add("alignment")(Alignment("Alignment", [][]float32{{.1, .2, .7}, {.1, .8, .1}, {.9, .05, .05}}, []string{"3", "1", "4"}, []string{"4", "1", "3"}))
	add("lines")(Lines("Cost of a forward pass", "median of 20 passes", Axis{"tokens", true}, Axis{"milliseconds an image", true}, []Curve{
		{"ViT", []float64{16, 64, 256, 1024}, []float64{.2, .9, 6, 80}}, {"Mixer", []float64{16, 64, 256, 1024}, []float64{.1, .4, 1.7, 7}}}))
	add("roofline")(Roofline("How close to the limits of the machine", "batch 128, float32", Roofs{180e9, 20e9}, [][]Achieved{
		{{"mixer-4, training", 14, 60e9}, {"mixer-4, inference", 22, 95e9}}, {{"convmixer, training", 1.2, 6e9}, {"convmixer, inference", 40, 12e9}}}))
	var mistakes []Mistake
	for i := range 6 {
		mistakes = append(mistakes, Mistake{disc(20 + i), 10 * i, "automobile", "disc", .99 - .1*float64(i), .0001 * float64(i)})
	}
	add("mistakes")(Mistakes("Most wrong", mistakes))
	var views []View
	for i, name := range []string{"vit-2", "mixer-4", "convmixer", "mixer1-vit1"} {
		const grid = 8
		v := View{Name: name, Patches: []int{8, 4, 16, 8}[i], Guesses: []Guess{{"disc", .8 - .1*float64(i)}, {"automobile", .1}, {"cat", .05}}}
		for p := range grid * grid {
			v.Matters = append(v.Matters, .4*math.Exp(-math.Hypot(float64(p%grid)/float64(grid)-.6, float64(p/grid)/float64(grid)-.45)*6)-.05*float64((p+i)%3))
		}
		views = append(views, v)
	}
	add("views")(Views("One image, four networks", m, "disc", views))
	movie, err := AttentionMovie("Where each patch looks", m, a, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	out["movie"] = movie.Frame(19)
	return out
}

// TestGolden: pictures look as they did when a person last judged them, but for
// what arithmetic that differs between processors may do to edges.
func TestGolden(t *testing.T) {
	for name, p := range pictures(t) {
		m, err := p.Raster(1)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Alt() == "" || strings.Contains(p.Alt(), "NaN") || len(p.Alt()) > 500 {
			t.Errorf("%s: alt text %q", name, p.Alt())
		}
		path := filepath.Join("testdata", name+".png")
		if *update {
			var out bytes.Buffer
			if err := p.WritePNG(&out, 1); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := readPNG(path)
		if err != nil {
			t.Fatalf("%v (write it with -update)", err)
		}
		if mean, far := difference(m, want), differing(m, want); mean > .5 || far > tolerated {
			t.Errorf("%s differs from testdata/%s.png by %.2f levels on average, and clearly in %.3f %% of its pixels; look at what `go test ./viz -update` changes",
				name, name, mean, 100*far)
		}
	}
}

// tolerated is the share of a picture's pixels that may clearly differ.
const tolerated = 4e-4

// TestGoldenNotices: a picture that lacks one axis title, or whose title moved by
// a point, is beyond the tolerance.
func TestGoldenNotices(t *testing.T) {
	curve := []Curve{{"training", []float64{1, 2, 3}, []float64{.3, .2, .15}}}
	draw := func(paint func(s *sheet)) *image.RGBA {
		m, err := (&Picture{width: pageWidth, height: 240, paint: paint}).Raster(1)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	right := draw(func(s *sheet) {
		s.title("Learning curves", "")
		s.lines(margin, 40, 400, 200, "epoch", "loss", curve)
	})
	for name, wrong := range map[string]*image.RGBA{
		"no axis title": draw(func(s *sheet) {
			s.title("Learning curves", "")
			s.lines(margin, 40, 400, 200, "", "loss", curve)
		}),
		"a moved title": draw(func(s *sheet) {
			s.height--
			s.title("Learning curves", "")
			s.height++
			s.lines(margin, 40, 400, 200, "epoch", "loss", curve)
		}),
	} {
		if far := differing(right, wrong); far <= tolerated {
			t.Errorf("%s: %.3f %% of the pixels differ, which is tolerated", name, 100*far)
		}
	}
}

// differing is the share of pixels of which a channel differs by more than 48
// levels; 1 where the sizes differ.
func differing(a, b *image.RGBA) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	n := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for k := range 3 {
			if d := int(a.Pix[i+k]) - int(b.Pix[i+k]); d > 48 || d < -48 {
				n++
				break
			}
		}
	}
	return float64(n) / float64(len(a.Pix)/4)
}

func readPNG(path string) (*image.RGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), m, image.Point{}, draw.Src)
	return out, nil
}

// difference is the mean difference of two images' channels, 255 where their
// sizes differ.
func difference(a, b *image.RGBA) float64 {
	if a.Bounds() != b.Bounds() {
		return 255
	}
	sum := 0.
	for i := range a.Pix {
		sum += math.Abs(float64(a.Pix[i]) - float64(b.Pix[i]))
	}
	return sum / float64(len(a.Pix)*3/4)
}
