package tracker

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mattn/go-sqlite3"
)

// store writes a batch of queued points in one transaction. A run that takes
// no points, because it is gone, another's or damaged, is lost to its writer;
// the points of the others are stored all the same.
func (db *DB) store(batch []queued) error {
	runs := groupBatch(batch)
	for {
		damaged, err := db.storeRuns(runs)
		if err == nil {
			return nil
		}
		clear(db.keys) // what the transaction named may be gone
		if damaged == nil {
			return fmt.Errorf("storing points: %w", err)
		}
		db.loseRun(damaged, fmt.Errorf("run %s takes no more points, those logged since are not stored: %w", damaged.id, err))
		delete(runs, damaged) // and again without it
	}
}

// storeRuns is one attempt. Where it fails because of what the file holds of
// one run, it returns that run.
func (db *DB) storeRuns(runs map[*Run][]*group) (damaged *Run, err error) {
	ctx := context.Background()
	var lost []*Run
	err = db.transact(ctx, func(tx *sql.Tx) error {
		s := storing{tx: tx, keys: db.keys, codec: db.codec}
		for run, groups := range runs {
			// The run may have been removed by gc meanwhile (and its row number
			// given to another), or resumed by another process that took this one
			// for dead: its points must not get there.
			ours, err := db.writes(ctx, tx, run)
			if err != nil {
				return err
			}
			if !ours {
				lost = append(lost, run)
				continue
			}
			if err := s.add(ctx, run.key, groups); err != nil {
				if ofOneRun(err) {
					damaged = run
				}
				return err
			}
		}
		return nil
	})
	if err == nil {
		for _, run := range lost {
			db.loseRun(run, fmt.Errorf("run %s was removed from the database, or another process took it over: points logged since are not stored", run.id))
		}
	}
	return damaged, err
}

// errDamaged is wrapped where the file holds something that no tracker wrote.
var errDamaged = errors.New("what the file holds of it is damaged")

// ofOneRun tells whether an error of storing points comes from what the file
// holds of that run, so that others may be stored; a full disk is none such.
func ofOneRun(err error) bool {
	return errors.Is(err, errDamaged) || hasCode(err, sqlite3.ErrCorrupt) || hasCode(err, sqlite3.ErrConstraint)
}

// group is the points of one key in a batch, in the order of logging.
type group struct {
	key     string
	samples []sample
}

func groupBatch(batch []queued) map[*Run][]*group {
	type place struct {
		run *Run
		key string
	}
	places := map[place]*group{}
	runs := map[*Run][]*group{}
	for _, q := range batch {
		at := place{q.run, q.key}
		g := places[at]
		if g == nil {
			g = &group{key: q.key}
			places[at] = g
			runs[q.run] = append(runs[q.run], g)
		}
		g.samples = append(g.samples, q.sample)
	}
	for _, groups := range runs {
		slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.key, b.key) })
	}
	return runs
}

// storing is one transaction that adds points.
type storing struct {
	tx    *sql.Tx
	keys  keyIDs
	codec *codec
	data  []byte
}

// add appends points to a run: few go to the hot table; where a key has
// enough for a chunk, its hot points and the new ones are sealed.
func (s *storing) add(ctx context.Context, run int64, groups []*group) error {
	sums, err := s.summaries(ctx, run)
	if err != nil {
		return err
	}
	for _, g := range groups {
		key, err := s.keys.id(ctx, s.tx, g.key)
		if err != nil {
			return err
		}
		if err := s.append(ctx, run, sums.of(key), g.samples); err != nil {
			return err
		}
	}
	return s.saveSummaries(ctx, run, sums)
}

// append adds points to a key of a run, whose summary it keeps true.
func (s *storing) append(ctx context.Context, run int64, sum *keySummary, samples []sample) (err error) {
	key, seq := sum.key, sum.count
	sum.add(samples)
	if sum.hot+int64(len(samples)) >= chunkPoints {
		if sum.hot > 0 {
			hot := sum.hot
			if samples, err = s.takeHot(ctx, run, key, hot, samples); err != nil {
				return err
			}
			seq -= hot
			sum.hot = 0
		}
		for len(samples) >= chunkPoints {
			if err := s.seal(ctx, run, key, seq, samples[:chunkPoints]); err != nil {
				return err
			}
			seq += chunkPoints
			samples = samples[chunkPoints:]
		}
	}
	if len(samples) > 0 {
		s.data = s.codec.plain(s.data[:0], samples)
		_, err := s.tx.ExecContext(ctx, `INSERT INTO hot (run, key, seq, count, data) VALUES (?, ?, ?, ?, ?)`,
			run, key, seq, len(samples), s.data)
		if err != nil {
			return err
		}
		sum.hot += int64(len(samples))
	}
	return nil
}

func (s *storing) summaries(ctx context.Context, run int64) (summaries, error) {
	var data []byte
	if err := s.tx.QueryRowContext(ctx, `SELECT metrics FROM run WHERE id = ?`, run).Scan(&data); err != nil {
		return nil, err
	}
	var sums summaries
	if err := decodeSummaries(data, func(k keySummary) { sums = append(sums, k) }); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return sums, nil
}

func (s *storing) saveSummaries(ctx context.Context, run int64, sums summaries) error {
	_, err := s.tx.ExecContext(ctx, `UPDATE run SET metrics = ? WHERE id = ?`, sums.encode(nil), run)
	return err
}

// takeHot removes a key's hot points, of which there must be count, and
// returns them followed by more.
func (s *storing) takeHot(ctx context.Context, run, key, count int64, more []sample) ([]sample, error) {
	rows, err := s.tx.QueryContext(ctx, `SELECT data FROM hot WHERE run = ? AND key = ? ORDER BY seq`, run, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var samples []sample
	var data sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		if samples, err = s.codec.decode(samples, data); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if int64(len(samples)) != count {
		return nil, fmt.Errorf("%w: %d recent points are there, not %d", errDamaged, len(samples), count)
	}
	if _, err := s.tx.ExecContext(ctx, `DELETE FROM hot WHERE run = ? AND key = ?`, run, key); err != nil {
		return nil, err
	}
	return append(samples, more...), nil
}

// seal writes one chunk.
func (s *storing) seal(ctx context.Context, run, key, seq int64, samples []sample) error {
	var sum keySummary
	sum.add(samples)
	lowest, highest := any(sum.min), any(sum.max)
	if sum.nonfinite == sum.count {
		lowest, highest = nil, nil
	}
	last := any(samples[len(samples)-1].value)
	if math.IsNaN(samples[len(samples)-1].value) {
		last = nil
	}
	s.data = s.codec.compressed(s.data[:0], samples)
	_, err := s.tx.ExecContext(ctx, `INSERT INTO chunk (run, key, seq, count, nonfinite, min, max, last, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		run, key, seq, sum.count, sum.nonfinite, lowest, highest, last, s.data)
	return err
}

// sealAll seals whatever a run still has in the hot table.
func (s *storing) sealAll(ctx context.Context, run int64) error {
	sums, err := s.summaries(ctx, run)
	if err != nil {
		return err
	}
	for i := range sums {
		sum := &sums[i]
		if sum.hot == 0 {
			continue
		}
		samples, err := s.takeHot(ctx, run, sum.key, sum.hot, nil)
		if err != nil {
			return err
		}
		if err := s.seal(ctx, run, sum.key, sum.count-sum.hot, samples); err != nil {
			return err
		}
		sum.hot = 0
	}
	return s.saveSummaries(ctx, run, sums)
}

// end seals a run that this process writes and gives it its final status.
func (db *DB) end(ctx context.Context, r *Run, status Status, at int64) error {
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	return db.update(ctx, func(tx *sql.Tx) error {
		ours, err := db.writes(ctx, tx, r)
		if err != nil {
			return err
		}
		if !ours {
			return errors.New("it was removed from the database, or another process took it over")
		}
		run := r.key
		s := storing{tx: tx, codec: codec}
		if err := s.sealAll(ctx, run); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM writer WHERE run = ?`, run); err != nil {
			return err
		}
		points, err := pointsDigest(ctx, tx, codec, run)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE run SET status = ?, ended = ?, points = ? WHERE id = ?`, status, at, points, run)
		if err != nil {
			return err
		}
		return db.touch(ctx, tx, run, true)
	})
}

// loseRun marks a run that this process may no longer write. Its writer hears
// why from whatever it does next, at the latest from closing the database.
func (db *DB) loseRun(r *Run, why error) {
	first := r.lost.CompareAndSwap(nil, &why)
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.open[r.key] == r {
		delete(db.open, r.key)
	}
	if first {
		db.lost = append(db.lost, r)
	}
}

// untold are the reasons of lost runs that no writer has heard.
func (db *DB) untold() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var all []error
	for _, r := range db.lost {
		if !r.told.Load() {
			all = append(all, r.whyLost())
		}
	}
	db.lost = nil
	return errors.Join(all...)
}
