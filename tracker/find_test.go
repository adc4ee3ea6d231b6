package tracker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFindAnyFindsDeletedRuns(t *testing.T) {
	db := newDB(t)
	gone := start(t, db, Spec{Name: "kc"})
	must(t, gone.Finish(Finished))
	must(t, db.Delete(t.Context(), gone.ID()))
	for _, ref := range []string{"kc", gone.ID(), gone.ID()[:20], strings.ToLower(gone.ID()[:20])} {
		if info, err := db.FindAny(t.Context(), ref); err != nil || info.ID != gone.ID() || !info.Deleted {
			t.Errorf("%q finds %q: %v", ref, info.ID, err)
		}
	}
	if _, err := db.Find(t.Context(), "kc"); err == nil {
		t.Error("Find finds a deleted run by its name")
	}
	if _, err := db.FindAny(t.Context(), "latest"); err == nil {
		t.Error("a deleted run is the latest")
	}
	live := start(t, db, Spec{Name: "kc"})
	must(t, live.Finish(Finished))
	if info, err := db.FindAny(t.Context(), "kc"); err != nil || info.ID != live.ID() {
		t.Errorf("of a live and a deleted run the name finds %q: %v", info.ID, err)
	}
	must(t, db.Delete(t.Context(), live.ID()))
	if _, err := db.FindAny(t.Context(), "kc"); err == nil || !strings.Contains(err.Error(), "several runs") {
		t.Errorf("two deleted runs of one name: %v", err)
	}
}

func TestGCRefusesTheFuture(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{Name: "kc"})
	must(t, run.Finish(Finished))
	must(t, db.Delete(t.Context(), run.ID()))
	if _, err := db.GC(t.Context(), -time.Hour); err == nil || !strings.Contains(err.Error(), "-1h0m0s") {
		t.Errorf("a negative age: %v", err)
	}
	if _, err := db.FindAny(t.Context(), run.ID()); err != nil {
		t.Error(err)
	}
}

func TestEmptyFileIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.db")
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := Open(path, ReadOnly()); err == nil || !strings.HasSuffix(err.Error(), "it is empty, not a tracker database") {
		t.Errorf("an empty file: %v", err)
	}
}

func TestCount(t *testing.T) {
	db := newDB(t)
	for i := range 5 {
		run := start(t, db, Spec{Name: string(rune('a' + i)), Experiment: []string{"one", "two"}[i%2]})
		must(t, run.Finish(Finished))
		if i == 0 {
			must(t, db.Delete(t.Context(), run.ID()))
		}
		if i == 1 {
			must(t, db.Archive(t.Context(), run.ID(), true))
		}
	}
	for _, test := range []struct {
		query Query
		want  int
	}{
		{Query{}, 3}, {Query{IncludeArchived: true}, 4}, {Query{IncludeDeleted: true, IncludeArchived: true, Limit: 1, Offset: 3}, 5}, {Query{DeletedOnly: true}, 1},
		{Query{Experiment: "two"}, 1}, {Query{Filter: "name = 'c'"}, 1}, {Query{Filter: "name != 'c'"}, 2},
	} {
		if n, err := db.Count(t.Context(), test.query); err != nil || n != test.want {
			t.Errorf("%+v: %d, %v", test.query, n, err)
		}
	}
	if _, err := db.Count(t.Context(), Query{Filter: "name"}); err == nil {
		t.Error("a wrong filter is no error")
	}
}
