package tracker

import (
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var updateFixture = flag.Bool("update", false, "write the fixture of the newest schema, where there is none")

// recordFixture fills a database as the fixtures are filled: with a finished
// run, one that is cut off, one deleted and one archived.
func recordFixture(t *testing.T, db *DB) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	run := start(t, db, Spec{Experiment: "cifar10", Name: "finished", Params: map[string]string{"model": "mixer-4", "odd key": "ä \"q\""},
		Tags: map[string]string{"course": "vision"}, Environment: map[string]string{"cpu": "some CPU"},
		Inputs: []Input{{Name: "cifar10", Digest: "abc", Context: "train"}}})
	for i := range int64(1234) {
		must(t, run.LogAt(at.Add(time.Duration(i)*time.Millisecond), i, map[string]float64{"loss": 1 / float64(i+1), "odd/ä": math.Inf(-1)}))
	}
	must(t, run.LogAt(at, 5000, map[string]float64{"loss": math.NaN()}))
	must(t, run.SetNote("# A note"))
	must(t, run.Finish(Finished))
	cut := start(t, db, Spec{Experiment: "other", Name: "cut off", Parent: run.ID()})
	for i := range int64(700) {
		must(t, cut.LogAt(at, i, map[string]float64{"x": float64(i)}))
		if i%50 == 0 {
			must(t, cut.Flush())
		}
	}
	deleted := start(t, db, Spec{Name: "deleted"})
	must(t, deleted.Finish(Failed))
	must(t, db.Delete(t.Context(), deleted.ID()))
	archived := start(t, db, Spec{Name: "archived"})
	must(t, archived.Finish(Killed))
	must(t, db.Archive(t.Context(), archived.ID(), true))
}

func fixturePath(version int) string {
	return filepath.Join("testdata", "schema", fmt.Sprintf("%d.db.gz", version))
}

func unpackFixture(t *testing.T, version int) string {
	t.Helper()
	file, err := os.Open(fixturePath(version))
	must(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	must(t, err)
	path := filepath.Join(t.TempDir(), "old.db")
	out, err := os.Create(path)
	must(t, err)
	_, err = io.Copy(out, packed)
	must(t, errors.Join(err, out.Close()))
	return path
}

func TestEveryOldSchemaIsBroughtUpToDate(t *testing.T) {
	scripts, err := migrations()
	must(t, err)
	if _, err := os.Stat(fixturePath(len(scripts))); errors.Is(err, os.ErrNotExist) && *updateFixture {
		writeFixture(t, len(scripts))
	}
	for version := 1; version <= len(scripts); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := unpackFixture(t, version)
			if version < len(scripts) {
				if _, err := Open(path, ReadOnly()); err == nil || !strings.Contains(err.Error(), "any command that writes") {
					t.Errorf("reading an old schema: %v", err)
				}
			}
			db, err := Open(path)
			must(t, err)
			defer db.Close()
			checkFixture(t, db)
		})
	}
}

func checkFixture(t *testing.T, db *DB) {
	t.Helper()
	checkIntegrity(t, db)
	runs, err := db.Runs(t.Context(), Query{IncludeArchived: true, IncludeDeleted: true, OrderBy: "run_name"})
	must(t, err)
	if len(runs) != 4 {
		t.Fatalf("%d runs", len(runs))
	}
	archived, cut, deleted, finished := runs[0], runs[1], runs[2], runs[3]
	if archived.Status != Killed || !archived.Archived || deleted.Status != Failed || !deleted.Deleted ||
		cut.Status != Crashed || cut.Parent != finished.ID || cut.Metrics["x"].Value != 699 || cut.Experiment != "other" {
		t.Errorf("the runs are %+v", runs)
	}
	if finished.Params["odd key"] != "ä \"q\"" || finished.Tags["course"] != "vision" || finished.Environment["cpu"] != "some CPU" ||
		finished.Note != "# A note" || finished.Inputs[0].Context != "train" || finished.Metrics["loss"].Step != 5000 {
		t.Errorf("the finished run is %+v", finished)
	}
	history, err := db.History(t.Context(), finished.ID, "loss")
	must(t, err)
	if len(history) != 1235 || !math.IsNaN(history[1234].Value) || history[1000].Value != 1/1001. ||
		history[1].Time != time.Date(2026, 1, 2, 3, 4, 5, 679_901_000, time.UTC) {
		t.Errorf("its history has %d points, %v", len(history), history[1])
	}
	run, err := db.Resume(t.Context(), cut.ID)
	must(t, err)
	must(t, run.Log(700, map[string]float64{"x": 700}))
	must(t, run.Finish(Finished))
	must(t, db.Verify(t.Context(), cut.ID))
	must(t, db.Verify(t.Context(), finished.ID))
}

func writeFixture(t *testing.T, version int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new.db")
	db, err := Open(path)
	must(t, err)
	recordFixture(t, db)
	must(t, db.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	out, err := os.Create(fixturePath(version))
	must(t, err)
	packer := gzip.NewWriter(out)
	_, err = packer.Write(content)
	must(t, errors.Join(err, packer.Close(), out.Close()))
}

// A file that was brought up to date has the schema of a new one: no migration
// was changed after files had been made with it.
func TestUpgradedSchemaIsThatOfANewFile(t *testing.T) {
	schema := func(db *DB) string {
		rows, err := db.readers.Query(`SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY name`)
		must(t, err)
		defer rows.Close()
		var all strings.Builder
		for rows.Next() {
			var kind, name, text string
			must(t, rows.Scan(&kind, &name, &text))
			fmt.Fprintln(&all, kind, name, text)
		}
		must(t, rows.Err())
		return all.String()
	}
	scripts, err := migrations()
	must(t, err)
	want := schema(newDB(t))
	for version := 1; version <= len(scripts); version++ {
		db, err := Open(unpackFixture(t, version))
		must(t, err)
		if got := schema(db); got != want {
			t.Errorf("from schema %d comes\n%s\nwhere a new file has\n%s", version, got, want)
		}
		must(t, db.Close())
	}
}
