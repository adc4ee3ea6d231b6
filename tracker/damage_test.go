package tracker

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// sampleFile makes a closed database with one run, and returns its ID.
func sampleFile(t *testing.T, path string) string {
	t.Helper()
	db, err := Open(path)
	must(t, err)
	run := start(t, db, Spec{Name: "sample"})
	for i := range int64(5000) {
		must(t, run.Log(i, map[string]float64{"a": rand.NormFloat64(), "b": rand.NormFloat64()}))
	}
	must(t, run.Finish(Finished))
	must(t, db.Close())
	return run.ID()
}

func TestFilesThatAreNotOurs(t *testing.T) {
	change := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db := openPool(path, "rw", "")
			_, err := db.Exec(statement)
			must(t, errors.Join(err, db.Close()))
		}
	}
	overwrite := func(offset, length int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			noise := make([]byte, length)
			for i := range noise {
				noise[i] = byte(rand.Uint32())
			}
			_, err = file.WriteAt(noise, offset)
			must(t, errors.Join(err, file.Close()))
		}
	}
	for name, test := range map[string]struct {
		harm func(*testing.T, string)
		want string
	}{
		"newer":   {change(`PRAGMA user_version = 99`), "it has schema 99, this program knows schemas up to"},
		"foreign": {change(`PRAGMA application_id = 7`), "a SQLite database of another program"},
		"header":  {overwrite(0, 100), "not a patchlab database, or its first page is damaged"},
		"text": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("hello ", 1000)), 0o600))
		}, "not a patchlab database"},
		"another program": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			db := openPool(path, "rwc", "")
			_, err := db.Exec(`CREATE TABLE other (x)`)
			must(t, errors.Join(err, db.Close()))
		}, "a SQLite database of another program"},
		"first page": {overwrite(100, 3996), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lab.db")
			sampleFile(t, path)
			test.harm(t, path)
			before, err := os.ReadFile(path)
			must(t, err)
			for _, opts := range [][]Option{nil, {ReadOnly()}} {
				db, err := Open(path, opts...)
				if err == nil {
					db.Close()
					t.Fatal("it opened")
				}
				if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error is %q, it should say %q", err, test.want)
				}
			}
			if after, err := os.ReadFile(path); err != nil || string(before) != string(after) {
				t.Errorf("opening changed the file (%v)", err)
			}
		})
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("opening a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no", "lab.db")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("opening in a missing folder: %v", err)
	}
}

func TestDamagedPointsAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	id := sampleFile(t, path)
	raw := openPool(path, "rw", "")
	_, err := raw.Exec(`UPDATE chunk SET data = CAST(substr(data, 1, 2000) || x'ff' || substr(data, 2002) AS BLOB)
		WHERE key = (SELECT id FROM key WHERE name = 'a') AND seq = 500`)
	must(t, errors.Join(err, raw.Close()))
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	if _, err := db.History(t.Context(), id, "a"); err == nil {
		t.Error("damaged points were returned")
	}
	if history, err := db.History(t.Context(), id, "b"); err != nil || len(history) != 5000 {
		t.Errorf("beside the damage: %d points, %v", len(history), err)
	}
	run := start(t, db, Spec{})
	must(t, run.Log(1, map[string]float64{"x": 1}))
	must(t, run.Finish(Finished))
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	sampleFile(t, path)
	scripts, err := migrations()
	must(t, err)
	pool := openPool(path, "rw", "&_txlock=immediate")
	defer pool.Close()
	dump := func() string {
		var text, version string
		must(t, pool.QueryRow(`SELECT group_concat(sql, ';') FROM sqlite_schema`).Scan(&text))
		must(t, pool.QueryRow(`PRAGMA user_version`).Scan(&version))
		return text + version
	}
	before := dump()
	bad := append(scripts, `CREATE TABLE one (x); INSERT INTO run (id) VALUES (7);`, `CREATE TABLE two (x)`)
	if err := migrate(t.Context(), pool, bad); err == nil || !strings.Contains(err.Error(), "changing the schema from") {
		t.Errorf("a failing migration: %v", err)
	}
	if after := dump(); after != before {
		t.Errorf("a failed migration left\n%s\nwhere there was\n%s", after, before)
	}
	good := append(scripts, `CREATE TABLE one (x)`)
	must(t, migrate(t.Context(), pool, good))
	if version, err := schemaVersion(t.Context(), pool, len(good)); err != nil || version != len(good) {
		t.Errorf("after a migration the schema is %d, %v", version, err)
	}
}

// TestFullQueueWaitsAndLosesNothing logs more than the queue holds while
// another program keeps the file locked: Log waits, and nothing is lost.
func TestFullQueueWaitsAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	run := start(t, db, Spec{})
	other := openPool(path, "rw", "&_txlock=immediate")
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	must(t, err)
	defer tx.Rollback()
	const points = 3 * queuePoints
	var logged atomic.Int64
	done := make(chan error, 1)
	go func() {
		for i := range int64(points) {
			if err := run.Log(i, map[string]float64{"x": float64(i)}); err != nil {
				done <- err
				return
			}
			logged.Add(1)
		}
		done <- nil
	}()
	full := func() bool {
		db.queue.mu.Lock()
		defer db.queue.mu.Unlock()
		return db.queue.accepted > queuePoints && len(db.queue.waiting) == queuePoints // the rest is with the writer
	}
	for deadline := time.Now().Add(25 * time.Second); !full() && len(done) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	before := logged.Load()
	time.Sleep(20 * time.Millisecond)                                // it waits: however long this lasts, no more is taken
	if after := logged.Load(); after > before+1 || after >= points { // one call may have been about to return
		t.Errorf("of %d points %d were taken, and then %d, though none could be written", points, before, after)
	}
	must(t, tx.Rollback())
	must(t, <-done)
	must(t, run.Flush())
	history, err := db.History(t.Context(), run.ID(), "x")
	must(t, err)
	if len(history) != points {
		t.Fatalf("%d points of %d are there", len(history), points)
	}
	for i, p := range history {
		if p.Step != int64(i) || p.Value != float64(i) {
			t.Fatalf("point %d is %v", i, p)
		}
	}
}

// TestDamagedRunsHideNoOthers: who asks to hear of runs that cannot be read
// gets the others.
func TestDamagedRunsHideNoOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	bad := sampleFile(t, path)
	good := sampleFile(t, path)
	raw := openPool(path, "rw", "")
	_, err := raw.Exec(`UPDATE run SET metrics = x'ffff' WHERE ulid = ?`, bad)
	must(t, errors.Join(err, raw.Close()))
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	all, err := db.Runs(t.Context(), Query{})
	must(t, err)
	if len(all) != 2 || all[0].ID != good || all[0].Status != Finished || all[1].ID != bad || all[1].Status != Damaged || all[1].Damage == "" {
		t.Errorf("the runs are %+v", all)
	}
}
