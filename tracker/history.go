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

// samples reads a metric's points in the order of logging, from one state of
// the database: so no point is missed or seen twice while a writer seals.
func (db *DB) samples(ctx context.Context, id, key string) ([]sample, error) {
	tx, err := db.readers.BeginTx(ctx, nil)
	if err != nil {
		return nil, explain(err)
	}
	defer tx.Rollback()
	var run, name sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT (SELECT id FROM run WHERE ulid = ?), (SELECT id FROM key WHERE name = ?)`, id, key).
		Scan(&run, &name)
	switch {
	case err != nil:
		return nil, explain(err)
	case !run.Valid:
		return nil, fmt.Errorf("the run: %w", ErrNotFound)
	case !name.Valid:
		return nil, fmt.Errorf("the metric: %w", ErrNotFound)
	}
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	var samples []sample
	err = eachBatch(ctx, tx, codec, run.Int64, name.Int64, func(batch []sample) { samples = append(samples, batch...) })
	if err == nil && samples == nil {
		err = fmt.Errorf("the metric: %w", ErrNotFound)
	}
	return samples, err
}
