package tracker

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Point is one value of a metric.
type Point struct {
	Step  int64
	Time  time.Time // UTC, whole microseconds
	Value float64   // NaN and infinities included
}

// History returns all points of one metric, ordered by step; points of equal
// steps are in the order in which they were logged.
func (db *DB) History(ctx context.Context, id, key string) ([]Point, error) {
	samples, err := db.samples(ctx, id, key)
	if err != nil {
		return nil, fmt.Errorf("history of %q in run %s: %w", key, id, err)
	}
	points := make([]Point, len(samples))
	for i, s := range samples {
		points[i] = Point{s.step, time.UnixMicro(s.time).UTC(), s.value}
	}
	inOrder := func(a, b Point) int { return cmp.Compare(a.Step, b.Step) }
	if !slices.IsSortedFunc(points, inOrder) {
		slices.SortStableFunc(points, inOrder)
	}
	return points, nil
}

// samples reads a metric's points in the order of logging. One statement sees
// one state of the database, so no point is missed or seen twice while a
// writer seals.
func (db *DB) samples(ctx context.Context, id, key string) ([]sample, error) {
	rows, err := db.readers.QueryContext(ctx, `
		WITH place AS (SELECT run.id AS run, key.id AS key FROM run, key WHERE run.ulid = ? AND key.name = ?)
		SELECT seq, count, data FROM chunk JOIN place USING (run, key)
		UNION ALL SELECT seq, count, data FROM hot JOIN place USING (run, key) ORDER BY seq`, id, key)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	var samples []sample
	var data sql.RawBytes
	for rows.Next() {
		var seq, count int
		if err := rows.Scan(&seq, &count, &data); err != nil {
			return nil, explain(err)
		}
		if seq != len(samples) {
			return nil, fmt.Errorf("points %d to %d are missing: the file is damaged", len(samples), seq-1)
		}
		if samples, err = codec.decode(samples, data); err != nil {
			return nil, err
		}
		if len(samples) != seq+count {
			return nil, fmt.Errorf("the batch at point %d holds %d points, not %d: the file is damaged", seq, len(samples)-seq, count)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, explain(err)
	}
	if samples == nil {
		return nil, db.absent(ctx, id, key)
	}
	return samples, nil
}

// absent says whether the run or its metric does not exist.
func (db *DB) absent(ctx context.Context, id, key string) error {
	var n int
	if err := db.readers.QueryRowContext(ctx, `SELECT 1 FROM run WHERE ulid = ?`, id).Scan(&n); err != nil {
		return fmt.Errorf("the run: %w", notFound(err))
	}
	return fmt.Errorf("the metric: %w", ErrNotFound)
}
