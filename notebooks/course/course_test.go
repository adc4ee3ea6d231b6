package course_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"patchlab/models"
	"patchlab/notebooks/course"
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
	lesson := course.Lesson{Name: "test", Data: "shapes", Images: 100, Epochs: 1, Seed: 1}
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
	lesson.Train("a Mixer", course.Model("mixer:1", small))
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
	if a := course.Accuracy(net, random, 3); a < .3 || a > 1 {
		t.Errorf("accuracy %v after some training, a guess has .25", a)
	}
	weights, read, _ := course.Alignment(net, []int32{1, 4, 2})
	if len(weights) > 3 || strings.Join(read, " ") != "1 4 2" {
		t.Errorf("%d rows of weights for %v", len(weights), read)
	}
}

func TestMilliseconds(t *testing.T) {
	if ms := course.Milliseconds(course.Model("mixer:1", small)); !(ms > 0) {
		t.Errorf("a forward pass takes %v ms", ms)
	}
}
