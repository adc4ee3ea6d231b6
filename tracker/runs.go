package tracker

import (
	"context"
	"database/sql"
	"encoding/json"
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

const selectRun = `SELECT run.id, run.ulid, experiment.name, run.name, run.parent, run.status, run.started, run.ended,
	run.archived IS NOT NULL, run.deleted IS NOT NULL, run.note, run.params, run.tags, run.inputs, run.metrics,
	run.digest, run.environment, writer.host, writer.pid, writer.began, writer.beat
	FROM run JOIN experiment ON experiment.id = run.experiment LEFT JOIN writer ON writer.run = run.id `

// Runs lists runs.
func (db *DB) Runs(ctx context.Context, query Query) ([]RunInfo, error) {
	wanted, err := parseFilter(query.Filter)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	order, err := parseOrder(query.OrderBy)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	where := []string{"true"}
	var args []any
	names := query.Experiments
	if query.Experiment != "" {
		names = append(slices.Clone(names), query.Experiment)
	}
	if len(names) > 0 {
		list, err := encodeJSON(names)
		if err != nil {
			return nil, fmt.Errorf("listing runs: %w", err)
		}
		where = append(where, "run.experiment IN (SELECT id FROM experiment WHERE name IN (SELECT value FROM json_each(?)))")
		args = append(args, list)
	}
	switch {
	case query.DeletedOnly:
		where = append(where, "run.deleted IS NOT NULL")
	case !query.IncludeDeleted:
		where = append(where, "run.deleted IS NULL")
	}
	if !query.IncludeArchived {
		where = append(where, "run.archived IS NULL")
	}
	c := choice{where: strings.Join(where, " AND "), args: args, wanted: wanted}
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

// Find returns the run that ref names: a full ID, the beginning of one, a
// name, or "latest". Where ref fits several runs, that is an error. Deleted
// runs are found by their full ID only.
func (db *DB) Find(ctx context.Context, ref string) (RunInfo, error) {
	upper := strings.ToUpper(ref)
	for _, try := range []struct {
		where string
		limit int
		arg   any
	}{
		{"run.ulid = ?", 2, upper},
		{"'latest' = ? AND run.deleted IS NULL", 1, ref},
		{"run.name = ? AND run.deleted IS NULL", 2, ref},
		{"run.ulid GLOB ? AND run.deleted IS NULL", 2, prefixPattern(upper)},
	} {
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

// choice says which runs to read, the latest start first.
type choice struct {
	where       string
	args        []any
	wanted      predicate // of those that where leaves; nil: all
	skip, limit int       // of the wanted ones; no limit where 0
}

// selectRuns reads runs from one state of the database.
func (db *DB) selectRuns(ctx context.Context, c choice) ([]RunInfo, error) {
	tx, err := db.readers.BeginTx(ctx, nil)
	if err != nil {
		return nil, explain(err)
	}
	defer tx.Rollback()
	names, err := db.names.at(ctx, tx)
	if err != nil {
		return nil, explain(err)
	}
	rows, err := tx.QueryContext(ctx, selectRun+"WHERE "+c.where+" ORDER BY run.started DESC, run.id DESC", c.args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var runs []RunInfo
	scan := runScanner{db: db, names: names, fieldNames: map[string]string{}, inputsOf: map[string][]Input{}, environments: map[int64]map[string]string{}}
	for rows.Next() {
		info, err := scan.run(ctx, tx, rows)
		if err != nil {
			return nil, err
		}
		if c.wanted != nil && !c.wanted(&info) {
			continue
		}
		if c.skip > 0 {
			c.skip--
			continue
		}
		if runs = append(runs, info); len(runs) == c.limit {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return nil, explain(err)
	}
	return runs, nil
}

// runScanner turns rows into RunInfos and shares what repeats between them.
type runScanner struct {
	db           *DB
	names        []string
	fieldNames   map[string]string
	inputsOf     map[string][]Input
	environments map[int64]map[string]string
	metrics      sql.RawBytes
	digest       sql.RawBytes
	inputs       sql.RawBytes
	params, tags string
}

func (s *runScanner) run(ctx context.Context, q querier, rows *sql.Rows) (info RunInfo, err error) {
	var key, started, environment int64
	var ended, pid, began, beat sql.NullInt64
	var host sql.NullString
	err = rows.Scan(&key, &info.ID, &info.Experiment, &info.Name, &info.Parent, &info.Status, &started, &ended,
		&info.Archived, &info.Deleted, &info.Note, &s.params, &s.tags, &s.inputs, &s.metrics,
		&s.digest, &environment, &host, &pid, &began, &beat)
	if err != nil {
		return info, explain(err)
	}
	info.Start = time.UnixMicro(started).UTC()
	if ended.Valid {
		info.End = time.UnixMicro(ended.Int64).UTC()
	}
	if info.Status == Running {
		w := process{host: host.String, pid: int(pid.Int64), began: began.Int64}
		if !host.Valid || !s.db.host.lives(w, time.UnixMicro(beat.Int64), s.db.now()) {
			info.Status = Crashed
		}
	}
	if len(s.digest) > 0 {
		info.Digest = fmt.Sprintf("%x", []byte(s.digest))
	}
	if info.Params, err = decodeFields(s.params, s.fieldNames); err != nil {
		return info, fmt.Errorf("parameters of run %s: %w", info.ID, err)
	}
	if info.Tags, err = decodeFields(s.tags, s.fieldNames); err != nil {
		return info, fmt.Errorf("tags of run %s: %w", info.ID, err)
	}
	if info.Inputs, err = s.decodeInputs(); err != nil {
		return info, fmt.Errorf("inputs of run %s: %w", info.ID, err)
	}
	if info.Environment, err = s.environment(ctx, q, environment); err != nil {
		return info, fmt.Errorf("environment of run %s: %w", info.ID, err)
	}
	if info.Metrics, err = decodeMetrics(s.metrics, s.names); err != nil {
		return info, fmt.Errorf("run %s: %w", info.ID, err)
	}
	return info, nil
}

// decodeInputs decodes the inputs at hand, or returns those of an earlier run
// that are the same, as they mostly are.
func (s *runScanner) decodeInputs() (inputs []Input, err error) {
	if string(s.inputs) == "[]" {
		return nil, nil
	}
	if known, ok := s.inputsOf[string(s.inputs)]; ok {
		return slices.Clone(known), nil
	}
	if err := json.Unmarshal(s.inputs, &inputs); err != nil {
		return nil, err
	}
	s.inputsOf[string(s.inputs)] = inputs
	return inputs, nil
}

// environment returns a run's environment, read once for all runs that share it.
func (s *runScanner) environment(ctx context.Context, q querier, key int64) (map[string]string, error) {
	if fields, known := s.environments[key]; known {
		return fields, nil
	}
	var text string
	err := q.QueryRowContext(ctx, `SELECT fields FROM environment WHERE id = ?`, key).Scan(&text)
	if err != nil {
		return nil, explain(err)
	}
	fields, err := decodeFields(text, s.fieldNames)
	if err == nil {
		s.environments[key] = fields
	}
	return fields, err
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
		if _, err = tx.ExecContext(ctx, `UPDATE run SET `+column+` = ? WHERE id = ?`, text, run); err != nil {
			return err
		}
		return db.touch(ctx, tx, run)
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
