package tracker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is damaged of one run, the others are listed as they are, and that
// one with what can be read of it.
func TestListsShowWhatIsDamaged(t *testing.T) {
	for harm, want := range map[string]string{
		`UPDATE run SET params = '{"a"' WHERE id = ?`:                     "parameters",
		`UPDATE run SET tags = '[]' WHERE id = ?`:                         "tags",
		`UPDATE run SET inputs = 'garbage' WHERE id = ?`:                  "inputs",
		`UPDATE run SET metrics = x'01' WHERE id = ?`:                     "summary",
		`UPDATE run SET metrics = x'ffffffffffffffff7f' WHERE id = ?`:     "summary",
		`UPDATE run SET status = 9 WHERE id = ?`:                          "status is 9",
		`UPDATE run SET experiment = 99 WHERE id = ?`:                     "experiment is missing",
		`UPDATE run SET environment = 99 WHERE id = ?`:                    "environment",
		`UPDATE environment SET fields = 'x' WHERE digest <> zeroblob(?)`: "environment",
		`UPDATE key SET id = 1 << 60 WHERE name = 'odd' AND ?`:            "no name for its metric",
		`DELETE FROM key WHERE name = 'odd' AND ?`:                        "no name for its metric",
	} {
		db := newDB(t)
		bad := start(t, db, Spec{Name: "bad", Environment: map[string]string{"of": "its own"}})
		must(t, bad.Log(1, map[string]float64{"odd": 1, "loss": 2}))
		must(t, bad.Finish(Finished))
		good := ended(t, db, Spec{Name: "good"}, 1)
		raw := openPool(db.path, "rw", "")
		raw.SetMaxOpenConns(1)
		_, err := raw.Exec(`PRAGMA foreign_keys = 0`)
		must(t, err)
		_, err = raw.Exec(harm, bad.key)
		must(t, errors.Join(err, raw.Close()))
		if strings.Contains(harm, "environment SET fields") {
			change(t, db, `UPDATE environment SET fields = '{}' WHERE id = (SELECT environment FROM run WHERE name = 'good')`)
		}
		reader, err := Open(db.path, ReadOnly())
		must(t, err)
		runs, err := reader.Runs(t.Context(), Query{OrderBy: "run_name"})
		must(t, err)
		if len(runs) != 2 || runs[0].ID != bad.ID() || runs[0].Status != Damaged || !strings.Contains(runs[0].Damage, want) ||
			runs[1].ID != good || runs[1].Status != Finished || runs[1].Damage != "" {
			t.Errorf("%s\ngives %+v", harm, runs)
		}
		if strings.Contains(want, "no name") && runs[0].Metrics["loss"].Value != 2 {
			t.Errorf("%s\nhides the other metrics: %+v", harm, runs[0])
		}
		if info := mustFind(t, reader, "bad"); info.Damage == "" {
			t.Error("found, it is whole")
		}
		if only, err := reader.Runs(t.Context(), Query{Filter: "status = 'damaged'"}); err != nil || len(only) != 1 {
			t.Errorf("the filter finds %d runs, %v", len(only), err)
		}
		must(t, reader.Close())
	}
}

// A damaged page of the file hides only the runs that lie on it.
func TestListsReadAroundADamagedPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := Open(path)
	must(t, err)
	const count = 20
	var ids []string
	for i := range count {
		id := ended(t, db, Spec{Name: fmt.Sprint("run", i)}, float64(i))
		must(t, db.SetNote(t.Context(), id, strings.Repeat(fmt.Sprintf("note %d.", i), 2000)))
		ids = append(ids, id)
	}
	_, err = db.writer.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	must(t, errors.Join(err, db.Close()))

	content, err := os.ReadFile(path)
	must(t, err)
	at := bytes.Index(content, []byte(strings.Repeat("note 7.", 300))) // within a page that holds only that note
	page := (at/4096 + 1) * 4096
	copy(content[page:], "\xff\xff\xff\xff") // the number of the note's next page
	must(t, os.WriteFile(path, content, 0o600))

	db, err = Open(path)
	must(t, err)
	defer db.Close()
	runs, err := db.Runs(t.Context(), Query{})
	must(t, err)
	if len(runs) != count {
		t.Fatalf("%d runs of %d are listed", len(runs), count)
	}
	for i, r := range runs {
		n := count - 1 - i
		if r.ID != ids[n] || (r.Status == Damaged) != (n == 7) {
			t.Errorf("run %d is listed as %v: %s", n, r.Status, r.Damage)
		}
	}
	some, err := db.Runs(t.Context(), Query{Limit: 3, Offset: 11})
	must(t, err)
	if len(some) != 3 || some[1].ID != ids[7] || some[1].Status != Damaged {
		t.Errorf("a page of the list holds %d runs", len(some))
	}
	other, err := Open(filepath.Join(t.TempDir(), "into.db"))
	must(t, err)
	defer other.Close()
	merged, err := other.Merge(t.Context(), db)
	must(t, err)
	if merged.Added != count-1 || merged.Refused == nil || !strings.Contains(merged.Refused.Error(), ids[7]) {
		t.Errorf("merging did %+v", merged)
	}
}
