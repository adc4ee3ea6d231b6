package exchange

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/oklog/ulid/v2"

	"patchlab/tracker"
)

// mlflowID gives a run of MLflow's, known there by 32 hexadecimal digits, the
// ULID of the same 128 bits. Another kind of ID gets one made from it.
func mlflowID(id string, start time.Time) string {
	bits, err := hex.DecodeString(id)
	if err != nil || len(bits) != len(ulid.ULID{}) {
		if _, err := ulid.ParseStrict(id); err == nil && strings.ToUpper(id) == id {
			return id // one of ours, from our server
		}
		return identity(start, "mlflow", id)
	}
	return ulid.ULID(bits).String()
}

var mlflowStatus = map[string]tracker.Status{"FINISHED": tracker.Finished, "FAILED": tracker.Failed, "KILLED": tracker.Killed,
	"RUNNING": tracker.Killed, "SCHEDULED": tracker.Killed}

// mlflowRun turns what both the database and the server of MLflow tell of a
// run into one of ours: the tags in which MLflow keeps name, note and parent
// become that. A run that has not ended counts as killed.
func mlflowRun(id, name, experiment, status string, start, end int64, params, tags map[string]string) imported {
	r := imported{status: mlflowStatus[status], end: time.UnixMilli(end), note: tags["mlflow.note.content"]}
	if r.status == 0 {
		r.status = tracker.Failed
	}
	r.Start = time.UnixMilli(start)
	if end < start {
		r.end = r.Start
	}
	if name == "" {
		name = tags["mlflow.runName"]
	}
	if name == "" {
		name = id
	}
	r.ID, r.Name, r.Experiment, r.Params, r.Tags = mlflowID(id, r.Start), name, experiment, params, tags
	if parent := tags["mlflow.parentRunId"]; parent != "" {
		r.Parent = mlflowID(parent, time.Time{})
	}
	for _, key := range []string{"mlflow.note.content", "mlflow.parentRunId", "mlflow.runName"} {
		delete(tags, key)
	}
	return r
}

// mlflowValue undoes how MLflow's database keeps infinity: as the largest double.
func mlflowValue(v float64, isNaN bool) float64 {
	switch {
	case isNaN:
		return math.NaN()
	case v == math.MaxFloat64:
		return math.Inf(1)
	case v == -math.MaxFloat64:
		return math.Inf(-1)
	}
	return v
}

// connector opens SQLite files by a driver of its own.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return &sqlite3.SQLiteDriver{} }

// ImportMLflowDB imports all active runs of an MLflow database (its SQLite
// file). Artifacts come along where they lie in folders of this machine.
func ImportMLflowDB(ctx context.Context, db *tracker.DB, path string) (tracker.Merged, error) {
	if _, err := os.Stat(path); err != nil {
		return tracker.Merged{}, fmt.Errorf("importing %s: %w", path, err)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	source := sql.OpenDB(connector{"file:" + escaped + "?mode=ro"})
	defer source.Close()
	merged, err := importing(ctx, db, func(s *staging) error { return s.addMLflowDB(source) })
	if err != nil {
		return merged, fmt.Errorf("importing the MLflow database %s: %w", path, err)
	}
	return merged, nil
}

func (s *staging) addMLflowDB(source *sql.DB) error {
	rows, err := source.QueryContext(s.ctx, `SELECT r.run_uuid, coalesce(r.name, ''), e.name, coalesce(r.status, ''),
		coalesce(r.start_time, 0), coalesce(r.end_time, 0), coalesce(r.artifact_uri, '')
		FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.lifecycle_stage = 'active'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, name, experiment, status, artifacts string
		var start, end int64
		if err := rows.Scan(&id, &name, &experiment, &status, &start, &end, &artifacts); err != nil {
			return err
		}
		params, err := s.pairs(source, `SELECT key, value FROM params WHERE run_uuid = ?`, id)
		if err != nil {
			return err
		}
		tags, err := s.pairs(source, `SELECT key, value FROM tags WHERE run_uuid = ?`, id)
		if err != nil {
			return err
		}
		r := mlflowRun(id, name, experiment, status, start, end, params, tags)
		if r.Inputs, err = s.mlflowInputs(source, id); err != nil {
			return err
		}
		r.points = func(log func(string, time.Time, int64, float64) error) error { return s.mlflowPoints(source, id, log) }
		if folder, ok := localFolder(artifacts); ok {
			r.artifacts = func(add func(string, io.Reader) error) error { return addFolder(folder, add) }
		}
		if err := s.add(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *staging) pairs(source *sql.DB, query, id string) (map[string]string, error) {
	rows, err := source.QueryContext(s.ctx, query, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	pairs := map[string]string{}
	for rows.Next() {
		var key string
		var value sql.NullString
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		pairs[key] = value.String
	}
	return pairs, rows.Err()
}

func (s *staging) mlflowPoints(source *sql.DB, id string, log func(string, time.Time, int64, float64) error) error {
	rows, err := source.QueryContext(s.ctx, `SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?
		ORDER BY key, step, timestamp`, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var value float64
		var at, step int64
		var isNaN sql.NullBool
		if err := rows.Scan(&key, &value, &at, &step, &isNaN); err != nil {
			return err
		}
		if err := log(key, time.UnixMilli(at), step, mlflowValue(value, isNaN.Bool)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *staging) mlflowInputs(source *sql.DB, id string) ([]tracker.Input, error) {
	rows, err := source.QueryContext(s.ctx, `SELECT d.name, d.digest, coalesce((SELECT t.value FROM input_tags t
		WHERE t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'), '')
		FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
		WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ?`, id)
	if err != nil {
		return nil, nil // an MLflow from before datasets
	}
	defer rows.Close()
	var inputs []tracker.Input
	for rows.Next() {
		var i tracker.Input
		if err := rows.Scan(&i.Name, &i.Digest, &i.Context); err != nil {
			return nil, err
		}
		inputs = append(inputs, i)
	}
	return inputs, rows.Err()
}

// localFolder is the folder that an artifact URI names, where it is one here.
func localFolder(uri string) (string, bool) {
	folder := uri
	if u, err := url.Parse(uri); err == nil && u.Scheme == "file" {
		folder = u.Path
	} else if err == nil && u.Scheme != "" {
		return "", false
	}
	info, err := os.Stat(folder)
	return folder, err == nil && info.IsDir() && filepath.IsAbs(folder)
}

// addFolder adds all regular files below a folder; it follows no links.
func addFolder(folder string, add func(string, io.Reader) error) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(add(filepath.ToSlash(name), file), file.Close())
	})
}
