package tracker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
)

// Merged counts what Merge did.
type Merged struct {
	Added     int // runs that were not there
	Updated   int // runs that were there with other content
	Unchanged int
}

// Merge copies the runs of another database into this one: identities, points
// and artifacts included, deleted runs not. Merging again changes nothing. Of
// two copies of one run that differ, the fields of the one changed last are
// kept, and the points of the one that has more.
func (db *DB) Merge(ctx context.Context, from *DB) (Merged, error) {
	var merged Merged
	rows, err := from.readers.QueryContext(ctx, `SELECT ulid FROM run WHERE deleted IS NULL ORDER BY started, id`)
	if err != nil {
		return merged, fmt.Errorf("merging %s: %w", from.path, explain(err))
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return merged, explain(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return merged, explain(err)
	}
	rows.Close()
	for _, id := range ids {
		if err := db.mergeRun(ctx, from, id, &merged); err != nil {
			return merged, fmt.Errorf("merging run %s of %s: %w", id, from.path, err)
		}
	}
	return merged, nil
}

// travelling is a run's row as it travels between databases.
type travelling struct {
	key                                      int64
	id, experiment, environment              string
	name, parent, note, params, tags, inputs string
	status                                   Status
	started, modified                        int64
	ended, archived                          sql.NullInt64
	metrics, points, digest                  []byte
}

func readRow(ctx context.Context, q querier, id string) (r travelling, err error) {
	err = q.QueryRowContext(ctx, `SELECT run.id, run.ulid, experiment.name, environment.fields, run.name, run.parent, run.note,
		run.params, run.tags, run.inputs, run.status, run.started, run.modified, run.ended, run.archived,
		run.metrics, run.points, run.digest
		FROM run JOIN experiment ON experiment.id = run.experiment JOIN environment ON environment.id = run.environment
		WHERE run.ulid = ?`, id).Scan(&r.key, &r.id, &r.experiment, &r.environment, &r.name, &r.parent, &r.note,
		&r.params, &r.tags, &r.inputs, &r.status, &r.started, &r.modified, &r.ended, &r.archived,
		&r.metrics, &r.points, &r.digest)
	return r, err
}

func (r travelling) count() (n int64) {
	_ = decodeSummaries(r.metrics, func(k keySummary) { n += k.count })
	return n
}

func (db *DB) mergeRun(ctx context.Context, from *DB, id string, merged *Merged) error {
	source, err := from.readers.BeginTx(ctx, nil) // one state of the source
	if err != nil {
		return explain(err)
	}
	defer source.Rollback()
	theirs, err := readRow(ctx, source, id)
	if err != nil {
		return explain(err)
	}
	if ours, err := readRow(ctx, db.readers, id); err == nil && ours.digest != nil && string(ours.digest) == string(theirs.digest) {
		merged.Unchanged++
		return nil
	}
	artifacts, err := db.stageArtifacts(ctx, from, source, theirs.key)
	if err != nil {
		return err
	}
	defer dropStaged(db, artifacts)
	var count *int
	err = db.update(ctx, func(tx *sql.Tx) error {
		m := merging{ctx: ctx, db: db, tx: tx, source: source, theirs: theirs}
		ours, err := readRow(ctx, tx, id)
		found := err == nil
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		newer := !found || theirs.modified > ours.modified
		more := !found || theirs.count() > ours.count()
		m.run = ours.key
		switch {
		case !newer && !more:
			count = &merged.Unchanged
			return nil
		case found:
			count = &merged.Updated
		default:
			count = &merged.Added
		}
		if newer {
			if err := m.takeFields(); err != nil {
				return err
			}
			if err := m.takeArtifacts(artifacts); err != nil {
				return err
			}
		}
		if more {
			if err := m.takePoints(); err != nil {
				return err
			}
		}
		return m.finish()
	})
	if err == nil {
		*count++
	}
	return err
}

// merging is the transaction that takes one run over.
type merging struct {
	ctx        context.Context
	db         *DB
	tx, source *sql.Tx
	theirs     travelling
	run        int64 // its row here
}

// takeFields makes the run's row, or gives it the source's fields.
func (m *merging) takeFields() error {
	t := m.theirs
	experiment, err := experimentKey(m.ctx, m.tx, t.experiment, t.started)
	if err != nil {
		return err
	}
	environment, err := environmentRow(m.ctx, m.tx, t.environment)
	if err != nil {
		return err
	}
	err = m.tx.QueryRowContext(m.ctx, `INSERT INTO run
		(ulid, experiment, environment, name, parent, note, params, tags, inputs, status, started, modified, ended, archived)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (ulid) DO UPDATE SET experiment = excluded.experiment, environment = excluded.environment,
		name = excluded.name, parent = excluded.parent, note = excluded.note, params = excluded.params,
		tags = excluded.tags, inputs = excluded.inputs, status = excluded.status, started = excluded.started,
		modified = excluded.modified, ended = excluded.ended, archived = excluded.archived RETURNING id`,
		t.id, experiment, environment, t.name, t.parent, t.note, t.params, t.tags, t.inputs, t.status, t.started,
		t.modified, t.ended, t.archived).Scan(&m.run)
	return err
}

// takePoints replaces the points of the run by those of the source.
func (m *merging) takePoints() error {
	for _, table := range []string{"hot", "chunk"} {
		if _, err := m.tx.ExecContext(m.ctx, `DELETE FROM `+table+` WHERE run = ?`, m.run); err != nil {
			return err
		}
	}
	keys, err := m.translateKeys()
	if err != nil {
		return err
	}
	for table, columns := range map[string]string{"hot": "seq, count, data", "chunk": "seq, count, nonfinite, min, max, last, data"} {
		if err := m.copyTable(table, columns, keys); err != nil {
			return err
		}
	}
	return nil
}

func (m *merging) copyTable(table, columns string, keys map[int64]int64) error {
	rows, err := m.source.QueryContext(m.ctx, `SELECT key, `+columns+` FROM `+table+` WHERE run = ?`, m.theirs.key)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(names)+1) // the run, then the columns
	targets := make([]any, len(names))
	marks := "?"
	for i := range names {
		targets[i] = &values[i+1]
		marks += ", ?"
	}
	insert := `INSERT INTO ` + table + ` (run, key, ` + columns + `) VALUES (` + marks + `)`
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		values[0] = m.run
		key, _ := values[1].(int64)
		values[1] = keys[key]
		if _, err := m.tx.ExecContext(m.ctx, insert, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// translateKeys finds or makes the keys here of the metrics there, and writes
// the summaries with them.
func (m *merging) translateKeys() (map[int64]int64, error) {
	keys := map[int64]int64{}
	var here summaries
	var failure error
	names := keyIDs{}
	err := decodeSummaries(m.theirs.metrics, func(k keySummary) {
		var name string
		err := m.source.QueryRowContext(m.ctx, `SELECT name FROM key WHERE id = ?`, k.key).Scan(&name)
		if err == nil {
			keys[k.key], err = names.id(m.ctx, m.tx, name)
		}
		failure = errors.Join(failure, err)
		there := k.key
		k.key = keys[there]
		*here.of(k.key) = k
	})
	if err = errors.Join(err, failure); err != nil {
		return nil, err
	}
	_, err = m.tx.ExecContext(m.ctx, `UPDATE run SET metrics = ? WHERE id = ?`, here.encode(nil), m.run)
	return keys, err
}

// finish computes the digests of an ended run anew from what is here now.
func (m *merging) finish() error {
	var status Status
	if err := m.tx.QueryRowContext(m.ctx, `SELECT status FROM run WHERE id = ?`, m.run).Scan(&status); err != nil {
		return err
	}
	if status == Running {
		_, err := m.tx.ExecContext(m.ctx, `UPDATE run SET points = NULL, digest = NULL WHERE id = ?`, m.run)
		return err
	}
	codec := m.db.codecs.Get().(*codec)
	defer m.db.codecs.Put(codec)
	points, err := pointsDigest(m.ctx, m.tx, codec, m.run)
	if err != nil {
		return err
	}
	digest, err := runDigest(m.ctx, m.tx, m.run, points)
	if err != nil {
		return err
	}
	_, err = m.tx.ExecContext(m.ctx, `UPDATE run SET points = ?, digest = ? WHERE id = ?`, points, digest, m.run)
	return err
}

// staged is an artifact on its way here.
type staged struct {
	name          string
	digest        []byte
	size, created int64
	temporary     string // where the content waits; "" where it is here already
}

// stageArtifacts copies the contents that are missing here into temporary
// files, verified.
func (db *DB) stageArtifacts(ctx context.Context, from *DB, source *sql.Tx, run int64) (all []staged, err error) {
	rows, err := source.QueryContext(ctx, `SELECT name, sha256, size, created FROM artifact WHERE run = ?`, run)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s staged
		if err := rows.Scan(&s.name, &s.digest, &s.size, &s.created); err != nil {
			return nil, explain(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		return nil, explain(err)
	}
	root, err := db.root(true)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	defer func() {
		if err != nil {
			dropStaged(db, all)
		}
	}()
	for i := range all {
		s := &all[i]
		if info, err := root.Stat(contentPath(s.digest)); err == nil && info.Size() == s.size {
			continue
		}
		content, err := from.openContent(s.digest)
		if err != nil {
			return all, fmt.Errorf("artifact %q: %w", s.name, err)
		}
		s.temporary = "incoming-" + rand.Text()
		_, _, err = writeContent(root, s.temporary, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return all, fmt.Errorf("artifact %q: %w", s.name, err)
		}
	}
	return all, nil
}

// dropStaged removes temporary files that were not taken.
func dropStaged(db *DB, all []staged) {
	root, err := db.root(false)
	if err != nil {
		return
	}
	defer root.Close()
	for _, s := range all {
		if s.temporary != "" {
			root.Remove(s.temporary)
		}
	}
}

// takeArtifacts gives the run exactly the source's artifacts.
func (m *merging) takeArtifacts(all []staged) error {
	if _, err := m.tx.ExecContext(m.ctx, `DELETE FROM artifact WHERE run = ?`, m.run); err != nil || len(all) == 0 {
		return err
	}
	root, err := m.db.root(true)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, s := range all {
		if s.temporary != "" {
			err = placeContent(root, s.temporary, s.digest, s.size)
		} else {
			_, err = root.Stat(contentPath(s.digest)) // gc may have taken it meanwhile
		}
		if err != nil {
			return fmt.Errorf("artifact %q: %w", s.name, err)
		}
		_, err = m.tx.ExecContext(m.ctx, `INSERT INTO artifact (run, name, sha256, size, created) VALUES (?, ?, ?, ?, ?)`,
			m.run, s.name, s.digest, s.size, s.created)
		if err != nil {
			return err
		}
	}
	return nil
}
