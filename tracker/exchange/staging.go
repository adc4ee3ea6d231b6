package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"patchlab/tracker"
)

// An import first fills a database of its own, then merges it: so that a run
// comes whole or not at all, and that importing again changes nothing.

// sourceTag holds the SHA-256 of what a run was where it was imported from. An
// import that finds it unchanged leaves the run here as it is, edits included;
// one that finds another takes the new content over.
const sourceTag = "patchlab.source"

// staging is the database that an import fills.
type staging struct {
	ctx    context.Context
	target *tracker.DB // what it will be merged into
	db     *tracker.DB
	now    atomic.Int64 // what db takes for now, in microseconds since 1970

	refused []error // of runs that were not staged
}

// importing fills a temporary database and merges it into db.
func importing(ctx context.Context, db *tracker.DB, fill func(*staging) error) (merged tracker.Merged, err error) {
	folder, err := os.MkdirTemp("", "patchlab-import-")
	if err != nil {
		return merged, err
	}
	defer os.RemoveAll(folder)
	s := &staging{ctx: ctx, target: db}
	s.db, err = tracker.Open(filepath.Join(folder, "import.db"), tracker.WithClock(func() time.Time { return time.UnixMicro(s.now.Load()) }))
	if err != nil {
		return merged, err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	if err := fill(s); err != nil {
		return merged, err
	}
	merged, err = db.Merge(ctx, s.db)
	merged.Refused = errors.Join(append(s.refused, merged.Refused)...)
	return merged, err
}

// here looks up what the target has of a run.
func (s *staging) here(id string) (old tracker.RunInfo, found bool, err error) {
	old, err = s.target.FindAny(s.ctx, id)
	if errors.Is(err, tracker.ErrNotFound) {
		return old, false, nil
	}
	return old, err == nil, err
}

// imported is a run from elsewhere.
type imported struct {
	tracker.Spec // with ID and Start
	status       tracker.Status
	end          time.Time
	note         string
	// grows tells that the run may change where it comes from, and that its
	// changes are to come along when it is imported again. Else only points
	// come that are missing here.
	grows bool
	// points calls log for each point.
	points func(log func(key string, at time.Time, step int64, value float64) error) error
	// artifacts calls add for each artifact; nil: there are none.
	artifacts func(add func(name string, content io.Reader) error) error
}

// add records a run as it was elsewhere.
func (s *staging) add(r imported) error {
	// Changes count as made long ago: they lose against any that were made here.
	s.now.Store(0)
	sum, err := r.fields()
	if err != nil {
		return err
	}
	old, _, err := s.here(r.ID)
	if err != nil {
		return err
	}
	run, err := s.db.Start(s.ctx, r.Spec)
	if err != nil {
		return err
	}
	err = r.points(func(key string, at time.Time, step int64, value float64) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %d %d %x\n", key, at.UnixMicro(), step, math.Float64bits(value))
		return run.LogAt(at, step, map[string]float64{key: value})
	})
	if err != nil {
		return err
	}
	if r.note != "" {
		if err := run.SetNote(r.note); err != nil {
			return err
		}
	}
	if r.artifacts != nil {
		err := r.artifacts(func(name string, content io.Reader) error {
			fmt.Fprintf(sum, "%q\n", name)
			return run.AddArtifact(name, io.TeeReader(content, sum))
		})
		if err != nil {
			return err
		}
	}
	if r.grows {
		digest := hex.EncodeToString(sum.Sum(nil))
		if old.Tags[sourceTag] != digest { // new, or changed where it comes from: newer than what is here
			s.now.Store(time.Now().UnixMicro())
		}
		if err := run.SetTags(map[string]string{sourceTag: digest}); err != nil {
			return err
		}
	}
	return run.FinishAt(r.end, r.status)
}

// fields begins the digest of what the run is where it comes from.
func (r *imported) fields() (hash.Hash, error) {
	if r.Tags != nil {
		r.Tags = maps.Clone(r.Tags)
		delete(r.Tags, sourceTag) // of the place where it was imported before
	}
	text, err := json.Marshal([]any{r.Experiment, r.Name, r.Parent, r.Start.UnixMicro(), r.end.UnixMicro(), r.status, r.note, r.Params, r.Tags,
		r.Environment, r.Inputs})
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(text)
	return sum, nil
}

// identity makes a run's ID from what makes it that run and no other: the same
// whenever it is imported.
func identity(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s", len(p), p)
	}
	return ulid.ULID(sum.Sum(nil)[:len(ulid.ULID{})]).String()
}
