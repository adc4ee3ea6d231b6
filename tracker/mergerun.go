package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Runs are merged several a transaction, for each must reach the disk; not so
// many that others who write wait long.
const (
	mergeRuns   = 64
	mergePoints = 100_000
)

// mergeSome takes the first of the runs over, and returns how many it has
// settled, with a sentence for each that it refused.
func (db *DB) mergeSome(ctx context.Context, from *DB, ids []string, merged *Merged) (taken int, refused []error, err error) {
	source, err := from.readers.BeginTx(ctx, nil) // one state of the source
	if err != nil {
		return 0, nil, explain(err)
	}
	defer source.Rollback()
	theirCodec, ourCodec := db.codecs.Get().(*codec), db.codecs.Get().(*codec)
	defer func() { db.codecs.Put(theirCodec); db.codecs.Put(ourCodec) }()
	failed := func(id string, err error) error {
		var no *refusal
		if errors.As(err, &no) && ctx.Err() == nil {
			refused = append(refused, fmt.Errorf("run %s of %s was not merged: %w", printable(id), from.path, no.why))
			return nil
		}
		return fmt.Errorf("run %s: %w", printable(id), err)
	}
	var batch []*merging
	defer func() {
		for _, m := range batch {
			db.dropStaged(m.artifacts)
		}
	}()
	unchanged, points := 0, int64(0)
	for len(batch) < mergeRuns && points < mergePoints && taken < len(ids) {
		id := ids[taken]
		taken++
		m := &merging{ctx: ctx, db: db, source: source, theirCodec: theirCodec, ourCodec: ourCodec}
		news, err := m.prepare(from, id)
		if err != nil {
			if err := failed(id, err); err != nil {
				return taken, nil, err
			}
			continue
		}
		if !news {
			unchanged++
			continue
		}
		batch = append(batch, m)
		points += m.points
	}
	if len(batch) > 0 {
		err = db.update(ctx, func(tx *sql.Tx) error {
			for _, m := range batch {
				m.tx = tx
				if err := m.takeOrLeave(); err != nil {
					if err := failed(m.theirs.id, err); err != nil {
						return err
					}
					m.refused = true
				}
			}
			return nil
		})
		if err != nil {
			return taken, nil, err
		}
	}
	merged.Unchanged += unchanged
	for _, m := range batch {
		switch {
		case m.refused:
		case m.added:
			merged.Added++
		case m.changed:
			merged.Updated++
		default:
			merged.Unchanged++
		}
	}
	return taken, refused, nil
}

// merging is one run that is taken over.
type merging struct {
	ctx                  context.Context
	db                   *DB
	tx, source           *sql.Tx
	theirs               *travelling
	points               int64 // of theirs
	artifacts            []staged
	theirCodec, ourCodec *codec

	run            int64 // its row here
	added, changed bool
	grew           bool // points of theirs were added
	oursHasMore    bool // points that theirs has not
	refused        bool
}

// prepare reads and checks the run, before anything here is touched; news is
// false where the same is here already.
func (m *merging) prepare(from *DB, id string) (news bool, err error) {
	theirs, err := readRow(m.ctx, m.source, id)
	if err != nil {
		return false, refuse(err)
	}
	m.theirs = &theirs
	if err := m.checkSource(); err != nil {
		return false, refuse(err)
	}
	ours, err := readRow(m.ctx, m.db.readers, id)
	if err == nil && ours.digest != nil && string(ours.digest) == string(theirs.digest) {
		return false, nil
	}
	m.artifacts, err = m.db.stageArtifacts(m.ctx, from, m.source, theirs.key)
	return true, err
}

// takeOrLeave takes the run, or, where it refuses it, nothing of it.
func (m *merging) takeOrLeave() error {
	if _, err := m.tx.ExecContext(m.ctx, `SAVEPOINT one`); err != nil {
		return err
	}
	err := m.take()
	settle := `RELEASE one`
	if errors.As(err, new(*refusal)) {
		settle = `ROLLBACK TO one; RELEASE one`
	} else if err != nil {
		return err // the whole transaction is undone
	}
	if _, settling := m.tx.ExecContext(m.ctx, settle); settling != nil {
		return settling
	}
	return err
}

// checkSource checks all that travels.
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
		m.points += k.count
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
