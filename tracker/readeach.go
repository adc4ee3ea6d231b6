package tracker

import (
	"context"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/oklog/ulid/v2"
)

// readEach reads the chosen runs one by one, where the file is so damaged that
// a query over all fails: a run whose row cannot be read is damaged, the
// others are not. IDs lie in an index of their own, so they mostly survive;
// they are in the order of the runs' starts.
func (db *DB) readEach(ctx context.Context, q querier, d *runDecoder) error {
	rows, err := q.QueryContext(ctx, `SELECT id, ulid FROM run INDEXED BY sqlite_autoindex_run_1 ORDER BY ulid DESC`)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	type place struct {
		key int64
		id  string
	}
	var all []place
	for rows.Next() {
		var p place
		if err := rows.Scan(&p.key, &p.id); err != nil {
			return explain(err)
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return explain(err)
	}
	for _, p := range all {
		if d.full.Load() {
			return nil
		}
		one := newRunDecoder(choice{where: "run.id = ? AND (" + d.where + ")", args: append([]any{p.key}, d.args...)}, d.metricNames)
		err := db.readAll(ctx, q, one)
		switch {
		case err == nil && len(one.runs) == 0:
			continue
		case err == nil:
			d.take(&one.runs[0])
		case hasCode(err, sqlite3.ErrCorrupt):
			r := RunInfo{ID: p.id, Status: Damaged, Damage: err.Error()}
			if id, err := ulid.Parse(p.id); err == nil {
				r.Start = time.UnixMilli(int64(id.Time())).UTC()
			}
			d.take(&r)
		default:
			return err
		}
	}
	return nil
}
