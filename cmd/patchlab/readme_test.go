package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readme is the README, and root the folder that it lies in.
func readme(t *testing.T) (text, root string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b), root
}

// block is the one block of code in the text that says what holds.
func block(t *testing.T, text, language, holds string) string {
	t.Helper()
	for _, b := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		if strings.Contains(b[1], holds) {
			return b[1]
		}
	}
	t.Fatalf("the README has no block of %s that says %q", language, holds)
	return ""
}

// shell runs commands in a folder, without network, and returns what they print.
func shell(t *testing.T, dir, commands string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=", "GOFLAGS=", "PATCHLAB_OFFLINE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// The program that uses Patchlab as a library is built and runs, in a workspace as the README makes it.
func TestReadmeLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and trains for half a minute: left out with -short")
	}
	text, root := readme(t)
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mine, "main.go"), []byte(block(t, text, "go", "package main")), 0o644); err != nil {
		t.Fatal(err)
	}
	commands := block(t, text, "sh", "go work init mine patchlab")
	said := shell(t, dir, strings.Replace(commands, "mine patchlab", fmt.Sprintf("mine %q", root), 1))
	if !strings.HasSuffix(said, "of the test images are right\n") {
		t.Errorf("it says\n%s", said)
	}
	if run := recordedRun(t, filepath.Join(dir, "patchlab.db"), "mine"); run.Params["epochs"] != "2" || len(run.Inputs) != 1 {
		t.Errorf("it recorded %+v", run)
	}
}

// The architecture of ten minutes is built into the program as the README says, is listed, and trains in a hybrid.
func TestReadmeArchitecture(t *testing.T) {
	if testing.Short() {
		t.Skip("builds patchlab anew: left out with -short")
	}
	text, root := readme(t)
	dir := t.TempDir()
	stack, err := os.ReadFile(filepath.Join(root, "models", "stack.go"))
	if err != nil {
		t.Fatal(err)
	}
	line := block(t, text, "go", "PoolFormer{}}")
	before := strings.Replace(line, ", PoolFormer{}", "", 1)
	if !bytes.Contains(stack, []byte(before)) {
		t.Fatalf("models/stack.go has no line %q for the README to change", before)
	}
	overlay := map[string]string{}
	for name, content := range map[string]string{
		"stack.go":      strings.Replace(string(stack), before, line, 1),
		"poolformer.go": block(t, text, "go", "package models"),
	} {
		overlay[filepath.Join(root, "models", name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	changed, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), changed, 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "patchlab")
	shell(t, root, fmt.Sprintf("go build -overlay %q -o %q ./cmd/patchlab", filepath.Join(dir, "overlay.json"), program))
	commands := block(t, text, "sh", "--model poolformer:2,vit:1")
	for _, c := range strings.Split(strings.TrimSpace(commands), "\n") {
		args, ours := strings.CutPrefix(c, "go run ./cmd/patchlab ")
		if !ours {
			continue
		}
		if strings.HasPrefix(args, "train") {
			args += " --epochs 1 --train-limit 80 --test-limit 20 --image-size 16 --patch-size 8 --dim 8 --backend go --name pool"
		}
		shell(t, dir, program+" "+args)
	}
	if run := recordedRun(t, filepath.Join(dir, "patchlab.db"), "pool"); run.Params["epochs"] != "1" {
		t.Errorf("it recorded %+v", run)
	}
}

// The README's table of the rooms says what they import; its picture has an arrow, or several in a row, for each of
// these imports, and no other arrow. Nothing imports cmd.
func TestReadmeRooms(t *testing.T) {
	text, root := readme(t)
	imports := map[string][]string{} // of ours, by room
	list := shell(t, root, `go list -f '{{.ImportPath}} {{join .Imports " "}}' ./...`)
	room := func(path string) string {
		path, ours := strings.CutPrefix(path, "patchlab/")
		first, _, _ := strings.Cut(path, "/")
		if !ours {
			return ""
		}
		return first
	}
	for line := range strings.Lines(list) {
		paths := strings.Fields(line)
		from := room(paths[0])
		if _, known := imports[from]; !known {
			imports[from] = nil
		}
		for _, path := range paths[1:] {
			to := room(path)
			if to == "cmd" && from != "cmd" {
				t.Errorf("%s imports %s; nothing may import cmd/", paths[0], path)
			}
			if to != "" && to != from && !slices.Contains(imports[from], to) {
				imports[from] = append(imports[from], to)
			}
		}
	}
	free := []string{"cmd", "notebooks", "bench"} // may import anything
	rows := map[string]string{}
	for _, r := range regexp.MustCompile("(?m)^\\| `([a-z]+)/`.* \\| (.*?) \\|$").FindAllStringSubmatch(text, -1) {
		rows[r[1]] = r[2]
	}
	for from, to := range imports {
		slices.Sort(to)
		want := strings.Join(to, ", ")
		switch {
		case slices.Contains(free, from):
			continue
		case len(to) == 0:
			want = "–"
		}
		if rows[from] != want {
			t.Errorf("%s/ imports %s; the README's table says %q", from, want, rows[from])
		}
	}

	// An arrow's id is FROM-TO; there may be others from the same place (cmd-compare).
	picture, err := os.ReadFile(filepath.Join(root, "docs", "rooms.svg"))
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		Arrows []struct {
			ID string `xml:"id,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(picture, &svg); err != nil {
		t.Fatal(err)
	}
	arrows := map[string][]string{}
	for _, a := range svg.Arrows {
		from, to, _ := strings.Cut(a.ID, "-")
		if !slices.Contains(imports[from], to) {
			t.Errorf("the picture's arrow %q is no import", a.ID)
		}
		arrows[from] = append(arrows[from], to)
	}
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(arrows[from], func(next string) bool { return next == to || reaches(next, to) })
	}
	for from, all := range imports {
		for _, to := range all {
			if !slices.Contains(free, from) && !reaches(from, to) {
				t.Errorf("%s/ imports %s, and no arrows lead there", from, to)
			}
		}
	}
}
