package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// RunInfo is a run as readers see it.
type RunInfo struct {
	ID         string
	Experiment string
	Name       string
	Parent     string // ID of the parent run, or ""
	Status     Status
	Start, End time.Time // UTC, whole microseconds; End is zero while running
	Archived   bool
	Deleted    bool
	Note       string // Markdown
	Params     map[string]string
	Tags       map[string]string
	Metrics    map[string]Metric // the latest value of each key
	Inputs     []Input
	// Environment is shared between runs of one machine: do not change it.
	Environment map[string]string
	Digest      string // SHA-256 over the whole content, once ended
	// Damage says what of a Damaged run cannot be read; the rest is filled in.
	Damage string
}

// Metric is the latest value of a metric and what is known about all of them.
type Metric struct {
	Value    float64 // at the largest step; of equal steps the one logged last
	Step     int64
	Time     time.Time
	Min, Max float64 // over the finite values; NaN where there is none
	Count    int64   // points logged
}

// Query selects runs. The zero Query selects all that are neither deleted nor
// archived, the latest start first.
type Query struct {
	Experiment      string   // a name, or "" for all
	Experiments     []string // names, where there are several; none means all
	Filter          string   // in MLflow's search grammar
	OrderBy         string   // such as "metrics.val_accuracy DESC, attributes.start_time"
	Limit, Offset   int      // no limit where 0
	IncludeDeleted  bool
	DeletedOnly     bool
	IncludeArchived bool
}

// Runs lists runs. One that is damaged in the file is listed as Damaged, with
// what of it can be read, and hides no other.
func (db *DB) Runs(ctx context.Context, query Query) ([]RunInfo, error) {
	wanted, err := parseFilter(query.Filter)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	order, err := parseOrder(query.OrderBy)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	where, args, err := query.where()
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	c := choice{where: where, args: args, wanted: wanted}
	if order == nil { // then the order of reading is that of the result
		c.skip, c.limit = query.Offset, query.Limit
	}
	runs, err := db.selectRuns(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	if order != nil {
		slices.SortStableFunc(runs, func(a, b RunInfo) int { return order(&a, &b) })
		runs = runs[min(max(query.Offset, 0), len(runs)):]
		if query.Limit > 0 {
			runs = runs[:min(query.Limit, len(runs))]
		}
	}
	return runs, nil
}

// where is the part of the query that SQLite answers.
func (query Query) where() (condition string, args []any, err error) {
	conditions := []string{"true"}
	names := query.Experiments
	if query.Experiment != "" {
		names = append(slices.Clone(names), query.Experiment)
	}
	if len(names) > 0 {
		list, err := encodeJSON(names)
		if err != nil {
			return "", nil, err
		}
		conditions = append(conditions, "run.experiment IN (SELECT id FROM experiment WHERE name IN (SELECT value FROM json_each(?)))")
		args = append(args, list)
	}
	switch {
	case query.DeletedOnly:
		conditions = append(conditions, "run.deleted IS NOT NULL")
	case !query.IncludeDeleted:
		conditions = append(conditions, "run.deleted IS NULL")
	}
	if !query.IncludeArchived {
		conditions = append(conditions, "run.archived IS NULL")
	}
	return strings.Join(conditions, " AND "), args, nil
}

// Count returns how many runs a query without limits lists. Without a filter
// no run is read for it.
func (db *DB) Count(ctx context.Context, query Query) (count int, err error) {
	query.OrderBy, query.Limit, query.Offset = "", 0, 0
	if strings.TrimSpace(query.Filter) != "" {
		runs, err := db.Runs(ctx, query)
		return len(runs), err
	}
	where, args, err := query.where()
	if err == nil {
		err = explain(db.readers.QueryRowContext(ctx, `SELECT count(*) FROM run WHERE `+where, args...).Scan(&count))
	}
	if err != nil {
		return 0, fmt.Errorf("counting runs: %w", err)
	}
	return count, nil
}

// Find returns the run that ref names: a full ID, the beginning of one, a
// name, or "latest". Where ref fits several runs, that is an error. Deleted
// runs are found by their full ID only. A damaged run is found, as Damaged.
func (db *DB) Find(ctx context.Context, ref string) (RunInfo, error) {
	return db.find(ctx, ref, false)
}

// FindAny is Find that finds deleted runs by the beginning of their ID and by
// their name too, where no other run fits.
func (db *DB) FindAny(ctx context.Context, ref string) (RunInfo, error) {
	return db.find(ctx, ref, true)
}

func (db *DB) find(ctx context.Context, ref string, deleted bool) (RunInfo, error) {
	upper := strings.ToUpper(ref)
	type try struct {
		where string
		limit int
		arg   any
	}
	tries := []try{
		{"run.ulid = ?", 2, upper},
		{"'latest' = ? AND run.deleted IS NULL", 1, ref},
		{"run.name = ? AND run.deleted IS NULL", 2, ref},
		{"run.ulid GLOB ? AND run.deleted IS NULL", 2, prefixPattern(upper)},
	}
	if deleted {
		tries = append(tries,
			try{"run.name = ? AND run.deleted IS NOT NULL", 2, ref},
			try{"run.ulid GLOB ? AND run.deleted IS NOT NULL", 2, prefixPattern(upper)})
	}
	for _, try := range tries {
		runs, err := db.selectRuns(ctx, choice{where: try.where, limit: try.limit, args: []any{try.arg}})
		switch {
		case err != nil:
			return RunInfo{}, fmt.Errorf("finding run %q: %w", ref, err)
		case len(runs) == 1:
			return runs[0], nil
		case len(runs) > 1:
			return RunInfo{}, fmt.Errorf("finding run %q: it fits several runs, %s and %s among them; give more of the ID",
				ref, runs[0].ID, runs[1].ID)
		}
	}
	return RunInfo{}, fmt.Errorf("finding run %q: %w", ref, ErrNotFound)
}

// prefixPattern matches IDs that begin with ref; IDs hold no wildcards.
func prefixPattern(ref string) string {
	if len(ref) < 4 || strings.ContainsAny(ref, "*?[") {
		return "" // too short to mean a run
	}
	return ref + "*"
}

// changeFields edits a run's "params" or "tags" in one transaction.
func (db *DB) changeFields(ctx context.Context, id, column string, change func(map[string]string) error) error {
	err := db.update(ctx, func(tx *sql.Tx) error {
		var run int64
		var text string
		err := tx.QueryRowContext(ctx, `SELECT id, `+column+` FROM run WHERE ulid = ?`, id).Scan(&run, &text)
		if err != nil {
			return notFound(err)
		}
		fields, err := decodeFields(text, map[string]string{})
		if err != nil {
			return err
		}
		before := maps.Clone(fields)
		if err := change(fields); err != nil || maps.Equal(before, fields) {
			return err
		}
		if text, err = encodeFields(fields); err != nil {
			return err
		}
		return db.edit(ctx, tx, run, func() error {
			_, err := tx.ExecContext(ctx, `UPDATE run SET `+column+` = ? WHERE id = ?`, text, run)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("setting %s of run %s: %w", column, id, err)
	}
	return nil
}

// notFound turns SQL's empty result into ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
