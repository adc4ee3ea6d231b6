package tracker

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// An edit gives a run a new digest. That must not make a damaged run pass for
// whole: whatever is done to it, Verify goes on to say so.
func TestNoEditHidesDamage(t *testing.T) {
	for _, harm := range []string{`UPDATE run SET params = '{"model":"mixer-5"}'`, `UPDATE run SET points = zeroblob(32)`,
		`UPDATE artifact SET sha256 = zeroblob(32) WHERE name = 'same.txt'`} {
		db := newDB(t)
		id := fullRun(t, db, "r").ID()
		change(t, db, harm)
		ctx := t.Context()
		must(t, db.SetTags(ctx, id, map[string]string{"a": "b"}))
		must(t, db.SetNote(ctx, id, "a note"))
		must(t, db.Rename(ctx, id, "renamed"))
		must(t, db.SetParams(ctx, id, map[string]string{"p": "1"}))
		must(t, db.AddInputs(ctx, id, Input{Name: "x"}))
		must(t, db.AddArtifact(ctx, id, "x", strings.NewReader("x")))
		must(t, db.Archive(ctx, id, true))
		must(t, db.Delete(ctx, id))
		must(t, db.Restore(ctx, id))
		all, err := db.Experiments(ctx)
		must(t, err)
		must(t, db.EditExperiment(ctx, all[0].Key, func(e *Experiment) { e.Name = "other" }))
		if _, err := db.Resume(ctx, id); err == nil || !strings.Contains(err.Error(), "it is damaged") {
			t.Errorf("resuming said %v", err)
		}
		if err := db.Verify(ctx, id); err == nil {
			t.Errorf("hidden: %s", harm)
		}
	}
}

// A run whose experiment is lost can be deleted, and the file be rid of it.
func TestDeletingARunWithoutItsExperiment(t *testing.T) {
	db := newDB(t)
	run := fullRun(t, db, "r")
	raw := openPool(db.path, "rw", "")
	raw.SetMaxOpenConns(1)
	_, err := raw.Exec(`PRAGMA foreign_keys = 0; UPDATE run SET experiment = 99`)
	must(t, errors.Join(err, raw.Close()))
	other, err := Open(filepath.Join(t.TempDir(), "other.db"))
	must(t, err)
	defer other.Close()
	merges(t, other, db, Merged{}, "its experiment or its environment is missing")
	if err := db.Verify(t.Context(), run.ID()); err == nil || !strings.Contains(err.Error(), "its experiment") {
		t.Errorf("verifying said %v", err)
	}
	ended(t, other, Spec{ID: run.ID()}, 1)
	whole := ended(t, other, Spec{Name: "whole"}, 1)
	merges(t, db, other, Merged{Added: 1}, "the copy here is damaged")
	must(t, db.Verify(t.Context(), whole))
	if info := mustFind(t, db, run.ID()); info.Status != Damaged {
		t.Errorf("it is %v", info.Status)
	}
	must(t, db.Delete(t.Context(), run.ID()))
	g, err := db.GC(t.Context(), 0)
	must(t, err)
	if g.Runs != 1 || g.Files != 2 {
		t.Errorf("garbage: %+v", g)
	}
}

func TestTextsAreUTF8(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	if err := run.SetNote("caf\xe9"); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("a note in Latin-1: %v", err)
	}
	if _, err := db.Start(t.Context(), Spec{Parent: "\xff"}); err == nil {
		t.Error("a parent that is no text")
	}
}
