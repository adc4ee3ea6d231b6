package tracker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the file holds of one run may be damaged: only that run's writer hears
// of it, and the points of the others are stored.
func TestADamagedRunStopsNoOther(t *testing.T) {
	for name, harm := range map[string]string{
		"summary":     `UPDATE run SET metrics = x'ffff' WHERE id = ?`,
		"hot points":  `UPDATE hot SET data = x'0105' WHERE run = ?`,
		"lost points": `DELETE FROM hot WHERE run = ?`,
		"a place":     `UPDATE hot SET seq = 10 WHERE run = ?`,
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t)
			bad := start(t, db, Spec{Name: "bad"})
			var others []*Run
			for i := range 5 {
				others = append(others, start(t, db, Spec{Name: fmt.Sprint(i)}))
			}
			log := func(run *Run, count int64) {
				for i := range count {
					must(t, run.Log(i, map[string]float64{"loss": float64(i)}))
				}
			}
			log(bad, 10)
			must(t, bad.Flush())
			change(t, db, harm, bad.key)
			log(bad, chunkPoints)
			for _, run := range others {
				log(run, chunkPoints+7)
			}
			for _, run := range others {
				must(t, run.Flush())
				must(t, run.Finish(Finished))
				must(t, db.Verify(t.Context(), run.ID()))
				if got := mustFind(t, db, run.ID()).Metrics["loss"].Count; got != chunkPoints+7 {
					t.Errorf("%d points of a run beside the damaged one", got)
				}
			}
			if name == "a place" { // its points can still be read, as what they are
				return
			}
			for what, err := range map[string]error{"flushing": bad.Flush(), "logging": bad.Log(1, nil), "finishing": bad.Finish(Finished)} {
				if err == nil || !strings.Contains(err.Error(), bad.ID()) || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s said %v", what, err)
				}
			}
			must(t, db.Close()) // the writer knows
		})
	}
}

// Closing tells what no one has heard yet.
func TestClosingTellsOfLostPoints(t *testing.T) {
	db := newDB(t)
	bad := start(t, db, Spec{Name: "bad"})
	change(t, db, `UPDATE run SET metrics = x'ffff'`)
	must(t, bad.Log(1, map[string]float64{"loss": 1}))
	if err := db.Close(); err == nil || !strings.Contains(err.Error(), bad.ID()) {
		t.Errorf("closing said %v", err)
	}
}

// SQLite gives the row number of a run that gc removed to the next run.
func TestARemovedRunWritesIntoNoOther(t *testing.T) {
	db := newDB(t)
	old := start(t, db, Spec{Name: "old"})
	must(t, db.Delete(t.Context(), old.ID()))
	_, err := db.GC(t.Context(), 0)
	must(t, err)
	must(t, old.Log(1, map[string]float64{"loss": 1})) // may be stored before or after the next run starts
	fresh := start(t, db, Spec{Name: "new"})
	if old.key != fresh.key {
		t.Fatalf("the row numbers are %d and %d: this test shows nothing", old.key, fresh.key)
	}
	_ = old.Log(2, map[string]float64{"loss": 2})
	if err := old.Flush(); err == nil || !strings.Contains(err.Error(), "was removed") {
		t.Errorf("flushing a removed run: %v", err)
	}
	if err := old.Finish(Killed); err == nil {
		t.Error("a removed run was finished")
	}
	must(t, fresh.Log(1, map[string]float64{"other": 1}))
	must(t, fresh.Finish(Finished))
	info := mustFind(t, db, fresh.ID())
	if len(info.Metrics) != 1 || info.Metrics["other"].Count != 1 || info.Status != Finished {
		t.Errorf("the new run is %+v", info)
	}
}

// A run that another process took over is not ended by the one that lost it,
// even where that has no points to store.
func TestATakenOverRunIsNotFinished(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{Name: "r"})
	change(t, db, `UPDATE writer SET pid = pid + 1`)
	if err := run.Finish(Finished); err == nil || !strings.Contains(err.Error(), "another process took it over") {
		t.Errorf("finishing: %v", err)
	}
	var writers int
	must(t, db.readers.QueryRow(`SELECT count(*) FROM writer`).Scan(&writers))
	if writers != 1 || !mustFind(t, db, "r").End.IsZero() {
		t.Error("the run was ended")
	}
}

// Resuming is a change, so that a merge knows the copy that went on.
func TestResumingIsAChange(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	db := newDB(t, WithClock(func() time.Time { return now }))
	id := ended(t, db, Spec{Name: "r"}, 1)
	now = now.Add(time.Hour)
	run, err := db.Resume(t.Context(), id)
	must(t, err)
	var modified int64
	must(t, db.readers.QueryRow(`SELECT modified FROM run`).Scan(&modified))
	if modified != now.UnixMicro() {
		t.Errorf("it was changed at %d, not %d", modified, now.UnixMicro())
	}
	must(t, run.Finish(Finished))
	must(t, db.Delete(t.Context(), id))
	if _, err := db.Resume(t.Context(), id); err == nil || !strings.Contains(err.Error(), "restore it first") {
		t.Errorf("resuming a deleted run: %v", err)
	}
	if _, err := db.Resume(t.Context(), "01JD8ZK3T5AAAAAAAAAAAAAAAA"); !errors.Is(err, ErrNotFound) {
		t.Errorf("resuming no run: %v", err)
	}
}
