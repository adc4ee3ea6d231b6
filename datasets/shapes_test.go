package datasets

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

func loadedShapes(t testing.TB, o Options) *Dataset {
	t.Helper()
	d, err := Load(t.Context(), "shapes", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestShapesArePinned: the digest stands in the records of runs, so that a change to the drawing code that
// alters a single byte must be deliberate. It is the same with fused multiplications
// (GOAMD64=v3), with 32-bit integers (GOARCH=386) and on any number of cores.
func TestShapesArePinned(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Seed: 1, TrainLimit: 1000, TestLimit: 200}, "6989d7e3d23300207e370339b202934f931cfb07470e5066365a547b4c8c7296"},
		{Options{Seed: -7, TrainLimit: 100, TestLimit: 10}, "779b4fcec1475dbf8f1aa49dfda0be1d3d8ce9c0d71e4d4b09cb48288187ea0b"},
	} {
		if got := loadedShapes(t, c.o).Digest; got != c.want {
			t.Errorf("seed %d: digest %s, want %s", c.o.Seed, got, c.want)
		}
	}
}

func TestShapesDoNotDependOnCores(t *testing.T) {
	o := Options{Seed: 3, TrainLimit: 333, TestLimit: 45}
	want := loadedShapes(t, o).Digest
	for _, cores := range []int{1, 3, 8} {
		before := runtime.GOMAXPROCS(cores)
		got := loadedShapes(t, o).Digest
		runtime.GOMAXPROCS(before)
		if got != want {
			t.Errorf("on %d cores: digest %s, want %s", cores, got, want)
		}
	}
}

func TestShapesDefaultSize(t *testing.T) {
	if testing.Short() {
		t.Skip("draws and compares 24,000 pictures")
	}
	d := loadedShapes(t, Options{Seed: 1})
	if d.Train.Len() != 20_000 || d.Test.Len() != 4_000 || d.Height != 32 || d.Width != 32 || d.Channels != 3 || len(d.Classes) != 10 {
		t.Errorf("%d train, %d test of %d×%d×%d in %d classes", d.Train.Len(), d.Test.Len(), d.Height, d.Width, d.Channels, len(d.Classes))
	}
	// Different pictures all, in both splits.
	seen := map[string]bool{}
	for _, s := range []Split{d.Train, d.Test} {
		for i := range s.Len() {
			seen[string(s.Image(i))] = true
		}
	}
	if len(seen) != 24_000 {
		t.Errorf("%d different pictures of 24,000", len(seen))
	}
}

func TestShapesLimitsAreAPrefix(t *testing.T) {
	all := loadedShapes(t, Options{Seed: 5, TrainLimit: 64, TestLimit: 64})
	for _, limit := range []int{1, 9, 10, 11, 63} {
		some := loadedShapes(t, Options{Seed: 5, TrainLimit: limit, TestLimit: limit})
		for _, s := range [][2]Split{{some.Train, all.Train}, {some.Test, all.Test}} {
			if want := s[1].First(limit); !bytes.Equal(s[0].Images, want.Images) || !slices.Equal(s[0].Labels, want.Labels) {
				t.Errorf("limit %d isn't the first %[1]d pictures", limit)
			}
		}
	}
}

func TestShapesAreBalanced(t *testing.T) {
	d := loadedShapes(t, Options{Seed: 2, TrainLimit: 500, TestLimit: 200})
	for _, s := range []Split{d.Train, d.Test} {
		for first := 0; first < s.Len(); first += 10 {
			block := slices.Clone(s.Labels[first : first+10])
			slices.Sort(block)
			if !slices.Equal(block, []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
				t.Fatalf("pictures %d to %d have labels %v", first, first+9, s.Labels[first:first+10])
			}
		}
	}
	// The orders within blocks differ: no class has its fixed place.
	var places [10]map[uint16]bool
	for i, l := range d.Train.Labels {
		if places[i%10] == nil {
			places[i%10] = map[uint16]bool{}
		}
		places[i%10][l] = true
	}
	for i, seen := range places {
		if len(seen) < 8 {
			t.Errorf("place %d of the blocks holds only %d classes", i, len(seen))
		}
	}
}

func TestShapesSeedsAndSplitsDiffer(t *testing.T) {
	a := loadedShapes(t, Options{Seed: 1, TrainLimit: 10, TestLimit: 10})
	b := loadedShapes(t, Options{Seed: 2, TrainLimit: 10, TestLimit: 10})
	if bytes.Equal(a.Train.Images, b.Train.Images) || bytes.Equal(a.Test.Images, b.Test.Images) {
		t.Error("two seeds draw the same pictures")
	}
	if bytes.Equal(a.Train.Images, a.Test.Images) {
		t.Error("train and test are the same pictures")
	}
}

// TestShapesNeedMoreThanAMeanColour: a nearest-mean classifier on all pixels, about the best that a linear
// rule can do here, stays close to chance.
func TestShapesNeedMoreThanAMeanColour(t *testing.T) {
	d := loadedShapes(t, Options{Seed: 1, TrainLimit: 4000, TestLimit: 1000})
	size := d.Train.ImageSize()
	var means [10][]float64
	for c := range means {
		means[c] = make([]float64, size)
	}
	for i, l := range d.Train.Labels {
		for k, v := range d.Train.Image(i) {
			means[l][k] += float64(v) / 400
		}
	}
	right := 0
	for i, l := range d.Test.Labels {
		best, nearest := 0, math.Inf(1)
		for c := range means {
			away := 0.0
			for k, v := range d.Test.Image(i) {
				away += (float64(v) - means[c][k]) * (float64(v) - means[c][k])
			}
			if away < nearest {
				best, nearest = c, away
			}
		}
		if best == int(l) {
			right++
		}
	}
	if right > 200 {
		t.Errorf("nearest class mean gets %d of 1000 right, should be near 100", right)
	}
}

func TestSine(t *testing.T) {
	for angle := -turn; angle <= 2*turn; angle++ {
		want := math.Sin(2*math.Pi*float64(angle)/turn) * sineOne
		if got := float64(sine(angle)); math.Abs(got-want) > 1 {
			t.Fatalf("sine(%d) = %g, want %.2f", angle, got, want)
		}
	}
}

func TestHSV(t *testing.T) {
	for _, c := range []struct {
		hue  int
		want colour
	}{
		{0, colour{255, 0, 0}}, {256, colour{255, 255, 0}}, {512, colour{0, 255, 0}}, {768, colour{0, 255, 255}},
		{1024, colour{0, 0, 255}}, {1280, colour{255, 0, 255}}, {-256, colour{255, 0, 255}}, {hueTurn, colour{255, 0, 0}},
	} {
		if got := hsv(c.hue, 255, 255); got != c.want {
			t.Errorf("hue %d is %v, want %v", c.hue, got, c.want)
		}
	}
	if got := hsv(700, 0, 99); got != (colour{99, 99, 99}) {
		t.Errorf("without saturation: %v, want grey", got)
	}
}

// TestOutlinesHaveTheirArea paints each outline in full and compares the sum of opacities with the
// area that geometry gives; the anti-aliased edge makes up for whole pixels.
func TestOutlinesHaveTheirArea(t *testing.T) {
	for o, name := range []string{"disc", "triangle", "star"} {
		for _, radius := range []int{5 * pixel, 7 * pixel} {
			for angle := 0; angle < turn; angle += 37 {
				f := figure{outline: outline(o), x: 16*pixel + 50, y: 16*pixel - 30, radius: equalArea(outline(o), radius),
					sin: sine(angle), cos: cosine(angle), squeeze: 256}
				var c canvas
				c.paint(&f, opaque, func(int, int) colour { return colour{255, 255, 255} })
				area := 0.0
				for _, p := range c {
					area += float64(p[0]) / 255
				}
				r := float64(radius) / pixel
				if want := math.Pi * r * r; math.Abs(area-want) > .05*want {
					t.Errorf("%s of radius %.1f at %d/1024 turn covers %.1f pixels, want about %.1f", name, r, angle, area, want)
				}
			}
		}
	}
}

func TestDiceAreFair(t *testing.T) {
	d := dice{src: new(rand.ChaCha8)}
	d.key("patchlab: tests ", 0, 0)
	var counts [7]int
	for range 70_000 {
		counts[d.between(-3, 3)+3]++
	}
	for v, n := range counts {
		if n < 9_600 || n > 10_400 { // 10,000 ± 4 deviations
			t.Errorf("%d came %d times of 70,000, want about 10,000", v-3, n)
		}
	}
	out := make([]int16, 40_000)
	d.noise(out)
	sum, square := 0.0, 0.0
	for _, v := range out {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	if mean, deviation := sum/40_000, math.Sqrt(square/40_000); math.Abs(mean) > 3 || math.Abs(deviation-104.5) > 2 {
		t.Errorf("noise has mean %.2f and deviation %.1f, want 0 and 104.5", mean, deviation)
	}
}

// BenchmarkShapes20000 draws what one default train split holds.
func BenchmarkShapes20000(b *testing.B) {
	for b.Loop() {
		if _, err := drawSplit(b.Context(), "patchlab: train ", 1, 20_000); err != nil {
			b.Fatal(err)
		}
	}
}
