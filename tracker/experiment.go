package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Experiment is a named collection of runs.
type Experiment struct {
	Key     int64 // its number in this database; in another it has another
	Name    string
	Created time.Time
	Changed time.Time // its latest run's start, or Created
	Deleted bool
	Tags    map[string]string
}

// Experiments lists all experiments, deleted ones included, in the order in
// which they were made.
func (db *DB) Experiments(ctx context.Context) ([]Experiment, error) {
	experiments, err := selectExperiments(ctx, db.readers, "")
	if err != nil {
		return nil, fmt.Errorf("listing experiments: %w", err)
	}
	return experiments, nil
}

func selectExperiments(ctx context.Context, q querier, where string, args ...any) ([]Experiment, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, name, created, deleted IS NOT NULL, tags, coalesce((SELECT max(started)
		FROM run WHERE run.experiment = experiment.id), created) FROM experiment `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var all []Experiment
	for rows.Next() {
		var e Experiment
		var created, changed int64
		var tags string
		if err := rows.Scan(&e.Key, &e.Name, &created, &e.Deleted, &tags, &changed); err != nil {
			return nil, explain(err)
		}
		e.Created, e.Changed = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		if e.Tags, err = decodeFields(tags, map[string]string{}); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, explain(rows.Err())
}

// CreateExperiment makes an experiment of a name that none has; where one has
// it, the error wraps ErrExists. Start makes experiments by itself.
func (db *DB) CreateExperiment(ctx context.Context, name string, tags map[string]string) (Experiment, error) {
	now := db.now()
	e := Experiment{Name: name, Created: now, Changed: now, Tags: tags}
	err := db.update(ctx, func(tx *sql.Tx) error {
		fields, err := encodeFields(tags)
		if err = errors.Join(err, checkName(name)); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `INSERT INTO experiment (name, created, tags) VALUES (?, ?, ?) RETURNING id`,
			name, now.UnixMicro(), fields).Scan(&e.Key)
		return taken(err)
	})
	if err != nil {
		return e, fmt.Errorf("creating experiment %q: %w", name, err)
	}
	return e, nil
}

// taken turns a clash of unique names into ErrExists.
func taken(err error) error {
	var clash sqlite3.Error
	if errors.As(err, &clash) && clash.ExtendedCode == sqlite3.ErrConstraintUnique {
		return ErrExists
	}
	return err
}

// EditExperiment changes an experiment's name, tags, or whether it is deleted.
// Its runs are deleted with it, and those come back with it.
func (db *DB) EditExperiment(ctx context.Context, key int64, edit func(*Experiment)) error {
	err := db.update(ctx, func(tx *sql.Tx) error {
		found, err := selectExperiments(ctx, tx, `WHERE id = ?`, key)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrNotFound
		}
		e := found[0]
		wasDeleted, name := e.Deleted, e.Name
		edit(&e)
		fields, err := encodeFields(e.Tags)
		if err = errors.Join(err, checkName(e.Name)); err != nil {
			return err
		}
		var renamed map[int64]bool
		if e.Name != name { // the name is part of each run's digest
			if renamed, err = intactRuns(ctx, tx, key); err != nil {
				return err
			}
		}
		if _, err = tx.ExecContext(ctx, `UPDATE experiment SET name = ?, tags = ? WHERE id = ?`, e.Name, fields, key); err != nil {
			return taken(err)
		}
		switch {
		case e.Deleted && !wasDeleted:
			now := db.now().UnixMicro()
			_, err = tx.ExecContext(ctx, `UPDATE run SET deleted = ?1 WHERE experiment = ?2 AND deleted IS NULL`, now, key)
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE experiment SET deleted = ? WHERE id = ?`, now, key)
			}
		case !e.Deleted && wasDeleted:
			_, err = tx.ExecContext(ctx, `UPDATE run SET deleted = NULL WHERE experiment = ?1
				AND deleted = (SELECT deleted FROM experiment WHERE id = ?1)`, key)
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE experiment SET deleted = NULL WHERE id = ?`, key)
			}
		}
		if err != nil {
			return err
		}
		for run, intact := range renamed {
			if err := db.touch(ctx, tx, run, intact); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("changing experiment %d: %w", key, err)
	}
	return nil
}

// intactRuns returns which runs of an experiment are intact.
func intactRuns(ctx context.Context, tx *sql.Tx, experiment int64) (map[int64]bool, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM run WHERE experiment = ?`, experiment)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	runs := map[int64]bool{}
	for rows.Next() {
		var run int64
		if err := rows.Scan(&run); err != nil {
			return nil, err
		}
		if runs[run], err = isIntact(ctx, tx, run); err != nil {
			return nil, err
		}
	}
	return runs, rows.Err()
}
