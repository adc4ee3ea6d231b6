package tracker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A process that was taken for dead, because it slept or its machine was
// suspended, stores nothing into a run that another one writes now.
func TestTakenOverRunTakesNoMorePoints(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	if err := run.Log(1, map[string]float64{"loss": 1}); err != nil {
		t.Fatal(err)
	}
	if err := run.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.writer.ExecContext(context.Background(), `UPDATE writer SET pid = pid + 1`); err != nil {
		t.Fatal(err)
	}
	_ = run.Log(2, map[string]float64{"loss": 666})
	if err := run.Flush(); err == nil || !strings.Contains(err.Error(), "another process took it over") {
		t.Errorf("flushing into a run that another process writes gave %v", err)
	}
	points, err := db.History(t.Context(), run.ID(), "loss")
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 1 || points[0].Value != 1 {
		t.Errorf("points %v, want only the first", points)
	}
}

// What gc removes makes the file smaller.
func TestGCGivesSpaceBack(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{Params: map[string]string{"long": strings.Repeat("x", 4000)}})
	for step := range int64(200_000) {
		if err := run.Log(step, map[string]float64{"noise": float64(step*step%7919) / 7919}); err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Finish(Finished); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		if _, err := db.writer.ExecContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(db.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	if err := db.Delete(t.Context(), run.ID()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.GC(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if after := size(); after > before/4 {
		t.Errorf("the file holds %d bytes after gc, %d before", after, before)
	}
}

// What is not the tracker's own in the artifacts' folder stays, whatever it is called.
func TestGCTakesNoForeignFiles(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	must(t, run.AddArtifact("a", strings.NewReader("a")))
	must(t, run.Finish(Finished))
	must(t, db.Delete(t.Context(), run.ID()))
	foreign := []string{filepath.Join(db.artifactFolder(), "cafe"), filepath.Join(db.artifactFolder(), "README")}
	for _, path := range foreign {
		must(t, os.WriteFile(path, []byte("mine"), 0o600))
	}
	if g, err := db.GC(t.Context(), 0); err != nil || g.Files != 1 {
		t.Errorf("collected %+v, %v", g, err)
	}
	for _, path := range foreign {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
