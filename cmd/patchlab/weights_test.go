package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
)

// folderOf draws a folder of two classes, light and dark, of pictures of many
// sizes.
func folderOf(t *testing.T, each int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shades")
	random := rand.New(rand.NewPCG(1, 2))
	for i, class := range []string{"dark", "light"} {
		if err := os.MkdirAll(filepath.Join(dir, "train", class), 0o700); err != nil {
			t.Fatal(err)
		}
		for k := range each {
			p := image.NewGray(image.Rect(0, 0, 20+k%9, 30-k%7))
			for j := range p.Pix {
				p.Pix[j] = uint8(120*i + random.IntN(120))
			}
			f, err := os.Create(filepath.Join(dir, "train", class, fmt.Sprintf("%d.png", k)))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(png.Encode(f, p), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// topOf is what a run's network says of a picture.
func topOf(t *testing.T, db, run, picture string) guess {
	t.Helper()
	var guesses []guess
	if err := json.Unmarshal([]byte(must(t, "predict", run, picture, "--db", db, "--backend", "go", "--format", "json")), &guesses); err != nil {
		t.Fatal(err)
	}
	return guesses[0]
}

// A folder of pictures is trained on; its run is exported with timm's names,
// imported again, says the same, and is fine-tuned on the folder: the head
// alone, then resumed and rerun, also when all that it came from is gone.
func TestWeightsThereAndBack(t *testing.T) {
	dir := t.TempDir()
	db, shades := filepath.Join(dir, "lab.db"), folderOf(t, 40)
	small := []string{"--image-size", "16", "--patch-size", "8", "--batch", "16", "--epochs", "3", "--db", db, "--backend", "go", "--data", "folder:" + shades}
	out := must(t, append([]string{"train", "--model", "mixer(separate_norms=true):1", "--dim", "8", "--learning-rate", ".02", "--name", "first"}, small...)...)
	if !strings.Contains(out, "test top-1 100.00 %") {
		t.Errorf("light and dark are not told apart:\n%s", out)
	}
	if table := must(t, "evaluate", "first", "--db", db, "--backend", "go"); !strings.Contains(table, "on 16 test images of folder:shades:\ntop-1 100.00 %") || strings.Contains(table, "not the images") {
		t.Errorf("evaluated:\n%s", table)
	}
	picture := filepath.Join(shades, "train", "light", "3.png")
	want := topOf(t, db, "first", picture)
	if want.Top[0].Class != "light" {
		t.Errorf("a light picture is taken for %+v", want.Top)
	}

	// The mixer of the course has no norm before its head, so timm has none like it; its own names go both ways.
	own := filepath.Join(dir, "own.safetensors")
	if _, _, err := execute(t, "weights", "export", "first", "-o", own, "--timm", "--db", db); err == nil || !strings.Contains(err.Error(), "norm before the head") {
		t.Errorf("exported for timm: %v", err)
	}
	must(t, "weights", "export", "first", "-o", own, "--db", db)
	fits(t, must(t, "weights", "import", own, "--name", "first again", "--db", db)) // the file says what it is
	if again := topOf(t, db, "first again", picture); fmt.Sprint(again) != fmt.Sprint(want) {
		t.Errorf("there and back by its own names, %+v became %+v", want, again)
	}
	must(t, "weights", "export", "first", "-o", filepath.Join(dir, "first.onnx"), "--db", db)
	if _, _, err := execute(t, "weights", "export", "first", "-o", filepath.Join(dir, "none", "first.onnx"), "--db", db); err == nil || !strings.Contains(err.Error(), "make "+filepath.Join(dir, "none")+" first") {
		t.Errorf("exported into a folder that is missing: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "first.onnx")); err != nil || info.Size() < 1000 {
		t.Errorf("no ONNX: %v", err)
	}

	// A ViT goes by timm's names.
	must(t, append([]string{"train", "--model", "vit-lite-7-4", "--dim", "256", "--name", "lite", "--train-limit", "8", "--test-limit", "4", "--epochs", "1"},
		"--db", db, "--backend", "go", "--data", "folder:"+shades, "--batch", "8")...)
	file := filepath.Join(dir, "lite.safetensors")
	must(t, "weights", "export", "lite", "-o", file, "--timm", "--db", db)
	names := filepath.Join(dir, "names.txt")
	if err := os.WriteFile(names, []byte("dark\r\nlight\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mean, std := momentsOf(t, db, "lite")
	must(t, "weights", "import", file, "--as", "vit-lite-7-4", "--name", "lite again", "--classes", names, "--crop", "1", "--mean", mean, "--std", std, "--db", db)
	first, again := topOf(t, db, "lite", picture), topOf(t, db, "lite again", picture)
	for i := range first.Top {
		if a, b := first.Top[i], again.Top[i]; a.Class != b.Class || a.Probability-b.Probability > 1e-5 || b.Probability-a.Probability > 1e-5 {
			t.Errorf("there and back, %+v became %+v", first.Top, again.Top)
			break
		}
	}
	if table := must(t, "evaluate", "lite again", "--db", db, "--backend", "go", "--data", "folder:"+shades); !strings.Contains(table, "on 16 test images") {
		t.Errorf("evaluated:\n%s", table)
	}
	if out := must(t, "inspect", "lite again", "--db", db, "--backend", "go", "--image", picture, "--what", "patches,attention,rollout,position", "-o", filepath.Join(dir, "drawn")); out == "" {
		t.Error("nothing was drawn")
	}
	if _, _, err := execute(t, "inspect", "lite again", "--db", db, "--backend", "go", "-o", filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "--image") {
		t.Errorf("test images of an imported run: %v", err)
	}
	if _, _, err := execute(t, "rerun", "lite again", "--db", db); err == nil || !strings.Contains(err.Error(), "no recipe") {
		t.Errorf("an imported run rerun: %v", err)
	}
}

// momentsOf are a network's pixel statistics as flags of an import.
func momentsOf(t *testing.T, path, ref string) (mean, std string) {
	t.Helper()
	db, info, err := readRun(t.Context(), path, ref)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, named, err := lab.Weights(t.Context(), db, info)
	if err != nil {
		t.Fatal(err)
	}
	var means, stds []string
	for c := range 3 {
		m := named["normalization/mean"].Value().([]float32)[c]
		v := named["normalization/variance"].Value().([]float32)[c]
		means = append(means, fmt.Sprintf("%.9f", float64(m)/255))
		stds = append(stds, fmt.Sprintf("%.9f", math.Sqrt(float64(v))/255))
	}
	return strings.Join(means, ","), strings.Join(stds, ",")
}

func TestFineTune(t *testing.T) {
	dir := t.TempDir()
	db, shades := filepath.Join(dir, "lab.db"), folderOf(t, 40)
	must(t, smallTraining(db, "--name", "base")...)
	tune := []string{"train", "--init", "base", "--data", "folder:" + shades, "--db", db, "--backend", "go", "--batch", "16", "--epochs", "4"}
	out := must(t, append(tune, "--name", "head", "--freeze", "--learning-rate", ".05")...)
	if !strings.Contains(out, "test top-1") {
		t.Errorf("fine-tuned:\n%s", out)
	}
	t.Setenv(envDataDir, dir) // where its pictures are not
	if out := must(t, "evaluate", "head", "--db", db, "--backend", "go"); strings.Contains(out, "not the images") {
		t.Errorf("evaluated:\n%s", out)
	}
	must(t, "inspect", "head", "--db", db, "--backend", "go", "--what", "patches", "-o", filepath.Join(dir, "patches"))
	others := filepath.Join(filepath.Dir(shades), "others")
	if err := os.Rename(folderOf(t, 20), others); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "evaluate", "head", "--db", db, "--backend", "go", "--data", "folder:"+others); !strings.Contains(out, "not the images") {
		t.Errorf("evaluated on others:\n%s", out)
	}
	t.Setenv(envDataDir, "")
	must(t, "runs", "delete", "base", "--db", db) // what it came from may go
	if out := must(t, "rerun", "head", "--db", db); !strings.Contains(out, "head: reproduced bit for bit") {
		t.Errorf("rerun:\n%s", out)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	must(t, "runs", "restore", "base", "--db", db)
	err := run(ctx, append(tune, "--name", "cut"), cutOff{stop, []byte("epoch 1/4")}, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted training gave %v", err)
	}
	must(t, append(tune, "--name", "whole")...)
	must(t, "train", "--resume", "cut", "--db", db)
	if cut, whole := recordedRun(t, db, "cut").Metrics["test_loss"].Value, recordedRun(t, db, "whole").Metrics["test_loss"].Value; cut != whole {
		t.Errorf("resumed, the test loss is %v, else %v", cut, whole)
	}
	moved := filepath.Join(dir, "elsewhere")
	if err := os.Rename(shades, moved); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "rerun", "whole", "--db", db); err == nil {
		t.Error("rerun without its pictures")
	}
	if out := must(t, "rerun", "whole", "--db", db, "--data-dir", moved); !strings.Contains(out, "reproduced bit for bit") {
		t.Errorf("rerun with the pictures elsewhere:\n%s", out)
	}

	exported := filepath.Join(dir, "base.safetensors")
	must(t, "weights", "export", "base", "-o", exported, "--db", db)
	for name, init := range map[string]string{"of run": "base", "of file": exported} {
		must(t, "train", "--init", init, "--data", "shapes", "--train-limit", "160", "--test-limit", "40", "--epochs", "2", "--db", db, "--backend", "go", "--name", name)
	}
	if run, file := recordedRun(t, db, "of run").Metrics["test_loss"].Value, recordedRun(t, db, "of file").Metrics["test_loss"].Value; run != file {
		t.Errorf("begun with a run the test loss is %v, with its export %v", run, file)
	}
	if err := os.Remove(exported); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "rerun", "of file", "--db", db); !strings.Contains(out, "reproduced bit for bit") {
		t.Errorf("rerun without the file:\n%s", out)
	}
	nameless := filepath.Join(dir, "nameless.safetensors")
	if err := os.WriteFile(nameless, []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o600); err != nil {
		t.Fatal(err)
	}

	runs := len(recordedRuns(t, db))
	file := filepath.Join(dir, "recipe.json")
	if err := os.WriteFile(file, []byte(must(t, "train", "--db", db, "--init", "base", "--data", "shapes", "--dry-run")), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"its file does not hold": {"--recipe", file},
		"there is no --init":     {"--freeze"},
		"both name a model":      {"--init", "base", "--model", "mixer-4"},
		`"nobody": not found`:    {"--init", "nobody"},
		"needs Float32 [192 16]": {"--init", "base", "--dim", "16"},
		"needs Float32 [9":       {"--init", "base", "--image-size", "24"},
		"weights import":         {"--init", nameless},
		"no such file":           {"--init", exported},
		"train/CLASS/PICTURE":    {"--init", "base", "--data", "folder:" + dir},
	} {
		if _, _, err := execute(t, append([]string{"train", "--db", db, "--backend", "go", "--data", "shapes", "--train-limit", "40", "--test-limit", "10"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if now := len(recordedRuns(t, db)); now != runs {
		t.Errorf("what was refused left %d runs", now-runs)
	}
}

// A file that is none, or of another network, is one sentence and no run.
func TestImportRefuses(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	header := func(h string) string { return string([]byte{byte(len(h)), byte(len(h) >> 8), 0, 0, 0, 0, 0, 0}) + h }
	for want, path := range map[string]string{
		"run code when it is read":               write("a.pt", "PK\x03\x04…"),
		"only if you trust it":                   write("pickle.pt", "\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00}"),
		"patch_embed.proj.weight":                write("k.safetensors", header("{}"+strings.Repeat(" ", 638))), // whose length begins as a pickle does
		"allowed: 2 to 100000000":                write("b.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}"),
		"header ends after 2":                    write("c.safetensors", "\x40\x00\x00\x00\x00\x00\x00\x00{}"),
		`"x": bytes 0 to 8; want 4 bytes from 0`: write("d.safetensors", header(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`)+"12345678"),
		`"y": bytes 2 to 6; want 4 bytes from 4`: write("e.safetensors", header(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`)+"12345678"),
		`type "C64"; allowed`:                    write("f.safetensors", header(`{"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}`)+"12345678"),
		"values end before 8":                    write("g.safetensors", header(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`)+"1234"),
		"pos_embed has shape [1 4 1]":            write("j.safetensors", header(`{"cls_token":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"pos_embed":{"dtype":"F32","shape":[1,4,1],"data_offsets":[4,20]}}`)+strings.Repeat("0", 20)),
	} {
		_, _, err := execute(t, "weights", "import", path, "--as", "vit-lite-7-4", "--db", db)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
	}
	empty := write("empty.safetensors", header("{}"))
	for want, args := range map[string][]string{
		"--as":                    {},
		"no block":                {"--as", "resnet50"},
		"patch_embed.proj.weight": {"--as", "vit-lite-7-4"},
	} {
		if _, _, err := execute(t, append([]string{"weights", "import", empty, "--db", db}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	write("config.json", `{"architecture": "vit-lite-7-4", "pretrained_cfg": {"interpolation": "bilinear"}}`)
	if _, _, err := execute(t, "weights", "import", empty, "--db", db); err == nil || !strings.Contains(err.Error(), "bicubic") {
		t.Errorf("a config that is not as ours: %v", err)
	}
	if _, err := os.Stat(db); err == nil {
		t.Error("a refused import made a database")
	}
}

func TestAmongPatches(t *testing.T) {
	scores := []float32{ // two heads of a class token and two patches
		.5, .25, .25, .5, .1, .4, .2, .6, .2,
		.1, .1, .8, 0, .5, .5, .5, 0, .5,
	}
	want := []float32{.2, .8, .75, .25, .5, .5, 0, 1}
	got := amongPatches(scores, 3)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i, w := range want {
		if d := got[i] - w; d > 1e-6 || d < -1e-6 {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// Weights with Patchlab's own names, exported elsewhere, are taken as they are.
func TestImportOwn(t *testing.T) {
	dir := t.TempDir()
	db, own := filepath.Join(dir, "lab.db"), filepath.Join(dir, "own.safetensors")
	b, _, err := backend.Open(t.Context(), backend.Go, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	entry, err := models.Lookup("mixer-4")
	if err != nil {
		t.Fatal(err)
	}
	n, err := experiments.NewNetwork(b, entry.Config, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	f, err := os.Create(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.SaveWeights(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"needs Float32 [192 128]": {"--as", "mixer-2"},
		"leave --mean":            {"--as", "mixer-4", "--mean", "0,0,0"},
		"crop of 2":               {"--as", "mixer-4", "--crop", "2"},
		"10 classes and 1 names":  {"--as", "mixer-4", "--classes", picture(t, filepath.Join(dir, "names"), 1, 1, func(w io.Writer, _ image.Image) error { _, err := io.WriteString(w, "one"); return err })},
	} {
		if _, _, err := execute(t, append([]string{"weights", "import", own, "--db", db}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if _, err := os.Stat(db); err == nil {
		t.Error("a refused import made a database")
	}
	if _, _, err := execute(t, "weights", "import", own, "--db", db); err == nil || !strings.Contains(err.Error(), "--as") {
		t.Errorf("a file that does not say what it is: %v", err)
	}
	must(t, "weights", "import", own, "--as", "mixer-4", "--db", db)
	back := filepath.Join(dir, "back.safetensors")
	must(t, "weights", "export", "own", "-o", back, "--db", db)
	must(t, "weights", "import", back, "--db", db) // now it says what it is
	again := filepath.Join(dir, "again.safetensors")
	must(t, "weights", "export", "back", "-o", again, "--db", db)
	var files [3]weightFile
	for i, path := range []string{own, back, again} {
		if files[i], err = readWeights(path); err != nil {
			t.Fatal(err)
		}
	}
	if files[1].digest != files[2].digest {
		t.Error("exported again it is another file")
	}
	for name, value := range files[0].named {
		if !value.Equal(files[2].named[name]) {
			t.Errorf("there and back, %s has changed", name)
		}
	}
	must(t, "weights", "import", back, "--name", "cut out", "--crop", ".5", "--db", db)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600); err != nil { // of something else
		t.Fatal(err)
	}
	must(t, "weights", "import", back, "--db", db)
	if _, _, err := execute(t, "weights", "export", "own", "-o", filepath.Join(dir, "x.pt"), "--db", db); err == nil || !strings.Contains(err.Error(), ".onnx or .safetensors") {
		t.Errorf("exported as .pt: %v", err)
	}
}

// Images of other classes are refused with the command that fits the network to them.
func TestEvaluateOnOtherClasses(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(db, "--name", "first", "--epochs", "1")...)
	data := "folder:" + folderOf(t, 5)
	_, _, err := execute(t, "evaluate", "first", "--data", data, "--db", db, "--backend", "go")
	if err == nil || !strings.Contains(err.Error(), "has 2 classes and 3 channels, the network ") || !strings.Contains(err.Error(), "train --init "+recordedRun(t, db, "first").ID+" --data "+data+" --db "+db+`" fits it to them`) {
		t.Errorf("evaluated on other classes: %v", err)
	}
}
