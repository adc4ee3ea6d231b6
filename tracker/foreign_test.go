package tracker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckForeign: a file of ours passes, in each schema that there was; one
// that would run something, or is damaged, does not.
func TestCheckForeign(t *testing.T) {
	for name, test := range map[string]struct {
		statements string // what is done to a database of ours
		want       string
	}{
		"ours":      {``, ""},
		"a trigger": {`CREATE TRIGGER boom AFTER UPDATE ON run BEGIN DELETE FROM run; END`, `"trigger boom`},
		"a view that never ends": {`DROP TABLE writer; CREATE VIEW writer AS
			WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x AS run FROM r`, `"view writer`},
		"one table more":    {`CREATE TABLE more (x)`, `"table more`},
		"one column more":   {`ALTER TABLE run ADD COLUMN x INTEGER AS (1) VIRTUAL`, `"table run`},
		"one index less":    {`DROP INDEX run_started`, "of the"},
		"newer":             {`PRAGMA user_version = 1000`, "use a newer patchlab"},
		"another program's": {`PRAGMA application_id = 7`, "another program"},
	} {
		db := newDB(t)
		fullRun(t, db, "first")
		if test.statements != "" {
			change(t, db, test.statements)
		}
		must(t, db.Close())
		err := CheckForeign(t.Context(), db.path)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	scripts, err := migrations()
	must(t, err)
	for version := range scripts {
		must(t, CheckForeign(t.Context(), unpackFixture(t, version+1)))
	}
	folder := t.TempDir()
	whole, err := os.ReadFile(unpackFixture(t, len(scripts)))
	must(t, err)
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":       {nil, "it is empty"},
		"cut":         {whole[:len(whole)/2], "damaged"},
		"no database": {[]byte(strings.Repeat("no database ", 1000)), "not a patchlab database"},
	} {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, test.content, 0o600))
		if err := CheckForeign(t.Context(), path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// TestMergeOfSomeRuns takes those that are named, and none where one is not there.
func TestMergeOfSomeRuns(t *testing.T) {
	from, into := newDB(t), newDB(t)
	wanted, other := fullRun(t, from, "wanted"), fullRun(t, from, "other")
	merged, err := into.Merge(t.Context(), from, wanted.ID())
	if err != nil || merged != (Merged{Added: 1}) {
		t.Errorf("merged %+v, %v", merged, err)
	}
	must(t, into.Verify(t.Context(), wanted.ID()))
	if _, err := into.Find(t.Context(), other.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("the other run: %v", err)
	}
	if _, err := into.Merge(t.Context(), from, other.ID(), "nowhere"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a run that is not there: %v", err)
	}
	if runs, err := into.Runs(t.Context(), Query{}); err != nil || len(runs) != 1 {
		t.Errorf("after that there are %d runs, %v", len(runs), err)
	}
}
