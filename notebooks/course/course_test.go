package course_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"patchlab/models"
	"patchlab/notebooks/course"
	"patchlab/viz"
)

// refuses runs a cell's code and returns the error that ends it.
func refuses(cell func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	cell()
	return ""
}

// small makes a network that trains in pure Go within a second.
func small(c *models.Config) { c.ImageSize, c.PatchSize, c.Dim = 16, 4, 8 }

// TestLesson trains, finds again what was trained, and looks inside.
func TestLesson(t *testing.T) {
	t.Setenv("PATCHLAB_DB", filepath.Join(t.TempDir(), "lab.db"))
	lesson := course.Lesson{Name: "test", Data: "shapes", Images: 100, Epochs: 1, Seeds: 2}
	if got := refuses(func() { lesson.Trained("a ViT") }); !strings.Contains(got, `execute the cell that trains "a ViT"`) {
		t.Errorf("before training: %q", got)
	}
	config := course.Model("vit(heads=2,key_dim=4):1", small)
	lesson.Train("a ViT", config)
	net := lesson.Trained("a ViT")
	defer net.Close()
	if net.Run.Metrics["test_accuracy"].Count != 1 {
		t.Errorf("metrics %v", net.Run.Metrics)
	}
	lesson.Train("a ViT", config) // again: nothing is trained
	again := lesson.Trained("a ViT")
	defer again.Close()
	if again.Run.ID != net.Run.ID {
		t.Errorf("run %s was trained again as %s", net.Run.ID, again.Run.ID)
	}
	layers := net.Attention(lesson.Image(0))
	if len(layers) != 1 || layers[0].Heads() != 2 || layers[0].Tokens() != 16 {
		t.Errorf("attention of %d layers", len(layers))
	}
	if n := len(lesson.Accuracy("a ViT")); n != 2 {
		t.Errorf("%d accuracies for 2 seeds", n)
	}
	lesson.Train("a Mixer", course.Model("mixer:1", small))
	reach := lesson.Over("a Mixer", func(n *course.Network) float64 { return n.Reach(0) })
	if len(reach) != 2 || reach[0] == reach[1] || !(reach[0] > 0 && reach[0] < course.Even(4)*1.1) {
		t.Errorf("the units reach %v patches", reach)
	}
	lesson.Compare()
}

func TestModelRefuses(t *testing.T) {
	if got := refuses(func() { course.Model("vti:1") }); !strings.Contains(got, `there is no block "vti"`) {
		t.Errorf("a mistyped block: %q", got)
	}
}

func TestSourceShowsCode(t *testing.T) {
	stdout := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = w
	course.Source("models/mixer.go", "build")
	os.Stdout = stdout
	w.Close()
	text := make([]byte, 1<<16)
	n, _ := r.Read(text)
	if !strings.Contains(string(text[:n]), "func (m Mixer) build(n *network") || !strings.Contains(string(text[:n]), "token_mlp") {
		t.Errorf("the source shown is %q", text[:n])
	}
	if got := refuses(func() { course.Source("models/mixer.go", "nothing") }); got != "models/mixer.go declares no nothing" {
		t.Errorf("a name that is not there: %q", got)
	}
}

// TestCheck judges answers in a process of its own, which a wrong one ends.
func TestCheck(t *testing.T) {
	if answer := os.Getenv("COURSE_TEST_ANSWER"); answer != "" {
		got, err := strconv.ParseFloat(answer, 64)
		if err != nil {
			t.Fatal(err)
		}
		course.Near("the sum", got, 1, "Did you forget the softmax?")
		return
	}
	for answer, want := range map[string]string{"1.0005": "the sum: right.", "2": "the sum: not yet. Did you forget the softmax? You have 2."} {
		cell := exec.Command(os.Args[0], "-test.run=^TestCheck$")
		cell.Env = append(os.Environ(), "COURSE_TEST_ANSWER="+answer)
		out, err := cell.CombinedOutput()
		if !strings.Contains(string(out), want) || (err == nil) != (answer != "2") {
			t.Errorf("the answer %s: %s (%v)", answer, out, err)
		}
	}
}

func TestSequences(t *testing.T) {
	net := course.Translator(true, 4, 1)
	defer net.Close()
	random := rand.New(rand.NewPCG(1, 2))
	first := course.Step(net, random, 32, 3)
	last := first
	for range 60 {
		last = course.Step(net, random, 32, 3)
	}
	if !(last < .8*first) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
	a := course.Accuracies(net, random, 2, 3)
	if len(a) != 2 || min(a[0], a[1]) < .3 || max(a[0], a[1]) > 1 {
		t.Errorf("accuracies %v after some training, a guess has .25", a)
	}
	weights, read, _ := course.Alignment(net, []int32{1, 4, 2})
	if len(weights) > 3 || strings.Join(read, " ") != "1 4 2" {
		t.Errorf("%d rows of weights for %v", len(weights), read)
	}
}

func TestMeasureCost(t *testing.T) {
	c := course.MeasureCost("a Mixer", []int{2, 4}, "mixer:1", small)
	if line := c.Line(); len(line.X) != 2 || line.X[1] != 16 || !(line.Y[0] > 0) {
		t.Errorf("the cost is %v", c)
	}
	if len(c.Powers()) != 3 || len(c.Milliseconds(4)) != 3 {
		t.Errorf("%v and %v, want three rounds", c.Powers(), c.Milliseconds(4))
	}
}

func TestShuffled(t *testing.T) {
	m := viz.Image{Height: 4, Width: 4, Channels: 1, Pixels: []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	s := course.Shuffled(m, 2)
	if slices.Equal(s.Pixels, m.Pixels) {
		t.Error("nothing moved")
	}
	sorted := slices.Sorted(slices.Values(s.Pixels))
	if !slices.Equal(sorted, m.Pixels) {
		t.Errorf("%v has not each pixel once", s.Pixels)
	}
	for _, corner := range []int{0, 2, 8, 10} { // of the patches
		if v := s.Pixels[corner]; s.Pixels[corner+1] != v+1 || s.Pixels[corner+4] != v+4 || s.Pixels[corner+5] != v+5 {
			t.Errorf("the patch at %d is torn: %v", corner, s.Pixels)
		}
	}
}

// TestAttentionMeasures knows what looks everywhere, and at itself.
func TestAttentionMeasures(t *testing.T) {
	const grid, tokens = 4, 16
	scores := make([]float32, tokens*tokens)
	for i := range scores {
		scores[i] = 1. / tokens
	}
	even, err := viz.NewAttention("even", 1, scores)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("the far share of an even look", course.Far(even), 1)
	near("its distance", even.Distances()[0], course.Even(grid))
	near("half of it, after a skip connection", course.Rollout([]viz.Attention{even}).Distances()[0], course.Even(grid)/2)

	// The left half is black, the right white, and all look at the corner of their own colour.
	m := viz.Image{Height: grid, Width: grid, Channels: 1, Pixels: make([]uint8, tokens)}
	clear(scores)
	for i := range tokens {
		corner := 0
		if i%grid >= grid/2 {
			m.Pixels[i], corner = 255, grid-1
		}
		scores[i*tokens+corner] = 1
	}
	alike, err := viz.NewAttention("alike", 1, scores)
	if err != nil {
		t.Fatal(err)
	}
	near("the alikeness of an even look", course.Alikeness(m, even), 0)
	near("that of a look at one's own colour", course.Alikeness(m, alike), 1)
}
