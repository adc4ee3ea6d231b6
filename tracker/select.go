package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
)

const selectRun = `SELECT run.ulid, coalesce(experiment.name, ''), run.name, run.parent, run.status, run.started, run.ended,
	run.archived IS NOT NULL, run.deleted IS NOT NULL, run.note, run.params, run.tags, run.inputs, run.metrics,
	run.digest, run.environment, writer.host, writer.pid, writer.began, writer.beat
	FROM run LEFT JOIN experiment ON experiment.id = run.experiment LEFT JOIN writer ON writer.run = run.id `

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
	d := newRunDecoder(c, names)
	err = db.readAll(ctx, tx, d)
	if hasCode(err, sqlite3.ErrCorrupt) { // some page is damaged: read around it
		d = newRunDecoder(c, names)
		err = db.readEach(ctx, tx, d)
	}
	return d.runs, err
}

// readAll reads the chosen runs: this goroutine reads rows, another decodes them.
func (db *DB) readAll(ctx context.Context, q querier, d *runDecoder) error {
	const order = " ORDER BY run.started DESC, run.id DESC"
	query := selectRun + "WHERE " + d.where + order
	if d.skip > 0 && d.wanted == nil { // SQLite passes over rows faster than we read them, and over an index faster than over rows
		limit := -1
		if d.limit > 0 {
			limit = d.limit
		}
		query = selectRun + fmt.Sprintf("WHERE run.id IN (SELECT id FROM run WHERE %s%s LIMIT %d OFFSET %d)%s", d.where, order, limit, d.skip, order)
		d.skip = 0
	}
	rows, err := q.QueryContext(ctx, query, d.args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	batches, done := make(chan []runRow, 4), make(chan struct{})
	go func() {
		defer close(done)
		for batch := range batches {
			d.decode(batch)
		}
	}()
	err = db.readRows(ctx, q, rows, batches, &d.full)
	close(batches)
	<-done
	return err
}

// runRow is a run as its row holds it: what needs decoding is not decoded.
type runRow struct {
	RunInfo
	params, tags, inputs string
	metrics, digest      []byte
}

// damaged notes the first damage found.
func (r *runRow) damaged(err error) {
	if r.Damage == "" {
		r.Damage = err.Error()
	}
}

// rowsAtATime is how many rows travel together; the first travel sooner.
const rowsAtATime = 256

func (db *DB) readRows(ctx context.Context, q querier, rows *sql.Rows, batches chan<- []runRow, full *atomic.Bool) error {
	environments := map[int64]map[string]string{}
	size := 8
	batch := make([]runRow, 0, size)
	for rows.Next() && !full.Load() {
		batch = append(batch, runRow{})
		r := &batch[len(batch)-1]
		var started, environment int64
		var ended, pid, began, beat sql.NullInt64
		var host sql.NullString
		err := rows.Scan(&r.ID, &r.Experiment, &r.Name, &r.Parent, &r.Status, &started, &ended,
			&r.Archived, &r.Deleted, &r.Note, &r.params, &r.tags, &r.inputs, &r.metrics,
			&r.digest, &environment, &host, &pid, &began, &beat)
		if err != nil {
			return explain(err)
		}
		r.Start = time.UnixMicro(started).UTC()
		if ended.Valid {
			r.End = time.UnixMicro(ended.Int64).UTC()
		}
		if r.Status == Running {
			w := process{host: host.String, pid: int(pid.Int64), began: began.Int64}
			if !host.Valid || !db.host.lives(w, time.UnixMicro(beat.Int64), db.now()) {
				r.Status = Crashed
			}
		}
		known := false
		if r.Environment, known = environments[environment]; !known {
			switch r.Environment, err = readEnvironment(ctx, q, environment); {
			case errors.Is(err, errDamaged):
				r.damaged(err)
			case err != nil:
				return fmt.Errorf("environment of run %s: %w", r.ID, err)
			default:
				environments[environment] = r.Environment
			}
		}
		if len(batch) == size {
			batches <- batch
			size = rowsAtATime
			batch = make([]runRow, 0, size)
		}
	}
	batches <- batch
	return explain(rows.Err())
}

func readEnvironment(ctx context.Context, q querier, key int64) (map[string]string, error) {
	var text string
	err := q.QueryRowContext(ctx, `SELECT fields FROM environment WHERE id = ?`, key).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, explain(err)
	}
	fields, err := decodeFields(text, map[string]string{}) // no row: no fields
	if err != nil {
		err = fmt.Errorf("its environment: %w: %w", errDamaged, err)
	}
	return fields, err
}

// runDecoder turns rows into the runs that were chosen, and shares what
// repeats between them.
type runDecoder struct {
	choice
	metricNames []string
	fieldNames  map[string]string
	inputs      map[string][]Input
	runs        []RunInfo
	full        atomic.Bool // no more rows are needed
}

func newRunDecoder(c choice, metricNames []string) *runDecoder {
	return &runDecoder{choice: c, metricNames: metricNames, fieldNames: map[string]string{}, inputs: map[string][]Input{}}
}

func (d *runDecoder) decode(batch []runRow) {
	for i := range batch {
		if d.full.Load() {
			return
		}
		r := &batch[i]
		d.decodeRow(r)
		d.take(&r.RunInfo)
	}
}

// take adds a run to the result, if it is wanted.
func (d *runDecoder) take(r *RunInfo) {
	switch {
	case d.wanted != nil && !d.wanted(r):
	case d.skip > 0:
		d.skip--
	default:
		d.runs = append(d.runs, *r)
		d.full.Store(len(d.runs) == d.limit)
	}
}

// decodeRow decodes what it can, and notes the damage where it cannot.
func (d *runDecoder) decodeRow(r *runRow) {
	if len(r.digest) > 0 {
		r.Digest = fmt.Sprintf("%x", r.digest)
	}
	var err error
	if r.Experiment == "" {
		r.damaged(errors.New("its experiment is missing"))
	}
	if r.Status < Running || r.Status > Crashed {
		r.damaged(fmt.Errorf("its status is %d", r.Status))
	}
	if r.Params, err = decodeFields(r.params, d.fieldNames); err != nil {
		r.damaged(fmt.Errorf("its parameters: %w", err))
	}
	if r.Tags, err = decodeFields(r.tags, d.fieldNames); err != nil {
		r.damaged(fmt.Errorf("its tags: %w", err))
	}
	if r.inputs != "[]" {
		inputs, known := d.inputs[r.inputs] // mostly those of another run
		if !known {
			if inputs, err = decodeInputs(r.inputs); err != nil {
				r.damaged(err)
			} else {
				d.inputs[r.inputs] = inputs
			}
		}
		r.Inputs = slices.Clone(inputs)
	}
	if r.Metrics, err = decodeMetrics(r.metrics, d.metricNames); err != nil {
		r.damaged(err)
	}
	if r.Damage != "" {
		r.Status = Damaged
	}
}
