package tracker

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const selectRun = `SELECT run.ulid, experiment.name, run.name, run.parent, run.status, run.started, run.ended,
	run.archived IS NOT NULL, run.deleted IS NOT NULL, run.note, run.params, run.tags, run.inputs, run.metrics,
	run.digest, run.environment, writer.host, writer.pid, writer.began, writer.beat
	FROM run JOIN experiment ON experiment.id = run.experiment LEFT JOIN writer ON writer.run = run.id `

// choice says which runs to read, the latest start first.
type choice struct {
	where       string
	args        []any
	wanted      predicate // of those that where leaves; nil: all
	skip, limit int       // of the wanted ones; no limit where 0
	damaged     func(id string, err error)
}

// selectRuns reads runs from one state of the database: this goroutine reads
// rows, another decodes them.
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
	d := runDecoder{choice: c, metricNames: names, fieldNames: map[string]string{}, inputs: map[string][]Input{}}
	batches, done := make(chan []runRow, 4), make(chan struct{})
	go func() {
		defer close(done)
		for batch := range batches {
			d.decode(batch)
		}
	}()
	err = db.readRows(ctx, tx, rows, batches, &d.full)
	close(batches)
	<-done
	if err == nil {
		err = d.err
	}
	return d.runs, err
}

// runRow is a run as its row holds it: what needs decoding is not decoded.
type runRow struct {
	RunInfo
	params, tags, inputs string
	metrics, digest      []byte
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
			if r.Environment, err = readEnvironment(ctx, q, environment); err != nil {
				return fmt.Errorf("environment of run %s: %w", r.ID, err)
			}
			environments[environment] = r.Environment
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
	if err := q.QueryRowContext(ctx, `SELECT fields FROM environment WHERE id = ?`, key).Scan(&text); err != nil {
		return nil, explain(err)
	}
	return decodeFields(text, map[string]string{})
}

// runDecoder turns rows into the runs that were chosen, and shares what
// repeats between them.
type runDecoder struct {
	choice
	metricNames []string
	fieldNames  map[string]string
	inputs      map[string][]Input
	runs        []RunInfo
	err         error
	full        atomic.Bool // no more rows are needed
}

func (d *runDecoder) decode(batch []runRow) {
	for i := range batch {
		if d.full.Load() {
			return
		}
		r := &batch[i]
		if d.err = d.decodeRow(r); d.err != nil {
			if d.damaged != nil {
				d.damaged(r.ID, d.err)
				d.err = nil
				continue
			}
			d.err = fmt.Errorf("run %s: %w", r.ID, d.err)
			d.full.Store(true)
			return
		}
		if d.wanted != nil && !d.wanted(&r.RunInfo) {
			continue
		}
		if d.skip > 0 {
			d.skip--
			continue
		}
		d.runs = append(d.runs, r.RunInfo)
		d.full.Store(len(d.runs) == d.limit)
	}
}

func (d *runDecoder) decodeRow(r *runRow) (err error) {
	if len(r.digest) > 0 {
		r.Digest = fmt.Sprintf("%x", r.digest)
	}
	if r.Params, err = decodeFields(r.params, d.fieldNames); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if r.Tags, err = decodeFields(r.tags, d.fieldNames); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if r.inputs != "[]" {
		inputs, known := d.inputs[r.inputs] // mostly those of another run
		if !known {
			if err := json.Unmarshal([]byte(r.inputs), &inputs); err != nil {
				return fmt.Errorf("inputs: %w", err)
			}
			d.inputs[r.inputs] = inputs
		}
		r.Inputs = slices.Clone(inputs)
	}
	r.Metrics, err = decodeMetrics(r.metrics, d.metricNames)
	return err
}
