package comparecmd

import (
	"bytes"
	"context"
	"flag"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patchlab/compare/comparetest"
	"patchlab/tracker"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// database makes a database of these runs.
func database(t *testing.T, runs []comparetest.Run) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runs.db")
	if _, err := comparetest.Create(context.Background(), path, runs); err != nil {
		t.Fatal(err)
	}
	return path
}

// execute runs the command and returns its standard output; of a failure, the
// error output too.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	stdout, stderr, err := executeBoth(t, args...)
	if err != nil {
		return stdout + stderr, err
	}
	return stdout, nil
}

func executeBoth(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := New("compare")
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&log)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(context.Background())
	return out.String(), log.String(), err
}

// golden compares output with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", path, got)
	}
}

// seeds are three runs of a model about an accuracy.
func seeds(model string, accuracy, speed float64, params, flops int64) []comparetest.Run {
	var out []comparetest.Run
	for i, off := range []float64{-.0041, .0007, .0052} {
		own := float64((params/7+int64(i)*37)%11) / 11 * .006
		out = append(out, comparetest.Run{
			Model: model, Seed: i + 1, Accuracy: math.Round(1e4*(accuracy+off+own)) / 1e4,
			TrainPerS: speed * (1 + off), Params: params, FLOPs: flops, Steps: 30,
		})
	}
	return out
}

// lab is a database as a user has it: five models with three seeds, one with a
// single run, and runs that did not end well.
func lab() []comparetest.Run {
	var runs []comparetest.Run
	runs = append(runs, seeds("mixer-2", .6892, 1900, 76_305, 15_000_000)...)
	runs = append(runs, seeds("vit-2", .6468, 900, 324_113, 41_000_000)...)
	runs = append(runs, seeds("mixer1-vit1", .6451, 1100, 200_209, 28_000_000)...)
	runs = append(runs, seeds("mixer-4", .6304, 2300, 90_065, 9_000_000)...)
	runs = append(runs, seeds("convmixer", .4936, 4500, 1_258, 2_000_000)...)
	runs = append(runs,
		comparetest.Run{Model: "vit-vis", Seed: 1, Accuracy: .6935, TrainPerS: 290, Params: 21_084_369, FLOPs: 130_000_000, Epochs: 3},
		comparetest.Run{Model: "mixer-4", Seed: 4, TrainPerS: 2300, Accuracy: .2, Status: tracker.Failed},
		comparetest.Run{Model: "mixer-4", Seed: 5, TrainPerS: 2300, Accuracy: .2, Status: tracker.Killed},
		comparetest.Run{Model: "vit-2", Seed: 4, TrainPerS: 900, Accuracy: .2, Status: tracker.Killed},
	)
	return runs
}

// stacks have long names that begin alike.
func stacks() []comparetest.Run {
	var runs []comparetest.Run
	for i, last := range []string{"vit:1", "vit:2", "convmixer:3"} {
		runs = append(runs, seeds("convmixer:1,mixer:2,vit:1,mixer:2,"+last, .6+.01*float64(i), 900+100*float64(i), int64(70_000+13*i), 9_000_000)...)
	}
	return runs
}

func TestGolden(t *testing.T) {
	withOther := append(lab(),
		comparetest.Run{Model: "mixer-4", Seed: 1, Accuracy: .6304, TrainPerS: 40_000, Params: 90_065, FLOPs: 9_000_000, Machine: "Example GPU", Backend: "xla:cuda"},
		comparetest.Run{Model: "vit-2", Seed: 1, Accuracy: .6481, TrainPerS: 30_000, Params: 324_113, FLOPs: 41_000_000, Machine: "Example GPU", Backend: "xla:cuda"},
		comparetest.Run{Model: "mixer-4", Seed: 1, Accuracy: .81, TrainPerS: 2300, Params: 90_065, Data: "shapes", TestImages: 2000},
	)
	repeats := append(seeds("mixer-2", .68, 1900, 76_305, 15_000_000), seeds("mixer-4", .63, 2300, 90_065, 9_000_000)...)
	repeats = append(repeats, repeats[0], repeats[1],
		comparetest.Run{Model: "mixer-4", Seed: 9, Accuracy: .64, TrainPerS: 2300, Params: 90_065, FLOPs: 9_000_000, Batch: 64, Commit: "89abcde", Dirty: true})
	labDB, otherDB, repeatsDB := database(t, lab()), database(t, withOther), database(t, repeats)
	singles := []comparetest.Run{
		{Model: "mixer-2", Seed: 1, Accuracy: .6892, TrainPerS: 1900, TestImages: 1000, Predictions: true},
		{Model: "mixer-4", Seed: 1, Accuracy: .6304, TrainPerS: 2300, TestImages: 1000, Predictions: true},
		{Model: "vit-2", Seed: 1, Accuracy: .684, TrainPerS: 900, TestImages: 1000},
	}
	singlesDB := database(t, singles)
	for _, c := range []struct {
		name string
		db   string
		args []string
	}{
		{"table.txt", labDB, nil},
		{"wide.txt", labDB, []string{"--width", "200"}},
		{"reference.txt", labDB, []string{"--against", "reference", "--sort", "train"}},
		{"equal.txt", labDB, []string{"--equal", "--target", "60", "--sort", "-name"}},
		{"bca.txt", labDB, []string{"--bca", "--level", "90", "--filter", "params.model LIKE 'mixer%'"}},
		{"settings.txt", otherDB, nil},
		{"across.txt", otherDB, []string{"--across", "machine,backend"}},
		{"repeats.txt", repeatsDB, nil},
		{"by.txt", repeatsDB, []string{"--by", "model,batch", "--sort", "params"}},
		{"singles.txt", singlesDB, nil},
		{"table.md", otherDB, []string{"--format", "markdown"}},
		{"table.csv", otherDB, []string{"--format", "csv", "--across", "all", "--equal"}},
		{"table.json", singlesDB, []string{"--format", "json", "--equal"}},
		{"table.tex", otherDB, []string{"--format", "latex"}},
		{"nofit.txt", labDB, []string{"--filter", "params.model = 'resnet'"}},
		{"names.txt", database(t, stacks()), nil},
		{"empty.txt", database(t, nil), nil},
		{"unfinished.txt", database(t, lab()[16:]), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := execute(t, append([]string{"--db", c.db}, c.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			got = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`).ReplaceAllString(got, "ID")
			got = regexp.MustCompile(`"made": "[^"]*"`).ReplaceAllString(got, `"made": "NOW"`)
			golden(t, c.name, got)
			if strings.HasSuffix(c.name, ".txt") && c.name != "wide.txt" {
				for line := range strings.Lines(got) {
					if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
						t.Errorf("a line has %d columns, more than 80: %s", n, line)
					}
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	path := database(t, lab()[:2])
	for want, args := range map[string][]string{
		"there is no such file":   {"--db", filepath.Join(t.TempDir(), "none.db")},
		`cannot group by "modle"`: {"--by", "modle"},
		"there are experiment, run, batch, data, environment.backend": {"--by", "modle"},
		`no column "speed"; there are accuracy, top5`:                 {"--sort", "speed"},
		`no format "xml"; there are table, markdown`:                  {"--format", "xml"},
		`cannot mix across "gpu"; there are machine, backend`:         {"--across", "gpu"},
		`nothing called "course"`:                                     {"--against", "course"},
		"--level is a percentage between 0 and 100, got 200":          {"--level", "200"},
		"--target is a percentage":                                    {"--target", "-3"},
		"\n               ^":                                          {"--filter", "params.model ~ 'mixer'"},
		`no figure "pie"; there are pareto`:                           {"--format", "svg", "--figure", "pie"},
		"--figure curves is for pictures alone":                       {"--figure", "curves", "-o", "x.md"},
		"unknown command":                                             {"all"},
		"x.bmp: no format belongs to the ending .bmp; allowed are .txt, .md, .csv, .json, .tex, .svg, .png, .htm, .html, or --format": {"-o", "x.bmp"},
		"ending .svg; allowed are .txt, .md, .json, or --format":                                                                      {"diff", "latest", "latest", "-o", "x.svg"},
		"cannot write to .: it is a folder; name a file in it":                                                                        {"-o", "."},
		"--width -5; allowed: 0 (the terminal's) or 20 or more":                                                                       {"--width", "-5"},
		"--width 1; allowed":  {"--width", "1"},
		"--width 19; allowed": {"diff", "latest", "latest", "--width", "19"},
	} {
		out, err := execute(t, append([]string{"--db", path}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compare %s: got error %v, want one with %q", strings.Join(args, " "), err, want)
		}
		if out != "" {
			t.Errorf("compare %s: printed %q besides its error", strings.Join(args, " "), out)
		}
	}
}

// TestPictures: a picture shows one table whole, or says why it cannot.
// TestNarrow: the narrowest width that is allowed has room for long names.
func TestNarrow(t *testing.T) {
	path := database(t, append(lab(), stacks()...))
	for _, args := range [][]string{{"--width", "20"}, {"diff", "latest", "latest", "--width", "20"}} {
		if out, err := execute(t, append(args, "--db", path)...); err != nil || out == "" {
			t.Errorf("compare %s: %v, printed %q", strings.Join(args, " "), err, out)
		}
	}
}

func TestPictures(t *testing.T) {
	labDB := database(t, lab())
	one := database(t, []comparetest.Run{{Model: "a", Seed: 1, Accuracy: .5, TrainPerS: 10, Epochs: 1}})
	two := database(t, append(lab(), comparetest.Run{Model: "a", Seed: 1, Accuracy: .5, TrainPerS: 10, Data: "shapes"}))
	for _, c := range []struct {
		db     string
		figure string
		want   string // of the error; "" for a picture
	}{
		{labDB, "pareto", ""}, {labDB, "pareto-infer", ""}, {labDB, "curves", ""}, {labDB, "curves-time", ""}, {labDB, "steps", ""},
		{one, "curves", "no curves to draw"}, {one, "steps", "no step times to draw"},
		{two, "pareto", "a picture shows one table, there are 2 (cifar10"}, {database(t, nil), "pareto", "nothing to draw"},
	} {
		for _, format := range []string{"svg", "png"} {
			got, notes, err := executeBoth(t, "--db", c.db, "--format", format, "--figure", c.figure)
			switch {
			case c.want == "" && !strings.Contains(notes, "Not counted: 1 failed, 2 killed"):
				t.Errorf("%s as %s: what has to be known is not said beside it: %q", c.figure, format, notes)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s as %s: error %v, want one with %q", c.figure, format, err, c.want)
			case c.want == "" && err != nil:
				t.Errorf("%s as %s: %v", c.figure, format, err)
			case c.want == "" && format == "svg" && !strings.Contains(got, ">mixer-2</text>"):
				t.Errorf("%s as SVG does not name mixer-2", c.figure)
			case c.want == "" && format == "png":
				if picture, err := png.Decode(strings.NewReader(got)); err != nil || picture.Bounds().Dx() != 1860 {
					t.Errorf("%s as PNG: %v", c.figure, err)
				}
			}
		}
	}
}

// TestOutputFile: the file is written whole, a failure leaves the old one, and
// no temporary file stays.
func TestOutputFile(t *testing.T) {
	db, folder := database(t, lab()), t.TempDir()
	path := filepath.Join(folder, "table.md")
	if _, err := execute(t, "--db", db, "-o", path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), "## cifar10") {
		t.Errorf("the format is taken from the file's name: got %.60q, want Markdown", content)
	}
	if _, err := execute(t, "--db", db, "-o", path, "--by", "nothing"); err == nil {
		t.Error("a bad --by with -o gave no error")
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, content) {
		t.Errorf("a failed comparison changed the file: %v", err)
	}
	if _, err := execute(t, "--db", db, "-o", filepath.Join(folder, "absent", "x.csv")); err == nil || !strings.Contains(err.Error(), "x.csv") {
		t.Errorf("writing into a folder that is not there: %v", err)
	}
	if _, err := execute(t, "--db", db, "-o", filepath.Join(t.TempDir(), "x.bmp"), "--format", "csv"); err != nil {
		t.Errorf("any ending goes with --format: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, want table.md only (%v)", entries, err)
	}
}

// TestReproduces: a shell and the command itself take the printed command, and
// it means the same.
func TestReproduces(t *testing.T) {
	db := database(t, lab())
	for _, args := range [][]string{
		{"--equal"}, {"--equal=false", "--bca"},
		{"--filter", "params.model != 'it''s $HOME `x`\\'", "--equal", "--by", "model,batch", "--sort", "-name", "--target", "60.5"},
		{"--filter", "", "--across", "all", "--format", "html"},
	} {
		page := filepath.Join(t.TempDir(), "a b.html")
		first := New("compare")
		first.SetArgs(append([]string{"--db", db, "-o", page}, args...))
		first.SetErr(&bytes.Buffer{})
		if err := first.Execute(); err != nil && !strings.Contains(err.Error(), "filter") {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(page); err == nil && !strings.Contains(string(content), "<pre>compare --") {
			t.Error("the page does not print the command")
		}
		line := commandLine("compare", first)
		shell := exec.Command("sh", "-c", `printf '%s\n' `+strings.TrimPrefix(line, "compare "))
		words, err := shell.Output()
		if err != nil {
			t.Fatalf("a shell does not read %s: %v", line, err)
		}
		again := New("compare")
		again.SetArgs(strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"))
		again.SetErr(&bytes.Buffer{})
		if err := again.Execute(); err != nil && !strings.Contains(err.Error(), "filter") {
			t.Errorf("%s is refused: %v", line, err)
		}
		if second := commandLine("compare", again); second != line {
			t.Errorf("%s was read as %s", line, second)
		}
	}
}

func TestHelp(t *testing.T) {
	out, err := execute(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Examples:", "compare --against reference", "--across", "--filter", "accuracy, top5, params"} {
		if !strings.Contains(out, want) {
			t.Errorf("help does not mention %q:\n%s", want, out)
		}
	}
}

// A mistyped name in a filter finds nothing, which is said beside the report.
func TestCompareHintsAtUnknownNames(t *testing.T) {
	path := database(t, []comparetest.Run{{Model: "mixer", Seed: 1, Accuracy: .5, TrainPerS: 100}})
	_, said, err := executeBoth(t, "--db", path, "--filter", "params.modl = 'mixer' or metrics.test_accurracy > .2")
	if err != nil || !strings.Contains(said, "no run has params.modl: there are params.batch, ") || !strings.Contains(said, "no run has metrics.test_accurracy: there are metrics.") {
		t.Errorf("%v, and it says %q", err, said)
	}
	if _, said, err = executeBoth(t, "--db", path, "--filter", "params.model = 'vit'"); err != nil || said != "" {
		t.Errorf("%v, and of a filter without a mistake it says %q", err, said)
	}
}
