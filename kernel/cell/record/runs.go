package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"patchlab/kernel/cell/show"
	"patchlab/kernel/cell/wire"
	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// What a notebook's run has in the tracker.
const (
	TagKind  = "kind"           // KindNotebook: it is rerun by executing Artifact
	TagFile  = "notebook"       // the notebook's file, where it is known
	TagRerun = "rerun.of"       // the ID of the run that it repeats
	Artifact = "notebook.ipynb" // the cells executed so far, with outputs

	KindNotebook = "notebook"
)

// runs keeps the session's run: one at a time.
type runs struct {
	options Options
	cells   func() ([]Cell, error) // executed so far
	publish func(kind string, content any)

	mu      sync.Mutex
	db      *tracker.DB // nil before the first run
	run     *tracker.Run
	name    string
	earlier map[string]*notebook.Notebook // what other sessions executed of this one's runs, by ID; nil: nothing
	ending  tracker.Status                // how it ends with the cell that runs; 0: it goes on
	curve   *show.Curve                   // what the cell that runs has logged
	stored  time.Time                     // when the notebook was last stored
	size    int                           // its bytes then
	pending bool                          // cells have ended since
	lastOK  bool                          // the last cell ended well
}

func newRuns(o Options, cells func() ([]Cell, error)) *runs {
	return &runs{options: o, cells: cells, publish: func(string, any) {}, earlier: map[string]*notebook.Notebook{}, lastOK: true}
}

var errNone = errors.New("the session has no run: begin one with track.Run or %patchlab run")

func (r *runs) open() error {
	if r.db != nil {
		return nil
	}
	db, err := tracker.Open(r.options.Database)
	if err != nil {
		return err
	}
	r.db = db
	return nil
}

// start begins the session's run, or continues it where it has the name already. A run of another name ends.
func (r *runs) start(q wire.Request) (wire.Reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run != nil && r.ending == 0 && (q.Name == "" || q.Name == r.name) {
		return r.replyLocked(true), r.run.SetParams(q.Fields)
	}
	if err := r.finish(); err != nil {
		return wire.Reply{}, err
	}
	if err := r.open(); err != nil {
		return wire.Reply{}, err
	}
	spec := tracker.Spec{
		Experiment: q.Experiment, Name: q.Name, Params: q.Fields,
		Tags: map[string]string{TagKind: KindNotebook}, Environment: map[string]string{},
	}
	base := strings.TrimSuffix(filepath.Base(r.options.Notebook), ".ipynb")
	if r.options.Notebook != "" {
		spec.Tags[TagFile] = r.options.Notebook
	} else {
		base = "notebooks"
	}
	if spec.Experiment == "" {
		spec.Experiment = base
	}
	if r.options.RerunOf != "" {
		spec.Parent, spec.Tags[TagRerun] = r.options.RerunOf, r.options.RerunOf
		if spec.Name != "" {
			spec.Name += " again"
		}
	}
	var diff []byte
	if r.options.Environment != nil {
		var fields map[string]string
		fields, diff = r.options.Environment(context.Background())
		maps.Copy(spec.Environment, fields)
	}
	maps.Copy(spec.Environment, q.Environment)
	run, err := r.db.Start(context.Background(), spec)
	if err != nil {
		return wire.Reply{}, err
	}
	if len(diff) > 0 {
		if err := run.AddArtifact("git.diff", bytes.NewReader(diff)); err != nil {
			r.options.Logf("%v", err)
		}
	}
	r.adopt(run, q.Name)
	return r.replyLocked(false), nil
}

// resume continues any run of the tracker that nobody writes.
func (r *runs) resume(ref string) (wire.Reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(); err != nil {
		return wire.Reply{}, err
	}
	info, err := r.db.Find(context.Background(), ref)
	if err != nil {
		return wire.Reply{}, err
	}
	if r.run != nil && r.ending == 0 && r.run.ID() == info.ID {
		return r.replyLocked(true), nil
	}
	if err := r.finish(); err != nil {
		return wire.Reply{}, err
	}
	if _, ours := r.earlier[info.ID]; !ours { // else its cells are this session's
		if r.earlier[info.ID], err = r.executed(info.ID); err != nil {
			return wire.Reply{}, err
		}
	}
	run, err := r.db.Resume(context.Background(), info.ID)
	if err != nil {
		return wire.Reply{}, err
	}
	r.adopt(run, info.Name)
	return r.replyLocked(true), nil
}

// executed are the cells that a run has already; nil where it has none.
func (r *runs) executed(id string) (*notebook.Notebook, error) {
	file, err := r.db.OpenArtifact(context.Background(), id, Artifact)
	if errors.Is(err, tracker.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return notebook.Parse(text)
}

// adopt makes a run the session's, and stores the cells at once: the one that runs may run for hours.
func (r *runs) adopt(run *tracker.Run, name string) {
	r.run, r.name, r.ending, r.stored, r.pending = run, name, 0, time.Time{}, true
	if r.name == "" {
		if info, err := r.db.Find(context.Background(), run.ID()); err == nil {
			r.name = info.Name
		}
	}
	if _, known := r.earlier[run.ID()]; !known {
		r.earlier[run.ID()] = nil
	}
	if err := r.store(); err != nil {
		r.options.Logf("%v", err)
	}
	r.pending = true // the cell that runs goes on
}

func (r *runs) reply(continued bool) wire.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replyLocked(continued)
}

// active is the run that takes what cells say; nil where there is none. r.mu must be held.
func (r *runs) active() *tracker.Run {
	if r.ending != 0 {
		return nil
	}
	return r.run
}

func (r *runs) replyLocked(continued bool) wire.Reply {
	if r.active() == nil {
		return wire.Reply{Database: r.options.Database}
	}
	return wire.Reply{ID: r.run.ID(), Name: r.name, Database: r.options.Database, Continued: continued}
}

func (r *runs) log(at time.Time, step int64, values map[string]float64, quiet bool) error {
	r.mu.Lock()
	run, curve := r.active(), r.curve
	if run != nil && curve == nil && !quiet {
		curve = show.NewCurveTo(r.name, r.publish)
		r.curve = curve
	}
	r.mu.Unlock()
	if run == nil {
		return errNone
	}
	if err := run.LogAt(at, step, values); err != nil {
		return err
	}
	if !quiet {
		curve.Add(step, values)
	}
	return nil
}

// edit does what a request asks of the run.
func (r *runs) edit(q wire.Request, body io.Reader) error {
	r.mu.Lock()
	run, db := r.active(), r.db
	r.mu.Unlock()
	if run == nil {
		return errNone
	}
	switch q.Op {
	case wire.OpParams:
		return run.SetParams(q.Fields)
	case wire.OpTags:
		return run.SetTags(q.Fields)
	case wire.OpNote:
		return run.SetNote(q.Text)
	case wire.OpInput:
		return db.AddInputs(context.Background(), run.ID(), tracker.Input{Name: q.Name, Digest: q.Text, Context: q.Context})
	case wire.OpArtifact:
		counted := &countingReader{r: body}
		if err := run.AddArtifact(q.Name, counted); err != nil {
			return err
		}
		if counted.n != q.Size {
			return fmt.Errorf("artifact %q ended after %d of %d bytes", q.Name, counted.n, q.Size)
		}
		return nil
	case wire.OpFlush:
		return run.Flush()
	}
	return fmt.Errorf("the request %q is not known to this kernel: its cells import another version of Patchlab", q.Op)
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// fetch copies an artifact of any run into a file of the session's folder.
func (r *runs) fetch(ref, artifact string) (path string, err error) {
	r.mu.Lock()
	err = r.open()
	db := r.db
	r.mu.Unlock()
	if err != nil {
		return "", err
	}
	info, err := db.Find(context.Background(), ref)
	if err != nil {
		return "", err
	}
	source, err := db.OpenArtifact(context.Background(), info.ID, artifact)
	if err != nil {
		return "", err
	}
	defer source.Close()
	file, err := os.CreateTemp(r.options.Folder, "fetched-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, source)
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// Statuses by which a cell may end its run.
var ends = map[string]tracker.Status{
	"": tracker.Finished, "finished": tracker.Finished, "failed": tracker.Failed, "killed": tracker.Killed,
}

// end has the run end with the cell that asks for it, so that it has that cell too.
func (r *runs) end(status string) error {
	as, ok := ends[status]
	if !ok {
		return fmt.Errorf("a run cannot end as %q, allowed are %s", status, strings.Join(slices.Sorted(maps.Keys(ends))[1:], ", "))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run == nil || r.ending != 0 {
		return errNone
	}
	r.ending = as
	return nil
}

// endCell draws the last picture of the cell that ends.
func (r *runs) endCell() {
	r.mu.Lock()
	curve := r.curve
	r.curve = nil
	r.mu.Unlock()
	if curve != nil {
		curve.Close()
	}
}
