package exchange

import (
	"database/sql"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

// makeMLflowDB makes a database with the tables and columns of MLflow's that
// an import reads, and a run with each of the artifact URIs.
func makeMLflowDB(t *testing.T, path string, uris []string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(connector{"file:" + path})
	t.Cleanup(func() { db.Close() })
	do := func(statement string, args ...any) {
		t.Helper()
		_, err := db.Exec(statement, args...)
		must(t, err)
	}
	do(`CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT);
		CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, experiment_id INTEGER, status TEXT, start_time BIGINT, end_time BIGINT,
			artifact_uri TEXT, lifecycle_stage TEXT);
		CREATE TABLE params (run_uuid TEXT, key TEXT, value TEXT);
		CREATE TABLE tags (run_uuid TEXT, key TEXT, value TEXT);
		CREATE TABLE metrics (run_uuid TEXT, key TEXT, value FLOAT, timestamp BIGINT, step BIGINT, is_nan BOOLEAN);
		INSERT INTO experiments VALUES (0, 'Default')`)
	for i, uri := range uris {
		id := fmt.Sprintf("%032x", i+1)
		do(`INSERT INTO runs VALUES (?, ?, 0, 'FINISHED', 1000, 2000, ?, 'active')`, id, fmt.Sprintf("run %d", i), uri)
		do(`INSERT INTO params VALUES (?, 'uri', ?)`, id, uri)
	}
	return db
}

// A database from before datasets and logged models comes whole; one with a
// time that cannot be is refused with the metric that has it.
func TestOldMLflowDB(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlflow.db")
	source := makeMLflowDB(t, path, []string{""})
	id := fmt.Sprintf("%032x", 1)
	for step, row := range [][2]any{{1.5, false}, {0, true}, {math.MaxFloat64, false}, {-math.MaxFloat64, false}} {
		_, err := source.Exec(`INSERT INTO metrics VALUES (?, 'loss', ?, ?, ?, ?)`, id, row[0], 1000+step, step, row[1])
		must(t, err)
	}
	db := newDB(t)
	merged, err := ImportMLflowDB(t.Context(), db, path)
	must(t, err)
	points := history(t, db, "run 0", "loss")
	if merged != (tracker.Merged{Added: 1}) || len(points) != 4 || points[0].Value != 1.5 || !math.IsNaN(points[1].Value) ||
		!math.IsInf(points[2].Value, 1) || !math.IsInf(points[3].Value, -1) || points[3].Time.UnixMilli() != 1003 {
		t.Errorf("the import did %+v: %v", merged, points)
	}
	_, err = source.Exec(`INSERT INTO metrics VALUES (?, 'odd', 1, ?, 0, 0)`, id, int64(math.MaxInt64))
	must(t, err)
	if _, err := ImportMLflowDB(t.Context(), db, path); err == nil || !strings.Contains(err.Error(), `metric "odd"`) {
		t.Errorf("an impossible time: %v", err)
	}
}
