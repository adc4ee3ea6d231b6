package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchlab/tracker"
)

// everyBlock trains a network that has every kind of block, in a second or two.
func everyBlock(t *testing.T, db, name string) {
	t.Helper()
	out := must(t, "train", "--db", db, "--backend", "go", "--data", "shapes",
		"--model", "mixer:1,vit:2,convmixer:1", "--image-size", "16", "--patch-size", "4", "--dim", "8", "--train-limit", "96", "--test-limit", "48",
		"--batch", "16", "--epochs", "2", "--name", name)
	if !strings.Contains(out, "test top-1") {
		t.Fatalf("training printed:\n%s", out)
	}
}

func inspect(t *testing.T, db string, args ...string) []string {
	t.Helper()
	out := must(t, append([]string{"inspect", "--db", db, "--backend", "go"}, args...)...)
	return strings.Fields(out)
}

// TestInspectAll: every picture that fits is written and said, in the formats
// asked for; those that don't fit are left out.
func TestInspectAll(t *testing.T) {
	dir := t.TempDir()
	db, out := filepath.Join(dir, "lab.db"), filepath.Join(dir, "pictures")
	everyBlock(t, db, "mixed")
	files := inspect(t, db, "mixed", "--image", "3", "-o", out)
	var names []string
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", f, info, err)
		}
		names = append(names, strings.TrimPrefix(f, out+string(filepath.Separator)))
	}
	want := []string{
		"activations-block1-image3.png", "animation-block2-image3.gif", "animation-block3-image3.gif", "attention-block2-image3.png", "attention-block3-image3.png", "confusion.png",
		"curves.png", "distance.png", "entropy.png", "filters.png", "frequency-block1.png", "images.png", "kernels-block4.png", "mistakes.png",
		"patches-image3.png", "queries-block2-head1-image3.png", "queries-block2-head2-image3.png", "queries-block2-head3-image3.png",
		"queries-block2-head4-image3.png", "queries-block3-head1-image3.png", "queries-block3-head2-image3.png", "queries-block3-head3-image3.png",
		"queries-block3-head4-image3.png", "rollout-image3.png", "units-block1.png", "views-image3.png",
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("drew\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	index, err := os.ReadFile(filepath.Join(out, "index.md"))
	if err != nil || strings.Count(string(index), "![") != len(want) {
		t.Errorf("index.md: %v, %d pictures, want %d", err, strings.Count(string(index), "!["), len(want))
	}

	own := picture(t, filepath.Join(dir, "my cat.png"), 50, 80, png.Encode)
	files = inspect(t, db, "mixed", "--image", own, "--what", "rollout,animation", "--format", "svg,apng", "-o", out)
	for i, want := range []string{"rollout-my-cat.svg", "animation-block2-my-cat.png", "animation-block3-my-cat.png"} {
		if files[i] != filepath.Join(out, want) {
			t.Errorf("file %d is %s, want %s", i, files[i], want)
		}
	}
	animation, err := os.ReadFile(filepath.Join(out, "animation-block2-my-cat.png"))
	if err != nil || !bytes.Contains(animation, []byte("acTL")) {
		t.Errorf("no animated PNG (%v)", err)
	}

	path := filepath.Join(dir, "page.html")
	inspect(t, db, "mixed", "--image", "0", "--image", "1", "--what", "patches", "-o", path)
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), `id="data">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var data struct {
		Scenes []struct {
			Name   string
			Grid   int
			Layers []struct {
				Name  string
				Heads []string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Scenes) != 2 || data.Scenes[1].Name != "mixed, test image 1" || data.Scenes[0].Grid != 4 || len(data.Scenes[0].Layers) != 2 ||
		data.Scenes[0].Layers[1].Name != "Block 3" || len(data.Scenes[0].Layers[1].Heads) != 4 {
		t.Errorf("the page holds %+v", data)
	}
}

// TestInspectSeveral: one image as several networks see it, and their own
// pictures in folders of their own.
func TestInspectSeveral(t *testing.T) {
	dir := t.TempDir()
	db, out := filepath.Join(dir, "lab.db"), filepath.Join(dir, "pictures")
	must(t, smallTraining(db, "--name", "first", "--epochs", "1")...)
	must(t, smallTraining(db, "--name", "second", "--model", "convmixer:1", "--epochs", "1")...)
	second := recordedRun(t, db, "second").ID
	if got := inspect(t, db, "first", "second", "-o", out); len(got) != 1 || got[0] != filepath.Join(out, "views-image0.png") {
		t.Errorf("wrote %v, want views-image0.png alone", got)
	}
	must(t, smallTraining(db, "--name", "second", "--model", "convmixer:1", "--epochs", "1", "--seed", "2")...) // of equal name
	got := inspect(t, db, second, "latest", "--what", "filters", "-o", out)
	if want := filepath.Join(out, "second-"+second, "filters.png"); len(got) != 2 || got[0] != want || got[1] == want {
		t.Errorf("wrote %v, want %s and another", got, want)
	}
	// A page without attention says so and holds the pictures.
	stdout, stderr, err := execute(t, "inspect", "first", "--db", db, "--backend", "go", "-o", filepath.Join(dir, "page.HTML"), "--what", "units")
	if err != nil || !strings.Contains(stdout, "page.HTML") || !strings.Contains(stderr, "no attention to point at") {
		t.Errorf("a page of a Mixer: %v\n%s%s", err, stdout, stderr)
	}
}

// TestInspectRefuses says in one sentence what is possible, and leaves nothing behind.
func TestInspectRefuses(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	must(t, smallTraining(db, "--name", "first", "--epochs", "1")...)
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	lab, err := tracker.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	run, err := lab.Start(t.Context(), tracker.Spec{Name: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := lab.Find(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := lab.OpenArtifact(t.Context(), info.ID, "recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer recipe.Close()
	if err := run.AddArtifact("recipe.json", recipe); err != nil {
		t.Fatal(err)
	}
	if err := run.Finish(tracker.Killed); err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	unfinished := "run empty has no weights yet (it is killed); go on with it: " + self() + " train --resume " + run.ID() + " --db " + db
	for _, args := range [][]string{{"weights", "export", "empty", "-o", text + ".onnx"}, {"train", "--init", "empty"}} {
		if _, _, err := execute(t, append(args, "--db", db)...); err == nil || err.Error() != unfinished {
			t.Errorf("%v: %v, want %s", args, err, unfinished)
		}
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"empty"}, unfinished},
		{[]string{"nobody"}, "nobody"},
		{[]string{"first", "--what", "attention"}, "attention cannot be drawn for run first, a network of mixer:1, because it needs a ViT block; possible: patches, views, units, frequency, activations, filters, curves, confusion, mistakes, images"},
		{[]string{"first", "--what", "kernels"}, "needs a ConvMixer block; possible: "},
		{[]string{"first", "--what", "atention"}, `there is no picture "atention"; allowed: patches, `},
		{[]string{"first", "--image", "-1"}, "image -1; allowed: 0 to "},
		{[]string{"first", "--image", "99999"}, "image 99999; allowed: 0 to "},
		{[]string{"first", "--image", "cat"}, `image "cat" is no index of the test split, and as a file: open cat`},
		{[]string{"first", "--image", text}, "allowed: PNG, JPEG"},
		{[]string{"first", "--format", "jpeg"}, `format "jpeg"; allowed: png, svg, gif, apng`},
		{[]string{"first", "-o", filepath.Join(out, "x.html")}, "the folder of " + filepath.Join(out, "x.html") + " is missing: make " + out + " first"},
		{[]string{"first", "--what", "filters", "-o", text}, "it is a file; name a folder, or a page that ends in .html"},
	} {
		args := append([]string{"inspect", "--db", db, "--backend", "go"}, test.args...)
		if !slices.Contains(args, "-o") {
			args = append(args, "-o", out)
		}
		_, _, err := execute(t, args...)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("inspect %v: %v, want %q", test.args, err, test.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused inspection left a folder behind")
	}
}
