package tracker

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// change alters a database behind the tracker's back.
func change(t *testing.T, db *DB, statement string, args ...any) {
	t.Helper()
	_, err := db.writer.Exec(statement, args...)
	must(t, err)
}

// merges merges and checks the counts and what the refusals say; "" is none.
func merges(t *testing.T, into, from *DB, want Merged, refused string) {
	t.Helper()
	got, err := into.Merge(t.Context(), from)
	must(t, err)
	switch {
	case refused == "" && got.Refused != nil, refused != "" && got.Refused == nil,
		refused != "" && !strings.Contains(got.Refused.Error(), refused):
		t.Errorf("merging refused %q; it should say %q", got.Refused, refused)
	}
	if got.Refused = nil; got != want {
		t.Errorf("merging did %+v, not %+v", got, want)
	}
}

// ended records a finished run of the metric loss.
func ended(t *testing.T, db *DB, spec Spec, losses ...float64) string {
	t.Helper()
	run := start(t, db, spec)
	logLoss(t, run, 0, losses...)
	must(t, run.Finish(Finished))
	return run.ID()
}

// logLoss logs values of loss at steps from first on, a second apart.
func logLoss(t *testing.T, run *Run, first int64, losses ...float64) {
	t.Helper()
	for i, loss := range losses {
		step := first + int64(i)
		must(t, run.LogAt(time.Unix(step, 0), step, map[string]float64{"loss": loss}))
	}
	must(t, run.Flush())
}

// continued resumes an ended run, logs and ends it again.
func continued(t *testing.T, db *DB, id string, first int64, losses ...float64) {
	t.Helper()
	run, err := db.Resume(t.Context(), id)
	must(t, err)
	logLoss(t, run, first, losses...)
	must(t, run.Finish(Finished))
}

func lossesOf(t *testing.T, db *DB, id string) string {
	t.Helper()
	points, err := db.History(t.Context(), id, "loss")
	must(t, err)
	var b strings.Builder
	for _, p := range points {
		fmt.Fprint(&b, " ", p.Value)
	}
	return strings.TrimSpace(b.String())
}

// Every change of content that Verify notices keeps a run from being merged,
// and no other run with it.
func TestMergeRefusesTamperedRuns(t *testing.T) {
	for _, tampering := range []string{
		`UPDATE run SET params = '{"model":"mixer-5"}' WHERE ulid = ?`,
		`UPDATE run SET note = 'better' WHERE ulid = ?`,
		`UPDATE run SET status = 3 WHERE ulid = ?`,
		`UPDATE run SET started = started - 1 WHERE ulid = ?`,
		`UPDATE run SET points = zeroblob(32) WHERE ulid = ?`,
		`UPDATE run SET points = NULL WHERE ulid = ?`,
		`UPDATE run SET digest = zeroblob(32) WHERE ulid = ?`,
		`UPDATE run SET digest = NULL WHERE ulid = ?`,
		`UPDATE run SET status = 1, ended = NULL WHERE ulid = ?`,
		`DELETE FROM artifact WHERE name = 'same.txt' AND run = (SELECT id FROM run WHERE ulid = ?)`,
		`UPDATE chunk SET data = (SELECT data FROM chunk c WHERE c.id = chunk.id + 2)
			WHERE id = (SELECT min(chunk.id) FROM chunk JOIN run ON run.id = chunk.run WHERE ulid = ?)`,
		`UPDATE run SET metrics = x'00' WHERE ulid = ?`,
	} {
		from, into := newDB(t), newDB(t)
		good, bad := fullRun(t, from, "good"), fullRun(t, from, "bad")
		change(t, from, tampering, bad.ID())
		merges(t, into, from, Merged{Added: 1}, bad.ID())
		if _, err := into.Find(t.Context(), bad.ID()); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s\nwas merged: %v", tampering, err)
		}
		must(t, into.Verify(t.Context(), good.ID()))
		merges(t, into, from, Merged{Unchanged: 1}, bad.ID())
	}
}

// A copy of a run that is here already is read too: what it says its digest is
// shows nothing of its content.
func TestMergeRefusesTamperedCopiesOfRunsThatAreHere(t *testing.T) {
	for _, tampering := range []string{
		`UPDATE run SET params = '{"model":"mixer-5"}' WHERE ulid = ?`,
		`UPDATE run SET note = 'better' WHERE ulid = ?`,
		`UPDATE chunk SET data = (SELECT data FROM chunk c WHERE c.id = chunk.id + 2)
			WHERE id = (SELECT min(chunk.id) FROM chunk JOIN run ON run.id = chunk.run WHERE ulid = ?)`,
	} {
		from, into := newDB(t), newDB(t)
		fullRun(t, from, "good")
		bad := fullRun(t, from, "bad")
		merges(t, into, from, Merged{Added: 2}, "")
		change(t, from, tampering, bad.ID())
		merges(t, into, from, Merged{Unchanged: 1}, bad.ID())
		must(t, into.Verify(t.Context(), bad.ID()))
	}
}

// What no tracker writes is refused even where no digest speaks against it.
func TestMergeRefusesMalformedRuns(t *testing.T) {
	for tampering, want := range map[string]string{
		`UPDATE run SET inputs = 'garbage'`:                                                     "inputs",
		`UPDATE run SET params = '{"a":1}'`:                                                     "parameters",
		`UPDATE run SET params = '{"":"x"}'`:                                                    "a name is empty",
		`UPDATE run SET tags = '["x"]'`:                                                         "tags",
		`UPDATE run SET name = ''`:                                                              "a name is empty",
		`UPDATE run SET note = CAST(x'ff' AS TEXT)`:                                             "UTF-8",
		`UPDATE run SET ulid = '../../etc/passwd'`:                                              "is not a ULID",
		`UPDATE run SET ulid = lower(ulid)`:                                                     "is not a ULID",
		`UPDATE run SET status = 5`:                                                             "its status is 5",
		`UPDATE run SET status = 2, ended = NULL`:                                               "does not fit",
		`UPDATE experiment SET name = CAST(x'6100' AS TEXT)`:                                    "NUL",
		`UPDATE environment SET fields = 'x'`:                                                   "environment",
		`UPDATE key SET name = '' WHERE id = 1`:                                                 "a name is empty",
		`DELETE FROM key WHERE id = 1`:                                                          "there is no name for its metric",
		`UPDATE artifact SET sha256 = x''`:                                                      "has 0 bytes, not 32",
		`UPDATE artifact SET sha256 = zeroblob(31)`:                                             "has 31 bytes, not 32",
		`UPDATE artifact SET name = '../../x' WHERE name = 'same.txt'`:                          "not a plain relative path",
		`UPDATE artifact SET size = 1 WHERE name = 'same.txt'`:                                  "bytes, not 1",
		`UPDATE artifact SET sha256 = zeroblob(32) WHERE name = 'same.txt'`:                     "no such file",
		`UPDATE run SET status = 1, ended = NULL; UPDATE chunk SET data = x'0109'`:              "cut short",
		`UPDATE run SET status = 1, ended = NULL; UPDATE chunk SET data = zeroblob(9)`:          "unknown format",
		`UPDATE run SET status = 1, ended = NULL; UPDATE run SET metrics = x'ffffffffffffff7f'`: "damaged",
	} {
		from, into := newDB(t), newDB(t)
		fullRun(t, from, "bad")
		change(t, from, `UPDATE run SET points = NULL, digest = NULL`)
		change(t, from, tampering)
		merges(t, into, from, Merged{}, want)
		if runs, err := into.Runs(t.Context(), Query{}); err != nil || len(runs) > 0 {
			t.Errorf("%s left %v, %v", tampering, runs, err)
		}
		if g, err := into.GC(t.Context(), 0); err != nil || g.Runs > 0 {
			t.Error(g, err)
		}
	}
}

// Points that only one copy has are in both after merging either way.
func TestMergeLosesNoPoints(t *testing.T) {
	clock := ticking()
	a, b := newDB(t, clock), newDB(t, clock)
	id := ended(t, a, Spec{Name: "r"}, 1, 2, 3)
	merges(t, b, a, Merged{Added: 1}, "")

	continued(t, b, id, 3, 4, 5) // goes on there, is tagged later here
	must(t, a.SetTags(t.Context(), id, map[string]string{"here": "yes"}))
	merges(t, a, b, Merged{Updated: 1}, "")
	merges(t, b, a, Merged{Updated: 1}, "")

	for _, db := range []*DB{a, b} { // another metric in each
		run, err := db.Resume(t.Context(), id)
		must(t, err)
		must(t, run.Log(1, map[string]float64{filepath.Base(filepath.Dir(db.path)): 1}))
		must(t, run.Finish(Finished))
	}
	merges(t, a, b, Merged{Updated: 1}, "")
	merges(t, b, a, Merged{Updated: 1}, "")
	merges(t, a, b, Merged{Unchanged: 1}, "")
	for _, db := range []*DB{a, b} {
		info, err := db.Find(t.Context(), id)
		must(t, err)
		if lossesOf(t, db, id) != "1 2 3 4 5" || info.Tags["here"] != "yes" || len(info.Metrics) != 3 || info.Status != Finished {
			t.Errorf("losses %s of %+v", lossesOf(t, db, id), info)
		}
		must(t, db.Verify(t.Context(), id))
	}
	if digestOf(t, a, id) != digestOf(t, b, id) {
		t.Error("the copies differ")
	}
}

func TestMergeRefusesCopiesThatWentDifferentWays(t *testing.T) {
	a, b := newDB(t), newDB(t)
	id := ended(t, a, Spec{Name: "r"}, 1, 2, 3)
	merges(t, b, a, Merged{Added: 1}, "")
	continued(t, a, id, 3, 4, 5, 6)
	continued(t, b, id, 3, 4, 7)
	digest := digestOf(t, a, id)
	merges(t, a, b, Merged{}, `"loss" went different ways: behind 4 equal points comes 5 at step 4 here and 7 at step 4 there`)
	if lossesOf(t, a, id) != "1 2 3 4 5 6" || digestOf(t, a, id) != digest {
		t.Error("a refused merge changed the run")
	}

	c, d := newDB(t), newDB(t)
	id = ended(t, c, Spec{Params: map[string]string{"lr": "1"}}, 1)
	ended(t, d, Spec{ID: id, Params: map[string]string{"lr": "2"}}, 1)
	merges(t, c, d, Merged{}, `parameter "lr" is "2" there and "1" here`)
}

// An import from elsewhere may give the same points in another order, and more.
// Runs are taken many a transaction: of one that is refused on the way nothing
// stays, and the others are taken.
func TestMergeLeavesNothingOfARefusedRun(t *testing.T) {
	a, b := newDB(t), newDB(t)
	id := ended(t, a, Spec{}, 1, 2)
	merges(t, b, a, Merged{Added: 1}, "")
	continued(t, b, id, 2, 3, 4)
	must(t, a.SetParams(t.Context(), id, map[string]string{"lr": "1"}))
	must(t, b.SetParams(t.Context(), id, map[string]string{"lr": "2"}))
	var later []string
	for i := range mergeRuns + 1 {
		later = append(later, ended(t, b, Spec{}, float64(i)))
	}
	merges(t, a, b, Merged{Added: mergeRuns + 1}, `"lr"`)
	if got := lossesOf(t, a, id); got != "1 2" {
		t.Errorf("the refused run has the losses %s", got)
	}
	for i, id := range append(later, id) {
		must(t, a.Verify(t.Context(), id))
		if got := lossesOf(t, a, id); i < len(later) && got != fmt.Sprint(i) {
			t.Errorf("run %d has the losses %s", i, got)
		}
	}
	merges(t, a, b, Merged{Unchanged: mergeRuns + 1}, `"lr"`)
}

func TestMergeTakesAnotherOrderOfTheSamePoints(t *testing.T) {
	same := WithClock(func() time.Time { return time.Unix(1_700_000_000, 0) })
	a, b := newDB(t, same), newDB(t, same)
	points := func(db *DB, id string, steps ...int64) string {
		run := start(t, db, Spec{ID: id, Name: "r"})
		for _, step := range steps {
			logLoss(t, run, step, float64(step))
		}
		must(t, run.Finish(Finished))
		return run.ID()
	}
	id := points(a, "", 1, 3, 3, 2)
	points(b, id, 1, 2, 3, 4, 3)
	merges(t, a, b, Merged{Updated: 1}, "")
	if got := lossesOf(t, a, id); got != "1 2 3 3 4" {
		t.Errorf("the losses are %s", got)
	}
	must(t, a.Verify(t.Context(), id))
	c := newDB(t, same)
	points(c, id, 4, 3)
	merges(t, a, c, Merged{Unchanged: 1}, "")
}

func TestMergeUnitesFields(t *testing.T) {
	clock := ticking()
	a, b := newDB(t, clock), newDB(t, clock)
	id := ended(t, a, Spec{Name: "r", Experiment: "e", Params: map[string]string{"p": "1"}, Inputs: []Input{{Name: "x"}}}, 1)
	merges(t, b, a, Merged{Added: 1}, "")
	ctx := t.Context()
	must(t, a.SetNote(ctx, id, "only here"))
	must(t, a.SetParams(ctx, id, map[string]string{"a": "1"}))
	must(t, a.AddInputs(ctx, id, Input{Name: "a"}))
	must(t, a.AddArtifact(ctx, id, "both", strings.NewReader("old")))
	must(t, a.AddArtifact(ctx, id, "a", strings.NewReader("a")))
	must(t, a.SetTags(ctx, id, map[string]string{"a": "1", "both": "old"}))
	must(t, b.SetParams(ctx, id, map[string]string{"b": "1"}))
	must(t, b.AddInputs(ctx, id, Input{Name: "b"}))
	must(t, b.AddArtifact(ctx, id, "both", strings.NewReader("new")))
	must(t, b.AddArtifact(ctx, id, "b", strings.NewReader("b")))
	must(t, b.SetTags(ctx, id, map[string]string{"b": "1", "both": "new"}))
	must(t, b.Rename(ctx, id, "renamed"))
	merges(t, a, b, Merged{Updated: 1}, "")
	merges(t, b, a, Merged{Updated: 1}, "")
	merges(t, a, b, Merged{Unchanged: 1}, "")
	for _, db := range []*DB{a, b} {
		info, err := db.Find(ctx, id)
		must(t, err)
		artifacts, err := db.Artifacts(ctx, id)
		must(t, err)
		if info.Name != "renamed" || info.Note != "only here" || len(info.Params) != 3 || len(info.Tags) != 3 || info.Tags["both"] != "new" ||
			len(info.Inputs) != 3 || len(artifacts) != 3 || artifacts[2].SHA256 != "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437" {
			t.Errorf("the run is %+v with %+v", info, artifacts)
		}
		must(t, db.Verify(ctx, id))
	}
}

func TestMergeLeavesRunsAloneThatAreBeingWritten(t *testing.T) {
	a, b := newDB(t), newDB(t)
	run := start(t, a, Spec{Name: "r"})
	logLoss(t, run, 0, 1)
	merges(t, b, a, Merged{}, "another process is writing it")
	must(t, run.Finish(Finished))
	merges(t, b, a, Merged{Added: 1}, "")
	again, err := b.Resume(t.Context(), run.ID())
	must(t, err)
	continued(t, a, run.ID(), 1, 2)
	merges(t, b, a, Merged{}, "the copy here: another process is writing it")
	must(t, again.Finish(Finished))
	merges(t, b, a, Merged{Updated: 1}, "")
}

// A crashed copy is taken, and grows when the run went on.
func TestMergeOfACrashedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	a, err := Open(path)
	must(t, err)
	run := start(t, a, Spec{Name: "r"})
	logLoss(t, run, 0, 1, 2)
	must(t, a.Close())
	a, err = Open(path)
	must(t, err)
	defer a.Close()
	b := newDB(t)
	merges(t, b, a, Merged{Added: 1}, "")
	merges(t, b, a, Merged{Unchanged: 1}, "")
	if info, err := b.Find(t.Context(), run.ID()); err != nil || info.Status != Crashed {
		t.Errorf("%v, %v", info.Status, err)
	}
	must(t, b.SetTags(t.Context(), run.ID(), map[string]string{"late": "edit"}))
	continued(t, a, run.ID(), 2, 3)
	must(t, b.SetTags(t.Context(), run.ID(), map[string]string{"later": "edit"}))
	merges(t, b, a, Merged{Updated: 1}, "")
	info, err := b.Find(t.Context(), run.ID())
	must(t, err)
	if info.Status != Finished || info.End.IsZero() || len(info.Tags) != 2 || lossesOf(t, b, run.ID()) != "1 2 3" {
		t.Errorf("the run is %+v", info)
	}
	must(t, b.Verify(t.Context(), run.ID()))
}

func TestMergeIntoADamagedCopyHidesNoDamage(t *testing.T) {
	a, b := newDB(t), newDB(t)
	id := ended(t, a, Spec{Name: "r"}, 1)
	merges(t, b, a, Merged{Added: 1}, "")
	change(t, b, `UPDATE run SET note = 'tampered'`)
	continued(t, a, id, 1, 2)
	merges(t, b, a, Merged{}, "the copy here is damaged")
	if err := b.Verify(t.Context(), id); err == nil {
		t.Error("the damage is hidden")
	}
}

func TestMergeTakesTheTagsOfExperiments(t *testing.T) {
	a, b := newDB(t), newDB(t)
	_, err := a.CreateExperiment(t.Context(), "e", map[string]string{"both": "a", "mlflow.note.content": "A note"})
	must(t, err)
	_, err = b.CreateExperiment(t.Context(), "e", map[string]string{"both": "b"})
	must(t, err)
	ended(t, a, Spec{Experiment: "e"}, 1)
	merges(t, b, a, Merged{Added: 1}, "")
	all, err := b.Experiments(t.Context())
	must(t, err)
	if len(all) != 1 || len(all[0].Tags) != 2 || all[0].Tags["both"] != "b" || all[0].Tags["mlflow.note.content"] != "A note" {
		t.Errorf("the experiments are %+v", all)
	}
	change(t, a, `UPDATE experiment SET tags = 'garbage'`)
	merges(t, b, a, Merged{Unchanged: 1}, `the tags of experiment "e"`)
}

// A run that is deleted here stays so; merging does not bring it back.
func TestMergeLeavesDeletedRunsDeleted(t *testing.T) {
	a, b := newDB(t), newDB(t)
	id := ended(t, a, Spec{Name: "r"}, 1)
	merges(t, b, a, Merged{Added: 1}, "")
	must(t, b.Delete(t.Context(), id))
	continued(t, a, id, 1, 2)
	merges(t, b, a, Merged{Updated: 1}, "")
	if info, err := b.Find(t.Context(), id); err != nil || !info.Deleted || lossesOf(t, b, id) != "1 2" {
		t.Errorf("%+v, %v", info, err)
	}
}

// A million points pass by in batches: merging them is no matter of memory.
func TestMergeOfALongRun(t *testing.T) {
	a, b := newDB(t), newDB(t)
	run := logRun(t, a, 3, 5000)
	must(t, run.Finish(Finished))
	merges(t, b, a, Merged{Added: 1}, "")
	again, err := a.Resume(t.Context(), run.ID())
	must(t, err)
	n, values := newNoisyRun(9), map[string]float64{}
	for step := range int64(3000) {
		at := n.values(step, values)
		must(t, again.LogAt(at, 5000+step, values))
	}
	must(t, again.Finish(Finished))
	merges(t, b, a, Merged{Updated: 1}, "")
	if digestOf(t, a, run.ID()) != digestOf(t, b, run.ID()) {
		t.Error("the copies differ")
	}
	must(t, b.Verify(t.Context(), run.ID()))
	checkIntegrity(t, b)
}
