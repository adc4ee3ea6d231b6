package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"patchlab/backend"
	"patchlab/compare/rerun"
	"patchlab/coursework"
	"patchlab/tracker"
)

// A page's outputs are compared but for what differs from run to run.
var changing = regexp.MustCompile(`01[0-9A-HJKMNP-TV-Z]{24}|signed with \S{8}|\(\d+ s\)`)

// The worked example of docs/coursework.md is executed, and prints what it says.
func TestCourseworkPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/coursework.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "notebooks"), os.DirFS("../../notebooks")); err != nil {
		t.Fatal(err)
	}
	// The test binary behaves as patchlab, and what it starts does too.
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "patchlab"), fmt.Appendf(nil, "#!/bin/sh\nexec %q \"$@\"\n", program), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv(asProgram, "1")
	t.Setenv(envKey, "")
	t.Setenv(envDB, "")
	said, blocks := "", 0
	for _, block := range regexp.MustCompile("(?s)```(sh|text)\n(.*?)```").FindAllSubmatch(page, -1) {
		text := string(block[2])
		if string(block[1]) == "text" {
			blocks++
			if got, want := changing.ReplaceAllString(said, "…"), changing.ReplaceAllString(text, "…"); got != want {
				t.Errorf("the page says\n%s\nbut it is\n%s", want, got)
			}
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", text)
		cmd.Dir = dir
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s\n%v\n%s%s", text, err, &out, &errs)
		}
		said = out.String()
	}
	if blocks < 3 || !strings.Contains(said, "# 04-mlp-mixer: bob") || !strings.Contains(said, "\nada,") {
		t.Errorf("%d outputs were compared; at the end the page says\n%s", blocks, said)
	}
}

// forge records a run as its owner can: with the points, the recipe and the weights
// of another, changed, and digests that are right.
func forge(t *testing.T, path, name string, value func(key string, v float64) float64, recipe func(string) string) {
	t.Helper()
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	old, err := db.Find(t.Context(), "honest")
	if err != nil {
		t.Fatal(err)
	}
	run, err := db.Start(t.Context(), tracker.Spec{Experiment: old.Experiment, Name: name, Params: old.Params, Environment: old.Environment, Inputs: old.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	for key := range old.Metrics {
		points, err := db.History(t.Context(), old.ID, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			if err := run.Log(p.Step, map[string]float64{key: value(key, p.Value)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	artifacts, err := db.Artifacts(t.Context(), old.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range artifacts {
		r, err := db.OpenArtifact(t.Context(), old.ID, a.Name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if a.Name == "recipe.json" {
			content = []byte(recipe(string(content)))
		}
		if err := run.AddArtifact(a.Name, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Finish(tracker.Finished); err != nil {
		t.Fatal(err)
	}
}

// Grading tells a true result from false ones, survives a recipe that never ends
// and one that is none, and goes on after Ctrl-C.
func TestCourseworkGrade(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(asProgram, "1") // what grading starts behaves as patchlab
	t.Setenv(envDB, "")
	course, db := filepath.Join(dir, "course"), filepath.Join(dir, "lab.db")
	must(t, "coursework", "new", course, "--notebook", "../../notebooks/02-vit.ipynb", "--name", "vit")
	must(t, smallTraining(db, "--name", "honest", "--experiment", "02-vit")...)
	asItIs := func(_ string, v float64) float64 { return v }
	forge(t, db, "better", func(key string, v float64) float64 {
		if key == "test_accuracy" { // a single value, and everything else is true
			return .99
		}
		return v
	}, func(r string) string { return r })
	forge(t, db, "no recipe", asItIs, func(r string) string { return "{" })
	forge(t, db, "endless", asItIs, func(r string) string {
		return strings.NewReplacer(`"epochs": 2`, `"epochs": 100000000`, `"patience": 10`, `"patience": 100000000`).Replace(r)
	})
	packed := filepath.Join(dir, "ada.tar.gz")
	must(t, "coursework", "key", "--student", "ada", "--key", filepath.Join(dir, "key"))
	out := must(t, "coursework", "submit", filepath.Join(course, "release", "vit"), "--db", db, "--key", filepath.Join(dir, "key"), "-o", packed)
	if !strings.Contains(out, "vit by ada, 4 runs") {
		t.Errorf("submitting said:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if len([]rune(line)) > 81 && !strings.Contains(line, dir) { // whose name is long
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	must(t, "coursework", "collect", packed, "--course", course)

	grade := []string{"coursework", "grade", "vit", "--course", course, "--all", "--limit", "6s"}
	cmd := process(t.Context(), dir, nil, "coursework", "grade", "vit", "--course", course, "--all")
	reader, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The fourth training never ends.
	var said bytes.Buffer
	for buffer := make([]byte, 1); !strings.Contains(said.String(), "3/4"); {
		n, err := reader.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			t.Fatalf("grading said %q: %v", said.String(), err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	io.Copy(&said, reader)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("interrupted, it ended with code %d: %s", code, &said)
	}

	if !strings.Contains(said.String(), "3/4  ada, no recipe: read recipe:") {
		t.Errorf("before, it said:\n%s", &said)
	}
	out, _, err = execute(t, grade...)
	if err == nil || !strings.Contains(err.Error(), "2 results have no verdict") {
		t.Errorf("grading ended with %v", err)
	}
	if !strings.Contains(out, "1/2  ada, no recipe: ") || !strings.Contains(out, "2/2  ada, endless: it took more than 6s") {
		t.Errorf("grading went on with:\n%s", out)
	}
	for _, line := range []string{"student                   runs  checked  reproduced  within  differs   open", "ada                          4        4           1       0        1      2"} {
		if !strings.Contains(out, line) {
			t.Errorf("the table lacks %q:\n%s", line, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(course, "verdicts", "ada", "vit.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| honest | 0.", "| better | 0.99 |", "| reproduced bit for bit |", "| not reproduced: test\\_accuracy differs by 0."} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the feedback lacks %q:\n%s", want, text)
		}
	}
	if left, err := filepath.Glob(filepath.Join(course, ".[gi]*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A signed recipe may ask for batches and tokens without end: its rerun ends when it takes
// more memory than it may, with a sentence that says so.
func TestRerunsMemoryIsBounded(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	t.Setenv(asProgram, "1")
	must(t, smallTraining(db, "--name", "honest", "--experiment", "vit")...)
	asItIs := func(_ string, v float64) float64 { return v }
	forge(t, db, "greedy", asItIs, func(r string) string {
		return strings.NewReplacer(`"dim": 8`, `"dim": 256`, `"patch_size": 8`, `"patch_size": 1`, `"batch": 16`, `"batch": 144`).Replace(r)
	})
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := coursework.Command{Program: program, Args: []string{"--backend", "go"}, Memory: 200e6}
	id := map[string]string{}
	for _, info := range recordedRuns(t, db) {
		id[info.Name] = info.ID
	}
	if v, err := c.Rerun(t.Context(), db, id["honest"], .01); err != nil || v.Outcome != rerun.Reproduced {
		t.Errorf("within its bound: %+v, %v", v, err)
	}
	if v, err := c.Rerun(t.Context(), db, id["greedy"], .01); err == nil || err.Error() != "it took more than 0.2 GB of memory" {
		t.Errorf("beyond its bound: %+v, %v", v, err)
	}
}

// A bound that there is not is told of.
func TestRerunMemory(t *testing.T) {
	for _, m := range []backend.Machine{{MemoryBytes: 8e9}, {}} {
		var said strings.Builder
		if bound := rerunMemory(m, &said); bound != m.MemoryBytes/2 || (bound == 0) != strings.Contains(said.String(), "nothing bounds") {
			t.Errorf("of %d bytes a rerun may take %d, and is told %q", m.MemoryBytes, bound, said.String())
		}
	}
}

// What is wrong with a submission is said before a key is made, and a key that is
// named is none that is made.
func TestSubmitMakesNoKeyForNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv(envKey, "")
	t.Setenv(envDB, "")
	course := filepath.Join(dir, "course")
	must(t, "coursework", "new", course, "--notebook", "../../notebooks/02-vit.ipynb", "--runs", "0", "--name", "essay")
	must(t, "coursework", "new", course, "--notebook", "../../notebooks/02-vit.ipynb", "--name", "vit")
	before, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	typo := filepath.Join(dir, "dna.key")
	for want, args := range map[string][]string{
		"no runs yet, since there is no " + filepath.Join(course, "release", "vit", "patchlab.db"): {"vit"},
		"there is no key " + typo: {"essay", "--key", typo},
	} {
		args[0] = filepath.Join(course, "release", args[0])
		if _, _, err := execute(t, append([]string{"coursework", "submit", "--student", "dan"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if after, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(after) != len(before) {
		t.Errorf("left %v, %v", after, err)
	}
}

func TestCourseworkBadInput(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(envKey, filepath.Join(dir, "key"))
	broken := filepath.Join(t.TempDir(), "broken.ipynb")
	if err := os.WriteFile(broken, []byte(`{"cells": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"new", dir}, `required flag(s) "notebook"`},
		{[]string{"new", dir, "--notebook", "nowhere.ipynb"}, "no such file"},
		{[]string{"new", dir, "--notebook", "../../notebooks/02-vit.ipynb", "--name", "Week 1"}, `the assignment "Week 1"; allowed`},
		{[]string{"new", dir, "--notebook", "../../notebooks/02-vit.ipynb", "--tolerance", "-1"}, "the tolerance -1"},
		{[]string{"new", dir, "--notebook", "a.ipynb", "--notebook", "b.ipynb", "--name", "x"}, "are those of one notebook"},
		{[]string{"new", filepath.Join(dir, "course"), "--notebook", "../../notebooks/02-vit.ipynb", "--notebook", broken}, broken},
		{[]string{"key"}, "name yourself with --student"},
		{[]string{"key", "--student", "Ada Lovelace"}, `the student "Ada Lovelace"; allowed`},
		{[]string{"submit", dir}, "is no assignment's folder"},
		{[]string{"collect", dir, "--course", dir}, "is no course's folder"},
		{[]string{"collect", dir, "--limit", "0"}, "--limit 0; allowed"},
		{[]string{"grade", "x", "--course", dir}, "is no course's folder"},
		{[]string{"grade", "x", "--sample", "0"}, "--sample 0; allowed"},
		{[]string{"grade", "x", "--limit", "0s"}, "--limit 0s; allowed"},
		{[]string{"hand-in"}, `there is no command "hand-in"`},
	} {
		if _, _, err := execute(t, append([]string{"coursework"}, test.args...)...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("bad input left %v, %v", entries, err)
	}
}
