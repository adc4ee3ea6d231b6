package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// mergeRun takes one run over; it returns a refusal where the run is at fault.
func (db *DB) mergeRun(ctx context.Context, from *DB, id string, merged *Merged) error {
	source, err := from.readers.BeginTx(ctx, nil) // one state of the source
	if err != nil {
		return explain(err)
	}
	defer source.Rollback()
	theirs, err := readRow(ctx, source, id)
	if err != nil {
		return refuse(err)
	}
	m := &merging{ctx: ctx, db: db, source: source, theirs: &theirs}
	m.theirCodec, m.ourCodec = db.codecs.Get().(*codec), db.codecs.Get().(*codec)
	defer func() { db.codecs.Put(m.theirCodec); db.codecs.Put(m.ourCodec) }()
	if err := m.checkSource(); err != nil {
		return refuse(err)
	}
	if ours, err := readRow(ctx, db.readers, id); err == nil && ours.digest != nil && string(ours.digest) == string(theirs.digest) {
		merged.Unchanged++
		return nil
	}
	if m.artifacts, err = db.stageArtifacts(ctx, from, source, theirs.key); err != nil {
		return err
	}
	defer db.dropStaged(m.artifacts)
	err = db.update(ctx, func(tx *sql.Tx) error {
		m.tx = tx
		return m.take()
	})
	if err != nil {
		return err
	}
	switch {
	case m.added:
		merged.Added++
	case m.changed:
		merged.Updated++
	default:
		merged.Unchanged++
	}
	return nil
}

// merging is the transaction that takes one run over.
type merging struct {
	ctx                  context.Context
	db                   *DB
	tx, source           *sql.Tx
	theirs               *travelling
	artifacts            []staged
	theirCodec, ourCodec *codec

	run            int64 // its row here
	added, changed bool
	grew           bool // points of theirs were added
	oursHasMore    bool // points that theirs has not
}

// checkSource checks all that travels, before anything here is touched.
func (m *merging) checkSource() error {
	if err := m.theirs.check(); err != nil {
		return err
	}
	if err := m.notWritten(m.source, m.theirs); err != nil {
		return err
	}
	metrics, err := metricsOf(m.ctx, m.source, m.theirs.key)
	if err != nil {
		return err
	}
	for i, k := range metrics {
		if err := checkName(k.name); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		if i > 0 && k.name == metrics[i-1].name {
			return fmt.Errorf("two of its metrics have the name %q", k.name)
		}
	}
	return m.theirs.whole(m.ctx, m.source, m.theirCodec)
}

// notWritten refuses a run that a living process writes.
func (m *merging) notWritten(q querier, r *travelling) error {
	if r.status != Running {
		return nil
	}
	alive, err := m.db.writerLives(m.ctx, q, r.key)
	if err == nil && alive {
		err = fmt.Errorf("%w: merge again when it has ended", ErrWriting)
	}
	return err
}

func (m *merging) take() error {
	ours, err := readRow(m.ctx, m.tx, m.theirs.id)
	m.added = errors.Is(err, sql.ErrNoRows)
	switch {
	case m.added:
		err = m.insert()
	case err == nil:
		err = m.checkOurs(&ours)
	case errors.Is(err, errMissing):
		err = refuse(fmt.Errorf("the copy here is damaged; delete and collect it, then merge again: %w", err))
	}
	if err != nil {
		return err
	}
	if err := m.takePoints(); err != nil {
		return err
	}
	if err := m.takeArtifacts(m.theirs.modified > ours.modified); err != nil {
		return err
	}
	if m.added {
		return m.finish(m.theirs)
	}
	united, err := unite(&ours, m.theirs, m.grew, m.oursHasMore)
	if err != nil {
		return refuse(err)
	}
	if !m.changed && united.sameFields(&ours) {
		return nil
	}
	m.changed = true
	if err := m.update(&ours, united); err != nil {
		return err
	}
	return m.finish(united)
}

// checkOurs refuses to mix with a copy that is being written or damaged: its
// new digest would hide the damage.
func (m *merging) checkOurs(ours *travelling) error {
	m.run = ours.key
	if err := m.notWritten(m.tx, ours); err != nil {
		return refuse(fmt.Errorf("the copy here: %w", err))
	}
	err := ours.check()
	if err == nil {
		err = ours.whole(m.ctx, m.tx, m.ourCodec)
	}
	if err != nil {
		return refuse(fmt.Errorf("the copy here is damaged; delete and collect it, then merge again: %w", err))
	}
	return nil
}

// insert makes the run's row.
func (m *merging) insert() error {
	t := m.theirs
	experiment, err := experimentKey(m.ctx, m.tx, t.experiment, t.started)
	if err != nil {
		return err
	}
	environment, err := environmentRow(m.ctx, m.tx, t.environment)
	if err != nil {
		return err
	}
	return m.tx.QueryRowContext(m.ctx, `INSERT INTO run
		(ulid, experiment, environment, name, parent, note, params, tags, inputs, status, started, modified, ended, archived)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		t.id, experiment, environment, t.name, t.parent, t.note, t.params, t.tags, t.inputs, t.status, t.started,
		t.modified, t.ended, t.archived).Scan(&m.run)
}

// update gives the run's row the united fields.
func (m *merging) update(ours, u *travelling) error {
	if u.experiment != ours.experiment {
		experiment, err := experimentKey(m.ctx, m.tx, u.experiment, u.started)
		if err != nil {
			return err
		}
		if _, err := m.tx.ExecContext(m.ctx, `UPDATE run SET experiment = ? WHERE id = ?`, experiment, m.run); err != nil {
			return err
		}
	}
	environment, err := environmentRow(m.ctx, m.tx, u.environment)
	if err != nil {
		return err
	}
	_, err = m.tx.ExecContext(m.ctx, `UPDATE run SET environment = ?, name = ?, parent = ?, note = ?, params = ?, tags = ?, inputs = ?,
		status = ?, started = ?, modified = ?, ended = ?, archived = ? WHERE id = ?`,
		environment, u.name, u.parent, u.note, u.params, u.tags, u.inputs,
		u.status, u.started, u.modified, u.ended, u.archived, m.run)
	return err
}

// finish gives a run that has ended its digest, which a copy taken whole has
// from its source.
func (m *merging) finish(united *travelling) error {
	if united.status == Running {
		_, err := m.tx.ExecContext(m.ctx, `UPDATE run SET points = NULL, digest = NULL WHERE id = ?`, m.run)
		return err
	}
	s := storing{tx: m.tx, codec: m.ourCodec}
	if err := s.sealAll(m.ctx, m.run); err != nil {
		return err
	}
	if _, err := m.tx.ExecContext(m.ctx, `DELETE FROM writer WHERE run = ?`, m.run); err != nil {
		return err
	}
	points, err := pointsDigest(m.ctx, m.tx, m.ourCodec, m.run)
	if err != nil {
		return err
	}
	digest, err := runDigest(m.ctx, m.tx, m.run, points)
	if err != nil {
		return err
	}
	if m.added && m.theirs.digest != nil && string(digest) != string(m.theirs.digest) {
		return fmt.Errorf("the copy has the digest %x, the run %x", digest, m.theirs.digest)
	}
	_, err = m.tx.ExecContext(m.ctx, `UPDATE run SET points = ?, digest = ? WHERE id = ?`, points, digest, m.run)
	return err
}
