package tracker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fullRun records a run that has some of everything, and ends it.
func fullRun(t *testing.T, db *DB, name string) *Run {
	t.Helper()
	run := start(t, db, Spec{Name: name, Experiment: "cifar10", Params: map[string]string{"model": "mixer-4"},
		Tags: map[string]string{"course": "vision"}, Environment: map[string]string{"cpu": "x"},
		Inputs: []Input{{Name: "cifar10", Digest: "abc"}}})
	n := newNoisyRun(7)
	values := map[string]float64{}
	for step := range int64(700) {
		at := n.values(step, values)
		must(t, run.LogAt(at, step, values))
	}
	must(t, run.SetNote("# Note"))
	must(t, run.AddArtifact("model/weights.bin", strings.NewReader("weights of "+name)))
	must(t, run.AddArtifact("same.txt", strings.NewReader("the same in all")))
	must(t, run.Finish(Finished))
	return run
}

func digestOf(t *testing.T, db *DB, id string) string {
	t.Helper()
	info, err := db.Find(t.Context(), id)
	must(t, err)
	return info.Digest
}

func TestVerifyNoticesEveryChange(t *testing.T) {
	for _, change := range []string{
		`UPDATE run SET ulid = '01JD8ZK3T5AAAAAAAAAAAAAAAA'`,
		`UPDATE experiment SET name = 'other'`,
		`UPDATE environment SET fields = '{"cpu":"y"}'`,
		`UPDATE run SET name = 'other'`,
		`UPDATE run SET parent = 'x'`,
		`UPDATE run SET status = 3`,
		`UPDATE run SET started = started + 1`,
		`UPDATE run SET ended = ended + 1`,
		`UPDATE run SET note = ''`,
		`UPDATE run SET params = '{"model":"mixer-5"}'`,
		`UPDATE run SET tags = '{}'`,
		`UPDATE run SET inputs = '[]'`,
		`UPDATE run SET metrics = x'00'`,
		`UPDATE run SET points = zeroblob(32)`,
		`UPDATE run SET digest = zeroblob(32)`,
		`UPDATE artifact SET name = 'other' WHERE name = 'same.txt'`,
		`UPDATE artifact SET size = size + 1 WHERE name = 'same.txt'`,
		`DELETE FROM artifact WHERE name = 'same.txt'`,
		`DELETE FROM chunk WHERE id = 1`,
		`DELETE FROM chunk WHERE key = (SELECT min(key) FROM chunk)`,
		`UPDATE chunk SET data = (SELECT data FROM chunk WHERE id = 3) WHERE id = 1`,
		`UPDATE chunk SET min = min - 1 WHERE id = 2`,
		`UPDATE chunk SET max = NULL WHERE id = 2`,
		`UPDATE chunk SET last = last + 1 WHERE id = 2`,
		`UPDATE chunk SET nonfinite = 1 WHERE id = 2`,
		`UPDATE key SET name = 'other' WHERE id = 1`,
		`INSERT INTO chunk (run, key, seq, count, nonfinite, data) SELECT run, 77, 0, count, 0, data FROM chunk LIMIT 1`,
	} {
		db := newDB(t)
		run := fullRun(t, db, "r")
		must(t, db.Verify(t.Context(), run.ID()))
		_, err := db.writer.Exec(change)
		must(t, err)
		id := run.ID()
		if strings.Contains(change, "ulid") {
			id = "01JD8ZK3T5AAAAAAAAAAAAAAAA"
		}
		if err := db.Verify(t.Context(), id); err == nil {
			t.Errorf("unnoticed: %s", change)
		}
	}
}

func TestVerifyNoticesChangedArtifacts(t *testing.T) {
	db := newDB(t)
	run := fullRun(t, db, "r")
	list, err := db.Artifacts(t.Context(), run.ID())
	must(t, err)
	file := filepath.Join(db.artifactFolder(), list[0].SHA256[:2], list[0].SHA256[2:])
	must(t, os.WriteFile(file, []byte("weights of s"), 0o600))
	if err := db.Verify(t.Context(), run.ID()); err == nil || !strings.Contains(err.Error(), "content is damaged") {
		t.Errorf("changed content: %v", err)
	}
	must(t, os.Remove(file))
	if err := db.Verify(t.Context(), run.ID()); err == nil || !strings.Contains(err.Error(), "model/weights.bin") {
		t.Errorf("missing content: %v", err)
	}
}

func TestDigestFollowsEdits(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	db := newDB(t, WithClock(func() time.Time { return now }))
	run := fullRun(t, db, "r")
	seen := map[string]bool{digestOf(t, db, run.ID()): true}
	fresh := func(what string) {
		t.Helper()
		must(t, db.Verify(t.Context(), run.ID()))
		if d := digestOf(t, db, run.ID()); d == "" || seen[d] {
			t.Errorf("%s left the digest %q as it was", what, d)
		} else {
			seen[d] = true
		}
	}
	must(t, db.SetTags(t.Context(), run.ID(), map[string]string{"a": "b"}))
	fresh("a tag")
	must(t, db.SetNote(t.Context(), run.ID(), "other"))
	fresh("a note")
	before := digestOf(t, db, run.ID())
	must(t, db.Archive(t.Context(), run.ID(), true))
	must(t, db.Delete(t.Context(), run.ID()))
	must(t, db.Restore(t.Context(), run.ID()))
	must(t, db.Archive(t.Context(), run.ID(), false))
	if digestOf(t, db, run.ID()) != before {
		t.Error("archiving, deleting and restoring changed the digest")
	}
	again, err := db.Resume(t.Context(), run.ID())
	must(t, err)
	if digestOf(t, db, run.ID()) != "" {
		t.Error("a running run has a digest")
	}
	must(t, again.Log(701, map[string]float64{"metric_1": 1}))
	must(t, again.Finish(Finished))
	fresh("a point")
}

func TestMergeIsIdempotentAndKeepsIdentities(t *testing.T) {
	clock := ticking()
	a, b, into := newDB(t, clock), newDB(t, clock), newDB(t, clock)
	must(t, start(t, into, Spec{Name: "own"}).Log(1, map[string]float64{"zzz": 1, "metric_4": 2})) // other integers for the keys
	ra, rb := fullRun(t, a, "a"), fullRun(t, b, "b")
	both, err := into.Merge(t.Context(), b)
	must(t, err)
	merge := func(from *DB, want Merged) {
		t.Helper()
		got, err := into.Merge(t.Context(), from)
		must(t, err)
		if got != want {
			t.Errorf("merging did %+v, not %+v", got, want)
		}
	}
	if both != (Merged{Added: 1}) {
		t.Errorf("merging did %+v", both)
	}
	merge(a, Merged{Added: 1})
	merge(a, Merged{Unchanged: 1})
	merge(b, Merged{Unchanged: 1})
	for _, part := range []struct {
		from *DB
		id   string
	}{{a, ra.ID()}, {b, rb.ID()}} {
		must(t, into.Verify(t.Context(), part.id))
		if digestOf(t, into, part.id) != digestOf(t, part.from, part.id) {
			t.Errorf("run %s has another digest after merging", part.id)
		}
	}
	g, err := into.GC(t.Context(), 0)
	must(t, err)
	if g != (Garbage{}) {
		t.Errorf("merging left garbage: %+v", g)
	}

	// The copy changed last wins, points are never fewer.
	must(t, a.SetTags(t.Context(), ra.ID(), map[string]string{"grade": "A"}))
	must(t, a.SetNote(t.Context(), ra.ID(), "better"))
	merge(a, Merged{Updated: 1})
	merge(a, Merged{Unchanged: 1})
	again, err := a.Resume(t.Context(), ra.ID())
	must(t, err)
	must(t, again.Log(1000, map[string]float64{"new": 1}))
	must(t, again.Log(1001, map[string]float64{"new": 2}))
	must(t, again.AddArtifact("late.txt", strings.NewReader("late")))
	must(t, again.Finish(Failed))
	merge(a, Merged{Updated: 1})
	must(t, into.SetTags(t.Context(), ra.ID(), map[string]string{"here": "only"}))
	merge(a, Merged{Unchanged: 1})
	info, err := into.Find(t.Context(), ra.ID())
	must(t, err)
	if info.Tags["grade"] != "A" || info.Tags["here"] != "only" || info.Metrics["new"].Count != 2 || info.Status != Failed {
		t.Errorf("after merging the run is %+v", info)
	}
	must(t, into.Verify(t.Context(), ra.ID()))
	must(t, a.Delete(t.Context(), ra.ID()))
	merge(a, Merged{})
}
