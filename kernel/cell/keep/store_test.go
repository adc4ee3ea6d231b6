package keep_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"patchlab/kernel/cell"
	"patchlab/kernel/cell/keep"
)

// session gives the test a session of its own.
func session(t *testing.T) string {
	folder := t.TempDir()
	t.Setenv(cell.Session, folder)
	return filepath.Join(folder, cell.Values)
}

func TestNames(t *testing.T) {
	session(t)
	names := []string{"a", "A", "../a", "a/b", ".", "..", "a.value", "größe", "%41", strings.Repeat("long ", 100), strings.Repeat("long ", 100) + "er"}
	for i, name := range names {
		keep.Value(name, i)
	}
	for i, name := range names {
		if got, err := keep.Load[int](name); got != i || err != nil {
			t.Errorf("%q: %d, %v; want %d", name, got, err, i)
		}
	}
	entries, err := keep.List()
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d are listed of %d: %v", len(entries), len(names), err)
	}
	if err := keep.Forget(append(names, "unknown")...); err != nil {
		t.Error(err)
	}
	if entries, err := keep.List(); err != nil || len(entries) != 0 {
		t.Errorf("after forgetting all: %v, %v", entries, err)
	}
	_, err = keep.Load[int]("a")
	if !errors.Is(err, keep.ErrNotKept) {
		t.Errorf("a forgotten value: %v", err)
	}
}

func TestNotKeptNamesWhatIs(t *testing.T) {
	session(t)
	keep.Value("model", 1)
	_, err := keep.Load[int]("modle")
	if want := `nothing is kept under the name "modle" in this session; kept are "model"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, keep.ErrNotKept) {
			t.Errorf("Get stopped with %v", err)
		}
	}()
	keep.Get[int]("modle")
}

func TestOnce(t *testing.T) {
	session(t)
	computed := 0
	compute := func() (string, error) { computed++; return fmt.Sprint("value ", computed), nil }
	for range 3 {
		if got := keep.Once("once", compute); got != "value 1" {
			t.Errorf("got %q", got)
		}
	}
	if err := keep.Forget("once"); err != nil {
		t.Fatal(err)
	}
	if got := keep.Once("once", compute); got != "value 2" {
		t.Errorf("after Forget: %q", got)
	}
	if got := keep.Once("once", func() (int, error) { return 3, nil }); got != 3 {
		t.Errorf("as another type: %d", got)
	}
	func() {
		defer func() {
			if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), `computing "bad": no luck`) {
				t.Errorf("a failing computation stopped with %v", err)
			}
		}()
		keep.Once("bad", func() (int, error) { return 0, errors.New("no luck") })
	}()
	if keep.Has("bad") {
		t.Error("a failed computation was kept")
	}
}

// TestDamage changes and cuts a stored value everywhere: reading it is an error each time, never another value.
func TestDamage(t *testing.T) {
	values := session(t)
	keep.Value("v", map[string][]any{"a": {1, "two", []float64{3}}, "b": nil})
	path := filepath.Join(values, "v.value")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := keep.Load[map[string][]any]("v"); err == nil {
			t.Errorf("%s: read as %v", what, v)
		}
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << rand.IntN(8)
		try(fmt.Sprintf("byte %d changed", i), b)
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
	try("longer", append(bytes.Clone(good), 0))
}

func TestConcurrentUse(t *testing.T) {
	session(t)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 20 {
				keep.Value("shared", []int{g, i, g + i})
				if v := keep.Get[[]int]("shared"); v[2] != v[0]+v[1] {
					t.Errorf("read %v", v)
				}
				if _, err := keep.List(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
