package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGallery renders the committed notebooks: the index shows each, the pages lead
// on, and no link is to what is not there.
func TestGallery(t *testing.T) {
	out := t.TempDir()
	var said bytes.Buffer
	if err := run("..", out, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "6 pages") {
		t.Errorf("it says %q", said.String())
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	index := read("index.html")
	for what, want := range map[string]int{`<img src="data:image/png;base64,`: 6, "<h2>": 6, "<h2></h2>": 0, "<p></p>": 0, `alt=""`: 0} {
		if n := strings.Count(index, what); n != want {
			t.Errorf("the index has %d times %s, want %d", n, what, want)
		}
	}
	first, last := read("01-introduction.html"), read("06-convmixer.html")
	if strings.Count(first, `rel="next"`) != 2 || strings.Contains(first, `rel="prev"`) || strings.Contains(last, `rel="next"`) {
		t.Error("the pages do not lead on as they stand in the course")
	}
	files, err := filepath.Glob(filepath.Join(out, "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile(`href="([^"#:]+)"`).FindAllStringSubmatch(read(filepath.Base(file)), -1) {
			if _, err := os.Stat(filepath.Join(out, m[1])); err != nil {
				t.Errorf("%s leads to %s, which is not there", filepath.Base(file), m[1])
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	if err := run(t.TempDir(), t.TempDir(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "no notebooks") {
		t.Errorf("an empty folder: %v", err)
	}
}
