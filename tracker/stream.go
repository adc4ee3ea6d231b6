package tracker

import (
	"context"
	"database/sql"
	"fmt"
)

// pointStream reads a metric's points in the order of logging, batch by batch.
type pointStream struct {
	rows    *sql.Rows
	codec   *codec
	read    int // points so far
	samples []sample
	data    sql.RawBytes
}

func openPoints(ctx context.Context, q querier, codec *codec, run, key int64) (*pointStream, error) {
	rows, err := q.QueryContext(ctx, `SELECT seq, count, data FROM chunk WHERE run = ?1 AND key = ?2
		UNION ALL SELECT seq, count, data FROM hot WHERE run = ?1 AND key = ?2 ORDER BY seq`, run, key)
	if err != nil {
		return nil, explain(err)
	}
	return &pointStream{rows: rows, codec: codec}, nil
}

func (s *pointStream) close() error { return s.rows.Close() }

// next returns the next batch, which stays until next is called again; at the
// end it is empty.
func (s *pointStream) next() ([]sample, error) {
	for s.rows.Next() {
		var seq, count int
		err := s.rows.Scan(&seq, &count, &s.data)
		if err != nil {
			return nil, explain(err)
		}
		if s.samples, err = s.codec.decode(s.samples[:0], s.data); err != nil {
			return nil, err
		}
		if err := inSequence(s.read, seq, count, len(s.samples)); err != nil {
			return nil, err
		}
		s.read += count
		if count > 0 {
			return s.samples, nil
		}
	}
	return nil, explain(s.rows.Err())
}

// inSequence checks that a batch follows the one before and is whole.
func inSequence(next, seq, count, found int) error {
	switch {
	case seq != next:
		return fmt.Errorf("after point %d comes point %d: the file is damaged", next-1, seq)
	case found != count:
		return fmt.Errorf("the batch at point %d holds %d points, not %d: the file is damaged", seq, found, count)
	}
	return nil
}

// eachBatch reads a metric's points from the first batch to the last.
func eachBatch(ctx context.Context, q querier, codec *codec, run, key int64, yield func([]sample)) error {
	s, err := openPoints(ctx, q, codec, run, key)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		samples, err := s.next()
		if err != nil || len(samples) == 0 {
			return err
		}
		yield(samples)
	}
}
