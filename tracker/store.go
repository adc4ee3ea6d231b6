package tracker

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
)

// store writes a batch of queued points in one transaction.
func (db *DB) store(batch []queued) error {
	ctx := context.Background()
	var lost []int64
	err := db.transact(ctx, func(tx *sql.Tx) error {
		lost = lost[:0]
		s := storing{tx: tx, keys: db.keys, codec: db.codec}
		for run, groups := range groupBatch(batch) {
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
			if err := s.add(ctx, run, groups); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		clear(db.keys) // what the transaction named may be gone
		return fmt.Errorf("storing points: %w", err)
	}
	for _, run := range lost {
		db.loseRun(run)
	}
	return nil
}

// group is the points of one key in a batch, in the order of logging.
type group struct {
	key     string
	samples []sample
}

func groupBatch(batch []queued) map[int64][]*group {
	type place struct {
		run int64
		key string
	}
	places := map[place]*group{}
	runs := map[int64][]*group{}
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
		sum := sums.of(key)
		seq, samples := sum.count, g.samples
		sum.add(samples)
		if sum.hot+int64(len(samples)) >= chunkPoints {
			if sum.hot > 0 {
				if samples, err = s.takeHot(ctx, run, key, samples); err != nil {
					return err
				}
				seq -= sum.hot
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
	}
	return s.saveSummaries(ctx, run, sums)
}

func (s *storing) summaries(ctx context.Context, run int64) (summaries, error) {
	var data []byte
	if err := s.tx.QueryRowContext(ctx, `SELECT metrics FROM run WHERE id = ?`, run).Scan(&data); err != nil {
		return nil, err
	}
	var sums summaries
	err := decodeSummaries(data, func(k keySummary) { sums = append(sums, k) })
	return sums, err
}

func (s *storing) saveSummaries(ctx context.Context, run int64, sums summaries) error {
	_, err := s.tx.ExecContext(ctx, `UPDATE run SET metrics = ? WHERE id = ?`, sums.encode(nil), run)
	return err
}

// takeHot removes a key's hot points and returns them followed by more.
func (s *storing) takeHot(ctx context.Context, run, key int64, more []sample) ([]sample, error) {
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
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
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
		samples, err := s.takeHot(ctx, run, sum.key, nil)
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

// end seals a run and gives it its final status.
func (db *DB) end(ctx context.Context, id string, status Status, at int64) error {
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	return db.update(ctx, func(tx *sql.Tx) error {
		var run int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM run WHERE ulid = ?`, id).Scan(&run); err != nil {
			return notFound(err)
		}
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
		return db.touch(ctx, tx, run)
	})
}

// loseRun marks a run that this process may no longer write.
func (db *DB) loseRun(key int64) {
	db.mu.Lock()
	r := db.open[key]
	delete(db.open, key)
	db.mu.Unlock()
	if r != nil {
		lost := fmt.Errorf("run %s was removed from the database, or another process took it over: points logged since are not stored", r.id)
		r.lost.Store(&lost)
	}
}
