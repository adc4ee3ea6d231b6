package spec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownCache gives a test a cache folder of its own, but Go's build cache.
func ownCache(t *testing.T) string {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(cache)), "\n")
	t.Setenv("GOCACHE", lines[0])
	t.Setenv("GOMODCACHE", lines[1])
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	return dir
}

func TestWarm(t *testing.T) {
	ownCache(t)
	module := t.TempDir()
	write(t, filepath.Join(module, "go.mod"), "module example.com/m\n\ngo 1.26\n")
	write(t, filepath.Join(module, "a", "a.go"), "package a\n\nimport _ \"strings\"\n")
	write(t, filepath.Join(module, "internal", "b", "b.go"), "package b\n")
	write(t, filepath.Join(module, "cmd", "c", "c.go"), "package main\n\nfunc main() {}\n")
	var said strings.Builder
	w := Warming{Module: module, Flags: "-buildvcs=false", Progress: &said}
	if w.Warmed() {
		t.Error("warm before it was warmed")
	}
	if err := w.Warm(t.Context()); err != nil || !w.Warmed() {
		t.Errorf("warmed %v, %v", w.Warmed(), err)
	}
	other := w
	other.Flags = "-race"
	if other.Warmed() {
		t.Error("warm for other flags")
	}
	write(t, filepath.Join(module, "go.sum"), "example.com/x v1.0.0 h1:x=\n")
	if w.Warmed() {
		t.Error("warm for other dependencies")
	}
	write(t, filepath.Join(module, "a", "a.go"), "package a\n\nvar x int = \"\"\n")
	if err := w.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "a.go") {
		t.Errorf("error %v", err)
	}
	write(t, filepath.Join(module, "go.mod"), "module example.com/m\n")
	if err := w.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "names no version of Go") {
		t.Errorf("error %v", err)
	}
}

// A program that "go run" or "go test" made is copied to a place that stays.
func TestKeepExecutable(t *testing.T) {
	dir := ownCache(t)
	if exe, err := os.Executable(); err != nil || !strings.Contains(exe, "go-build") {
		t.Skipf("the test runs from %s, %v", exe, err)
	}
	path, err := KeepExecutable()
	if err != nil || !strings.HasPrefix(path, dir) {
		t.Fatalf("%s, %v", path, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if again, err := KeepExecutable(); err != nil || again != path {
		t.Errorf("%s, %v", again, err)
	}
}
