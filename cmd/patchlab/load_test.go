package main

import (
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

// A mistyped run is said before the backend is opened, which is asked for here
// by a name that few machines have.
func TestRunsAreFoundBeforeTheBackend(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lab.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	image := picture(t, filepath.Join(dir, "cat.png"), 8, 8, png.Encode)
	for _, args := range [][]string{{"evaluate", "mixr-1"}, {"predict", "mixr-1", image}, {"inspect", "mixr-1"}} {
		_, _, err := execute(t, append(args, "--db", path, "--backend", "cuda")...)
		if err == nil || !strings.Contains(err.Error(), `"mixr-1": not found`) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
