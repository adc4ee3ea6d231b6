package coursework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// submission is one that was unpacked and found to be what its manifest says.
type submission struct {
	*Manifest
	dir      string
	notebook *notebook.Notebook
}

// database is the tracker's file with the runs; there is none where no run was
// handed in.
func (s *submission) database() string { return filepath.Join(s.dir, databaseName) }

// open unpacks a submission into an empty folder and checks all that it claims.
func open(ctx context.Context, path string, limit int64, dir string) (*submission, error) {
	m, err := Unpack(ctx, path, limit, dir)
	if err != nil {
		return nil, err
	}
	s := &submission{Manifest: m, dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, notebookName))
	if err != nil {
		return nil, err
	}
	if s.notebook, err = notebook.Parse(text); err != nil {
		return nil, fmt.Errorf("its notebook: %w", err)
	}
	if len(m.Runs) == 0 {
		return s, nil
	}
	if err := tracker.CheckForeign(ctx, s.database()); err != nil {
		return nil, fmt.Errorf("its runs: %w", err)
	}
	db, err := tracker.Open(s.database()) // not for reading only: an older schema is brought up to date
	if err != nil {
		return nil, fmt.Errorf("its runs: %w", err)
	}
	return s, errors.Join(s.checkRuns(ctx, db), db.Close())
}

// checkRuns checks that the database holds the runs of the manifest and no other,
// whole, finished, and with the results that the manifest claims.
func (s *submission) checkRuns(ctx context.Context, db *tracker.DB) error {
	all, err := db.Runs(ctx, tracker.Query{IncludeDeleted: true, IncludeArchived: true})
	if err != nil {
		return err
	}
	if len(all) != len(s.Runs) {
		return fmt.Errorf("its database has %d runs, its manifest %d", len(all), len(s.Runs))
	}
	found := map[string]tracker.RunInfo{}
	for _, info := range all {
		found[info.ID] = info
	}
	for _, claimed := range s.Runs {
		info, ok := found[claimed.ID]
		switch {
		case !ok:
			return fmt.Errorf("its database has no run %q", brief(claimed.ID))
		case info.Status == tracker.Damaged:
			return fmt.Errorf("run %s is damaged: %s", info.ID, info.Damage)
		case info.Status != tracker.Finished || info.Deleted || info.Digest == "":
			return fmt.Errorf("run %s is not a finished run with a digest", info.ID)
		}
		if err := db.Verify(ctx, info.ID); err != nil {
			return err
		}
		is, err := describe(ctx, db, info)
		if err != nil {
			return err
		}
		a, errA := encode(is)
		b, errB := encode(claimed)
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return fmt.Errorf("run %s is not what the manifest claims of it", info.ID)
		}
		delete(found, claimed.ID)
	}
	return nil
}
