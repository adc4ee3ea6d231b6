package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/tracker"
)

// asProgram makes the test binary behave as patchlab, for the tests of what
// needs a process.
const asProgram = "PATCHLAB_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// call runs the program in this process.
func execute(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), err
}

// fits reports lines of more than 80 columns.
func fits(t testing.TB, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

func must(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, err := execute(t, args...)
	if err != nil {
		t.Fatalf("patchlab %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// smallTraining trains a Mixer of a few thousand parameters in a second or two.
func smallTraining(db string, more ...string) []string {
	return append([]string{"train", "--db", db, "--backend", "go", "--data", "shapes", "--model", "mixer:1", "--image-size", "16",
		"--patch-size", "8", "--dim", "8", "--train-limit", "160", "--test-limit", "40", "--batch", "16", "--epochs", "2"}, more...)
}

func TestTrainEvaluatePredict(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	out := must(t, smallTraining(db, "--name", "first", "--tag", "course=vision")...)
	if lines := strings.Count(out, "epoch "); lines < 2 || !strings.Contains(out, "test top-1") {
		t.Errorf("training printed:\n%s", out)
	}
	fits(t, out+must(t, "evaluate", "first", "--db", db, "--backend", "go")+must(t, "models")+must(t, "models", "--papers"))

	var e evaluationReport
	if err := json.Unmarshal([]byte(must(t, "evaluate", "first", "--db", db, "--backend", "go", "--format", "json")), &e); err != nil {
		t.Fatal(err)
	}
	open, info, err := readRun(t.Context(), db, "latest")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if want := info.Metrics["test_accuracy"].Value; e.Top1 != want || e.Images != 40 || !e.SameData {
		t.Errorf("evaluated %v on %d images (the same: %v), recorded %v on 40", e.Top1, e.Images, e.SameData, want)
	}
	if info.Tags["course"] != "vision" || info.Environment["backend"] != "go" || info.Environment["machine"] == "" || len(info.Inputs) != 1 {
		t.Errorf("recorded tags %v, environment %v, inputs %v", info.Tags, info.Environment, info.Inputs)
	}
	if table := must(t, "evaluate", "first", "--db", db, "--backend", "go"); strings.Count(table, " %") < 12 {
		t.Errorf("evaluate printed:\n%s", table)
	}

	tall := picture(t, filepath.Join(dir, "tall.png"), 50, 200, png.Encode)
	wide := picture(t, filepath.Join(dir, "wide.jpg"), 300, 7, func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) })
	var guesses []guess
	if err := json.Unmarshal([]byte(must(t, "predict", "first", tall, wide, "--db", db, "--backend", "go", "--format", "json")), &guesses); err != nil {
		t.Fatal(err)
	}
	if len(guesses) != 2 || len(guesses[1].Top) != 5 || guesses[0].Top[0].Probability < guesses[0].Top[4].Probability {
		t.Errorf("guesses: %+v", guesses)
	}
	if text := must(t, "predict", "first", tall, "--db", db, "--backend", "go"); !strings.Contains(text, "█") {
		t.Errorf("no bars:\n%s", text)
	}
}

// A rerun says what it found, and both runs keep it.
func TestRerun(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(db, "--name", "first")...)
	if out := must(t, "rerun", "first", "--db", db); !strings.Contains(out, "first: reproduced bit for bit\n") {
		t.Errorf("the rerun said:\n%s", out)
	}
	// A run that claims other losses than its recipe gives.
	lab, err := tracker.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	first, err := lab.Find(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := lab.OpenArtifact(t.Context(), first.ID, "recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer recipe.Close()
	forged, err := lab.Start(t.Context(), tracker.Spec{Name: "forged", Environment: first.Environment, Inputs: first.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.AddArtifact("recipe.json", recipe); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"step_loss", "val_loss"} {
		points, err := lab.History(t.Context(), first.ID, key)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range points {
			if i > 0 {
				p.Value /= 2
			}
			if err := forged.Log(p.Step, map[string]float64{key: p.Value}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := forged.Finish(tracker.Finished); err != nil {
		t.Fatal(err)
	}
	out := must(t, "rerun", "forged", "--db", db)
	if !strings.Contains(out, "forged: not reproduced") {
		t.Errorf("the rerun of a forged run said:\n%s", out)
	}
	for ref, want := range map[string]string{"first": "reproduced bit for bit", "first again": "reproduced bit for bit", "forged": "not reproduced"} {
		info, err := lab.Find(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Tags["rerun.verdict"]; !strings.HasPrefix(got, want) {
			t.Errorf("%s carries the verdict %q, want %q", ref, got, want)
		}
	}
}

func picture(t *testing.T, path string, width, height int, encode func(io.Writer, image.Image) error) string {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 90, 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := encode(f, m); err != nil {
		t.Fatal(err)
	}
	return path
}

// No command ends well whose words are lost; what it did is kept.
func TestOutputIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no file here that is always full")
	}
	defer full.Close()
	db := filepath.Join(t.TempDir(), "lab.db")
	for _, args := range [][]string{
		smallTraining(db, "--name", "first"),
		{"runs", "verify", "--db", db},
		{"rerun", "first", "--db", db, "--backend", "go"},
		{"weights", "export", "first", "--db", db, "-o", filepath.Join(t.TempDir(), "first.safetensors")},
		{"train", "--help"},
	} {
		if err := run(t.Context(), args, full, io.Discard); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("patchlab %s: %v", strings.Join(args, " "), err)
		}
	}
	if found := len(recordedRuns(t, db)); found != 2 {
		t.Errorf("%d runs were recorded, want 2", found)
	}
}

// Bad input gets one sentence that says what is allowed, and leaves no file.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	bad := filepath.Join(dir, "bad.png")
	if err := os.WriteFile(bad, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"train", "--model", "mixer-5"}, "allowed are mixer, vit, convmixer"},
		{[]string{"train", "--model", "mixer:0"}, "allowed are 1 to"},
		{[]string{"train", "--epochs", "0"}, "0 epochs; allowed: 1 or more"},
		{[]string{"train", "--patch-size", "5"}, "patch size 5 does not divide image size 32"},
		{[]string{"train", "--data", "mnist", "--backend", "go"}, "allowed: cifar10, fashion-mnist, shapes"},
		{[]string{"train", "--data-dir", filepath.Join(dir, "nowhere"), "--backend", "go"}, "nowhere"},
		{[]string{"train", "--backend", "tpu"}, "it must be auto, xla, go or cuda"},
		{[]string{"train", "--recipe", filepath.Join(dir, "none.json")}, "none.json"},
		{[]string{"train", "--decay", "l2", "--dry-run"}, `decay "l2"; allowed: plain, scaled`},
		{[]string{"train", "--resume", "latest"}, "lab.db"},
		{[]string{"train", "--resume", "latest", "--epochs", "5"}, "--epochs with --resume: a resumed run goes on as it began"},
		{[]string{"train", "--devices", "0"}, "--devices 0; allowed: 1 or more"},
		{[]string{"train", "--data", "shapes", "--train-limit", "100", "--backend", "go", "--devices", "2"}, "2 devices; allowed: 1 to 1"},
		{[]string{"train", "--data", "shapes", "--train-limit", "1", "--backend", "go"}, "both must be 1 or more"},
		{[]string{"quickstart", "--db", db, "-o", filepath.Join(dir, "absent", "quick.md")}, "the folder of " + filepath.Join(dir, "absent", "quick.md") + " is missing"},
		{[]string{"claims", "--db", db, "-o", dir}, dir + ": it is a folder"},
		{[]string{"evaluate", "latest", "--format", "xml"}, `format "xml"; allowed: table, json`},
		{[]string{"evaluate"}, "accepts 1 arg"},
		{[]string{"predict", "latest", bad}, "allowed: PNG, JPEG"},
		{[]string{"predict", "latest", filepath.Join(dir, "absent.png")}, "absent.png"},
		{[]string{"models", "resnet"}, "allowed are mixer, vit, convmixer"},
		{[]string{"models", "--format", "yaml"}, `format "yaml"; allowed: table, json`},
		{[]string{"frobnicate"}, `unknown command "frobnicate"`},
	} {
		if c.args[0] == "train" || c.args[0] == "evaluate" || c.args[0] == "predict" {
			c.args = append(c.args, "--db", db)
		}
		_, _, err := execute(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("patchlab %s\n\tgave %v\n\twant %q", strings.Join(c.args, " "), err, c.want)
		}
		if _, err := os.Stat(db); err == nil {
			t.Fatalf("patchlab %s left a database", strings.Join(c.args, " "))
		}
	}
}

func TestDryRunIsARecipe(t *testing.T) {
	dir := t.TempDir()
	first := must(t, "train", "--model", "mixer:2,vit:1", "--dim", "32", "--seed", "9", "--dry-run")
	path := filepath.Join(dir, "recipe.json")
	if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	if second := must(t, "train", "--recipe", path, "--dry-run"); first != second {
		t.Errorf("the recipe changed on its way through a file:\n%s\n%s", first, second)
	}
	if changed := must(t, "train", "--recipe", path, "--seed", "10", "--dry-run"); !strings.Contains(changed, `"seed": 10`) {
		t.Errorf("--seed did not change the recipe:\n%s", changed)
	}
}

// The contract of the JSON that other programs read.
func TestModelsJSON(t *testing.T) {
	var rows []map[string]any
	if err := json.Unmarshal([]byte(must(t, "models", "--format", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 10 {
		t.Errorf("%d models, want 10", len(rows))
	}
	for _, row := range rows {
		for _, key := range []string{"id", "params", "trainable", "flops", "image_size", "patch_size", "tokens", "reference"} {
			if row[key] == nil {
				t.Errorf("%v lacks %s", row["id"], key)
			}
		}
		reference, _ := row["reference"].(map[string]any)
		if reference["params"] != row["params"] {
			t.Errorf("%v has %v parameters, the reference %v", row["id"], row["params"], reference["params"])
		}
		for _, key := range []string{"test_accuracy", "ms_per_step"} {
			if x, _ := reference[key].(float64); x <= 0 {
				t.Errorf("%v: reference %s is %v", row["id"], key, reference[key])
			}
		}
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	for _, c := range newRootCommand().Commands() {
		if c.HasSubCommands() {
			for _, sub := range c.Commands() {
				if sub.Example == "" && !sub.Hidden {
					t.Errorf("%s has no examples", sub.CommandPath())
				}
			}
		} else if c.Example == "" {
			t.Errorf("%s has no examples", c.CommandPath())
		}
	}
}

// Every line of every command's help fits a terminal of 80 columns; what cobra
// wrote (completion, help) is its own.
func TestHelpFits(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			fits(t, must(t, append(strings.Fields(c.CommandPath())[1:], "--help")...))
		})
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" && sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	walk(newRootCommand())
}

// process starts the test binary as patchlab.
func process(ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	return cmd
}

// Ctrl-C midway: exit 130, a database that can be read, and a run that resumes
// to the losses that an uninterrupted one has.
func TestInterruptAndResume(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	args := smallTraining(db, "--name", "cut", "--epochs", "6")
	cmd := process(t.Context(), dir, nil, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "epoch 2/6") {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "train --resume") {
		t.Fatalf("exit code %d, want 130 and how to resume:\n%s", code, errs.String())
	}
	must(t, "runs", "list", "--db", db)
	must(t, "compare", "--db", db)
	must(t, "train", "--resume", "cut", "--db", db)
	if left, err := filepath.Glob(filepath.Join(dir, "lab.checkpoints", "*")); err != nil || len(left) > 0 {
		t.Errorf("a finished run left %v, %v", left, err)
	}
	must(t, smallTraining(filepath.Join(dir, "whole.db"), "--name", "whole", "--epochs", "6")...)
	final := map[string]float64{}
	for _, name := range []string{"lab", "whole"} {
		open, info, err := readRun(t.Context(), filepath.Join(dir, name+".db"), "latest")
		if err != nil {
			t.Fatal(err)
		}
		open.Close()
		if info.Status != tracker.Finished {
			t.Errorf("%s is %s", info.Name, info.Status)
		}
		final[name] = info.Metrics["test_loss"].Value
	}
	if final["lab"] != final["whole"] {
		t.Errorf("test loss %v after an interruption, %v without", final["lab"], final["whole"])
	}
	if _, _, err := execute(t, "train", "--resume", "cut", "--db", db); err == nil || !strings.Contains(err.Error(), "finished") {
		t.Errorf("resuming a finished run gave %v", err)
	}
}

// A machine without network, plugin and data still has a quickstart: on shapes,
// in pure Go, and a report at the end.
func TestQuickstartWithoutAnything(t *testing.T) {
	if testing.Short() {
		t.Skip("trains four networks in pure Go")
	}
	dir := t.TempDir()
	cmd := process(t.Context(), dir, []string{
		"HOME=" + dir, "XDG_CACHE_HOME=" + dir, "PJRT_PLUGIN_LIBRARY_PATH=" + dir, backend.OfflineEnv + "=1", envDB + "=", envDataDir + "=",
	}, "quickstart")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !regexp.MustCompile(`(?s)pure-Go backend.*built-in shapes.*\[4/4\].*What to try next`).Match(out) {
		t.Errorf("quickstart said:\n%s", out)
	}
	report, err := os.ReadFile(filepath.Join(dir, "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range quickModels {
		if !bytes.Contains(report, []byte(m.spec)) {
			t.Errorf("the report lacks %s:\n%s", m.spec, report)
		}
	}
	q := &quickstart{db: filepath.Join(dir, "patchlab.db"), kind: backend.Go}
	train, test := quickImages(true)
	d, err := datasets.Load(t.Context(), "shapes", datasets.Options{TrainLimit: train, TestLimit: test})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := q.plan(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan) != len(quickModels) || plan[0].seed != 2 {
		t.Errorf("the next quickstart would do %+v, want four models with seed 2", plan)
	}
}
