package exchange

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// connector opens SQLite files by a driver of its own.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return &sqlite3.SQLiteDriver{} }

// ImportMLflowDB imports all active runs of an MLflow database (its SQLite
// file), with their logged models, and what has changed since the last import.
// Artifacts come along where they lie below the folder of the file.
func ImportMLflowDB(ctx context.Context, db *tracker.DB, path string) (tracker.Merged, error) {
	if _, err := os.Stat(path); err != nil {
		return tracker.Merged{}, fmt.Errorf("importing %s: %w", path, err)
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("importing %s: %w", path, err)
	}
	defer root.Close()
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	source := sql.OpenDB(connector{"file:" + escaped + "?mode=ro"})
	defer source.Close()
	merged, err := importing(ctx, db, func(s *staging) error { return s.addMLflowDB(source, root) })
	if err != nil {
		return merged, fmt.Errorf("importing the MLflow database %s: %w", path, err)
	}
	return merged, nil
}

func (s *staging) addMLflowDB(source *sql.DB, root *os.Root) error {
	models, err := s.mlflowModels(source, root)
	if err != nil {
		return fmt.Errorf("logged models: %w", err)
	}
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
		r.artifacts = s.beside(root, "run "+id, artifacts)
		if err := r.addModels(models[id]); err != nil {
			return err
		}
		if err := s.add(r); err != nil {
			return fmt.Errorf("run %s: %w", id, err)
		}
	}
	for _, m := range models[""] {
		if err := s.add(m.alone()); err != nil {
			return fmt.Errorf("model %s: %w", m.id, err)
		}
	}
	return rows.Err()
}

// mlflowModels lists the active logged models by the run that made them.
func (s *staging) mlflowModels(source *sql.DB, root *os.Root) (map[string][]foundModel, error) {
	var has bool
	err := source.QueryRowContext(s.ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'logged_models')`).Scan(&has)
	if err != nil || !has { // an MLflow from before logged models
		return nil, err
	}
	rows, err := source.QueryContext(s.ctx, `SELECT m.model_id, e.name, m.name, coalesce(m.model_type, ''), m.status, m.artifact_location,
		m.creation_timestamp_ms, m.last_updated_timestamp_ms, coalesce(m.source_run_id, '')
		FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id WHERE m.lifecycle_stage = 'active' ORDER BY m.model_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string][]foundModel{}
	for rows.Next() {
		var m foundModel
		var run, location string
		var status int
		if err := rows.Scan(&m.id, &m.experiment, &m.Name, &m.Type, &status, &location, &m.Created, &m.Updated, &run); err != nil {
			return nil, err
		}
		known := mlflow.ModelStatuses()
		if status < 0 || status >= len(known) {
			status = 0
		}
		m.Status = known[status]
		if m.Params, err = s.pairs(source, `SELECT param_key, param_value FROM logged_model_params WHERE model_id = ?`, m.id); err != nil {
			return nil, err
		}
		if m.Tags, err = s.pairs(source, `SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?`, m.id); err != nil {
			return nil, err
		}
		m.files = s.beside(root, "model "+m.id, location)
		found[run] = append(found[run], m)
	}
	return found, rows.Err()
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
		ORDER BY key, step, timestamp, value, is_nan`, id)
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
		when, err := mlflowTime(at)
		if err != nil {
			return fmt.Errorf("metric %q: %w", key, err)
		}
		if err := log(key, when, step, mlflowValue(value, isNaN.Bool)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *staging) mlflowInputs(source *sql.DB, id string) ([]tracker.Input, error) {
	rows, err := source.QueryContext(s.ctx, `SELECT d.name, d.digest, coalesce((SELECT t.value FROM input_tags t
		WHERE t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'), '')
		FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
		WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ?
		ORDER BY d.name, d.digest, i.input_uuid`, id)
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

// beside is the folder of artifacts that a database's URI names, where it lies
// below the folder of the database file; nil where it names none here. A
// database may come from somebody else: the folders that it names elsewhere on
// this machine are none of its runs'.
func (s *staging) beside(root *os.Root, of, uri string) func(add func(string, io.Reader) error) error {
	folder := uri
	if u, err := url.Parse(uri); err == nil && u.Scheme == "file" {
		folder = u.Path
	} else if err == nil && u.Scheme != "" {
		return nil
	}
	base, err := filepath.Abs(root.Name())
	if err != nil || !filepath.IsAbs(folder) {
		return nil
	}
	below, err := filepath.Rel(base, folder)
	if err != nil || !filepath.IsLocal(below) {
		if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
			s.refused = append(s.refused, fmt.Errorf("the artifacts of %s were not imported: they lie in %s, outside of the database's folder %s", of, folder, base))
		}
		return nil
	}
	if info, err := root.Stat(below); err != nil || !info.IsDir() {
		return nil
	}
	return func(add func(string, io.Reader) error) error { return addFolder(root, below, add) }
}

// addFolder adds all regular files below a folder; it follows no links.
func addFolder(root *os.Root, folder string, add func(string, io.Reader) error) error {
	return fs.WalkDir(root.FS(), filepath.ToSlash(folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		file, err := root.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(add(filepath.ToSlash(name), file), file.Close())
	})
}
