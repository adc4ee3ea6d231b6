package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"patchlab/tracker"
)

// An import first fills a database of its own, then merges it: so that a run
// comes whole or not at all, and that importing again changes nothing.

// staging is the database that an import fills.
type staging struct {
	ctx context.Context
	db  *tracker.DB
	now atomic.Int64 // what the database takes for now, in microseconds since 1970
}

// importing fills a temporary database and merges it into db.
func importing(ctx context.Context, db *tracker.DB, fill func(*staging) error) (merged tracker.Merged, err error) {
	folder, err := os.MkdirTemp("", "patchlab-import-")
	if err != nil {
		return merged, err
	}
	defer os.RemoveAll(folder)
	s := &staging{ctx: ctx}
	s.db, err = tracker.Open(filepath.Join(folder, "import.db"), tracker.WithClock(func() time.Time { return time.UnixMicro(s.now.Load()) }))
	if err != nil {
		return merged, err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	if err := fill(s); err != nil {
		return merged, err
	}
	return db.Merge(ctx, s.db)
}

// imported is a run from elsewhere.
type imported struct {
	tracker.Spec // with ID and Start
	status       tracker.Status
	end          time.Time
	note         string
	// points calls log for each point.
	points func(log func(key string, at time.Time, step int64, value float64) error) error
	// artifacts calls add for each artifact; nil: there are none.
	artifacts func(add func(name string, content io.Reader) error) error
}

// add records a run as it was elsewhere.
func (s *staging) add(r imported) error {
	s.now.Store(r.Start.UnixMicro()) // the changes to it count as old as itself: a later edit here outlives another import
	run, err := s.db.Start(s.ctx, r.Spec)
	if err != nil {
		return err
	}
	err = r.points(func(key string, at time.Time, step int64, value float64) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
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
		if err := r.artifacts(run.AddArtifact); err != nil {
			return err
		}
	}
	return run.FinishAt(r.end, r.status)
}

// identity makes a run's ID from what makes it that run and no other, and from
// its start: the same whenever it is imported.
func identity(start time.Time, parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s", len(p), p)
	}
	var id ulid.ULID
	copy(id[6:], sum.Sum(nil))
	_ = id.SetTime(uint64(max(start.UnixMilli(), 0)) % ulid.MaxTime())
	return id.String()
}
