package tracker

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Status is where a run stands.
type Status int

// Running is a run being written; Finished, Failed and Killed are how it
// ended; Crashed is what readers see of a run whose process is gone, Damaged
// of one that cannot be read whole: see RunInfo.Damage.
const (
	Running Status = iota + 1
	Finished
	Failed
	Killed
	Crashed
	Damaged
)

var statusNames = [...]string{Running: "running", Finished: "finished", Failed: "failed", Killed: "killed", Crashed: "crashed", Damaged: "damaged"}

// String returns the status in lower case.
func (s Status) String() string {
	if s < Running || s > Damaged {
		return fmt.Sprintf("status(%d)", int(s))
	}
	return statusNames[s]
}

// Spec says what a run is when it starts.
type Spec struct {
	ID          string    // a new ULID where empty; else one that no run here has
	Start       time.Time // now where zero
	Experiment  string    // "default" where empty
	Name        string    // made from the time where empty
	Parent      string    // ID of the parent run, or ""
	Params      map[string]string
	Tags        map[string]string
	Environment map[string]string // machine, versions, commit
	Inputs      []Input
}

// Input is a dataset that a run read.
type Input struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Context string `json:"context,omitempty"` // "train", "test", …
}

// Run is a run that this process writes.
type Run struct {
	db  *DB
	key int64 // the run's row
	id  string

	mu       sync.RWMutex // read-held while logging, held to end
	finished bool
	lost     atomic.Pointer[error] // why its points can no longer be stored
	told     atomic.Bool           // the writer has heard it
}

// ID returns the run's ULID, by which every database knows it.
func (r *Run) ID() string { return r.id }

// Start begins a run. It is durable when Start returns.
func (db *DB) Start(ctx context.Context, spec Spec) (*Run, error) {
	id, err := db.chooseID(spec.ID)
	if err != nil {
		return nil, fmt.Errorf("starting a run: %w", err)
	}
	now := spec.Start
	if now.IsZero() {
		now = db.now()
	}
	if spec.Experiment == "" {
		spec.Experiment = "default"
	}
	if spec.Name == "" {
		spec.Name = now.UTC().Format("run-20060102-150405-") + id[len(id)-4:]
	}
	r := &Run{db: db, id: id}
	err = db.update(ctx, func(tx *sql.Tx) error {
		r.key, err = insertRun(ctx, tx, id, spec, now.UnixMicro())
		if err != nil {
			return err
		}
		return db.claim(ctx, tx, r.key)
	})
	if err != nil {
		return nil, fmt.Errorf("starting run %q: %w", spec.Name, err)
	}
	db.adopt(r)
	return r, nil
}

func insertRun(ctx context.Context, tx *sql.Tx, id string, spec Spec, now int64) (int64, error) {
	for _, name := range []string{spec.Experiment, spec.Name} {
		if err := checkName(name); err != nil {
			return 0, err
		}
	}
	if !utf8.ValidString(spec.Parent) {
		return 0, invalidf("the parent's ID %q is not valid UTF-8", spec.Parent)
	}
	params, err := encodeFields(spec.Params)
	if err != nil {
		return 0, fmt.Errorf("parameters: %w", err)
	}
	tags, err := encodeFields(spec.Tags)
	if err != nil {
		return 0, fmt.Errorf("tags: %w", err)
	}
	inputs := "[]"
	if len(spec.Inputs) > 0 {
		if inputs, err = encodeJSON(spec.Inputs); err != nil {
			return 0, fmt.Errorf("inputs: %w", err)
		}
	}
	experiment, err := experimentKey(ctx, tx, spec.Experiment, now)
	if err != nil {
		return 0, err
	}
	environment, err := environmentKey(ctx, tx, spec.Environment)
	if err != nil {
		return 0, fmt.Errorf("environment: %w", err)
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO run
		(ulid, experiment, environment, name, parent, status, started, modified, params, tags, inputs)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, experiment, environment, spec.Name, spec.Parent, Running, now, now, params, tags, inputs)
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", id, taken(err))
	}
	return result.LastInsertId()
}

// experimentKey finds or makes an experiment; a deleted one returns to life.
func experimentKey(ctx context.Context, tx *sql.Tx, name string, now int64) (key int64, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO experiment (name, created) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET deleted = NULL RETURNING id`, name, now).Scan(&key)
	return key, err
}

func environmentKey(ctx context.Context, tx *sql.Tx, environment map[string]string) (int64, error) {
	fields, err := encodeFields(environment)
	if err != nil {
		return 0, err
	}
	return environmentRow(ctx, tx, fields)
}

func environmentRow(ctx context.Context, tx *sql.Tx, fields string) (key int64, err error) {
	digest := sha256.Sum256([]byte(fields))
	err = tx.QueryRowContext(ctx, `INSERT INTO environment (digest, fields) VALUES (?, ?)
		ON CONFLICT (digest) DO UPDATE SET fields = excluded.fields RETURNING id`, digest[:], fields).Scan(&key)
	return key, err
}

// Resume continues a run whose process is gone, or that ended, a finished one
// too (MLflow's clients log into finished runs): it is running again and has
// no digest until it ends anew, and what it logs is added. A run that a living
// process writes is refused, and so is a deleted one.
func (db *DB) Resume(ctx context.Context, id string) (*Run, error) {
	r := &Run{db: db, id: id}
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	err := db.update(ctx, func(tx *sql.Tx) error {
		was, err := readRow(ctx, tx, id)
		switch {
		case err != nil:
			return notFound(err)
		case was.deleted:
			return errors.New("it is deleted: restore it first")
		}
		r.key = was.key
		if was.status == Running {
			alive, err := db.writerLives(ctx, tx, r.key)
			if err != nil {
				return err
			}
			if alive {
				return ErrWriting
			}
		} else if err := was.whole(ctx, tx, codec); err != nil { // its next digest would hide that
			return fmt.Errorf("it is damaged: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE run SET status = ?, modified = ?, ended = NULL, points = NULL, digest = NULL WHERE id = ?`,
			Running, db.now().UnixMicro(), r.key)
		if err != nil {
			return err
		}
		return db.claim(ctx, tx, r.key)
	})
	if err != nil {
		return nil, fmt.Errorf("resuming run %s: %w", id, err)
	}
	db.adopt(r)
	return r, nil
}

func (db *DB) adopt(r *Run) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.open[r.key] = r
}

// Log records values at a step, at the clock's time. It queues and returns,
// or waits while the queue is full; Flush makes the values durable. Any step
// may come in any order and more than once: every value is kept, History
// orders them by step, and the latest value is that of the largest step (of
// equal steps the one logged last).
func (r *Run) Log(step int64, values map[string]float64) error {
	return r.log(step, r.db.now().UnixMicro(), maps.All(values))
}

// LogAt is Log at a given time, kept to the microsecond.
func (r *Run) LogAt(at time.Time, step int64, values map[string]float64) error {
	return r.log(step, at.UnixMicro(), maps.All(values))
}

func (r *Run) log(step, at int64, values func(func(string, float64) bool)) error {
	for key := range values {
		if err := checkName(key); err != nil {
			return fmt.Errorf("logging: %w", err)
		}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.writable(); err != nil {
		return err
	}
	if err := r.db.queue.add(r, step, at, values); err != nil {
		return fmt.Errorf("logging into run %s: %w", r.id, err)
	}
	return nil
}

// writable says why the run takes nothing more; r.mu must be held.
func (r *Run) writable() error {
	if r.finished {
		return fmt.Errorf("run %s: %w", r.id, ErrFinished)
	}
	return r.whyLost()
}

func (r *Run) whyLost() error {
	if lost := r.lost.Load(); lost != nil {
		r.told.Store(true)
		return *lost
	}
	return nil
}

// SetParams adds parameters. A parameter keeps its value: giving it another
// is an error, and nothing changes.
func (r *Run) SetParams(params map[string]string) error {
	return r.db.SetParams(context.Background(), r.id, params)
}

// SetTags sets tags, replacing those of the same names.
func (r *Run) SetTags(tags map[string]string) error {
	return r.db.SetTags(context.Background(), r.id, tags)
}

// SetNote replaces the run's note, which is Markdown.
func (r *Run) SetNote(markdown string) error {
	return r.db.SetNote(context.Background(), r.id, markdown)
}

// AddArtifact stores src's content under a name such as "plots/loss.png"; it
// replaces an artifact of that name. Equal content is stored once.
func (r *Run) AddArtifact(name string, src io.Reader) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.writable(); err != nil {
		return err
	}
	return r.db.AddArtifact(context.Background(), r.id, name, src)
}

// Flush returns when everything logged so far is durable, or says why it is
// not; then it is still queued, and the next Flush tries again.
func (r *Run) Flush() error {
	if err := r.db.queue.flush(); err != nil {
		return fmt.Errorf("flushing run %s: %w", r.id, err)
	}
	return r.whyLost()
}

// Finish makes everything durable and ends the run as Finished, Failed or
// Killed.
func (r *Run) Finish(status Status) error { return r.FinishAt(r.db.now(), status) }

// FinishAt is Finish at a given time.
func (r *Run) FinishAt(at time.Time, status Status) error {
	if status != Finished && status != Failed && status != Killed {
		return fmt.Errorf("finishing run %s: a run cannot end as %v", r.id, status)
	}
	r.mu.Lock() // no Log is under way, none begins
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return err
	}
	if err := r.Flush(); err != nil {
		return err
	}
	if err := r.db.end(context.Background(), r, status, at.UnixMicro()); err != nil {
		return fmt.Errorf("finishing run %s: %w", r.id, err)
	}
	r.finished = true
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	if r.db.open[r.key] == r {
		delete(r.db.open, r.key)
	}
	return nil
}
