package coursework

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// Work is what a student hands in.
type Work struct {
	Dir string // the assignment's folder, as it was handed out, with the notebook filled in
	DB  string // the tracker's file
	// Runs name what is handed in, by ID, by the beginning of one, or by name;
	// none means every finished run of the assignment's experiment.
	Runs   []string
	Key    *Key
	Made   time.Time
	Output string // the file to write
}

// Submitted is what [Submit] wrote.
type Submitted struct {
	Manifest *Manifest
	Size     int64
	LeftOut  []tracker.RunInfo // runs of the experiment that have not finished
}

// Submit packs a student's work into one signed file, and reads it back as a
// teacher will, before the file has its name. An earlier submission of that name
// is replaced, any other file is not.
func Submit(ctx context.Context, w Work) (*Submitted, error) {
	assignment, err := ReadAssignment(w.Dir)
	if err != nil {
		return nil, err
	}
	if err := mayReplace(w.Output); err != nil {
		return nil, err
	}
	// Beside the output, so that it is renamed and not copied.
	dir, err := os.MkdirTemp(filepath.Dir(w.Output), ".submission-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	content, packed, again := filepath.Join(dir, "content"), filepath.Join(dir, "packed"), filepath.Join(dir, "again")
	if err := errors.Join(os.Mkdir(content, 0o700), os.Mkdir(again, 0o700)); err != nil {
		return nil, err
	}
	done := &Submitted{Manifest: &Manifest{
		Version: 1, Assignment: assignment.Name, Student: w.Key.Student, Key: w.Key.Public(),
		Made: w.Made.UTC().Truncate(time.Second), Runs: []Run{},
	}}
	m := done.Manifest
	if err := copyNotebook(filepath.Join(w.Dir, assignment.Notebook), filepath.Join(content, notebookName)); err != nil {
		return nil, err
	}
	if m.Runs, done.LeftOut, err = w.copyRuns(ctx, assignment, filepath.Join(content, databaseName)); err != nil {
		return nil, err
	}
	if m.Files, err = listFiles(content); err != nil {
		return nil, err
	}
	if m.size(DefaultLimit) < 0 {
		return nil, fmt.Errorf("%d runs with their artifacts have more than the %d MB that a submission may have: choose some with --run",
			len(m.Runs), DefaultLimit>>20)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(packed, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	err = writeArchive(ctx, file, content, m, w.Key)
	if err == nil {
		err = file.Sync()
	}
	if info, statErr := file.Stat(); statErr == nil {
		done.Size = info.Size()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("packing the submission: %w", err)
	}
	if _, err := open(ctx, packed, DefaultLimit, again); err != nil {
		return nil, fmt.Errorf("reading the submission back: %w", err)
	}
	return done, os.Rename(packed, w.Output)
}

// mayReplace refuses to write over what is no submission.
func mayReplace(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		return fmt.Errorf("cannot write to %s: it is a folder; name a file in it", path)
	}
	if _, err := ReadManifest(path, DefaultLimit); err != nil {
		return fmt.Errorf("%s is there and is no submission: name another file with --output", path)
	}
	return nil
}

func copyNotebook(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading the notebook: %w", err)
	}
	if _, err := notebook.Parse(text); err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	return os.WriteFile(to, text, 0o600)
}

// Check reports what Submit refuses of a work's runs. It needs no key.
func (w Work) Check(ctx context.Context, a Assignment) error {
	db, _, _, err := w.open(ctx, a)
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	return err
}

// open opens the database of a work, and finds the runs that are handed in. There
// need be none where no run is asked for.
func (w Work) open(ctx context.Context, a Assignment) (db *tracker.DB, chosen, left []tracker.RunInfo, err error) {
	if _, err := os.Stat(w.DB); errors.Is(err, os.ErrNotExist) {
		if a.Runs == 0 && len(w.Runs) == 0 {
			return nil, nil, nil, nil
		}
		return nil, nil, nil, fmt.Errorf("no runs yet, since there is no %s: train with --db %s --experiment %s, or run the notebook %s; or name another file with --db",
			w.DB, w.DB, a.Experiment, a.Notebook)
	}
	if db, err = tracker.Open(w.DB, tracker.ReadOnly()); err != nil {
		return nil, nil, nil, err
	}
	if chosen, left, err = w.choose(ctx, db, a); err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return db, chosen, left, nil
}

// copyRuns copies the runs that are handed in into a database of their own.
func (w Work) copyRuns(ctx context.Context, a Assignment, to string) (runs []Run, left []tracker.RunInfo, err error) {
	runs = []Run{}
	from, chosen, left, err := w.open(ctx, a)
	if err != nil || from == nil {
		return runs, left, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if len(chosen) == 0 {
		return runs, left, nil
	}
	ids := make([]string, len(chosen))
	for i, info := range chosen {
		ids[i] = info.ID
	}
	into, err := tracker.Open(to)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	merged, err := into.Merge(ctx, from, ids...)
	if err := errors.Join(err, merged.Refused); err != nil {
		return nil, nil, fmt.Errorf("copying the runs: %w", err)
	}
	for _, id := range ids {
		info, err := into.Find(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		r, err := describe(ctx, into, info)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, r)
	}
	return runs, left, nil
}

// choose finds the runs that are handed in, the earliest first.
func (w Work) choose(ctx context.Context, db *tracker.DB, a Assignment) (chosen, left []tracker.RunInfo, err error) {
	var found []tracker.RunInfo
	for _, ref := range w.Runs {
		info, err := db.Find(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		if info.Deleted {
			return nil, nil, fmt.Errorf("run %s is deleted: patchlab runs restore %s brings it back", info.Name, info.ID)
		}
		if !slices.ContainsFunc(found, func(other tracker.RunInfo) bool { return other.ID == info.ID }) {
			found = append(found, info)
		}
	}
	if len(w.Runs) == 0 {
		if found, err = db.Runs(ctx, tracker.Query{Experiment: a.Experiment}); err != nil {
			return nil, nil, err
		}
	}
	for _, info := range found {
		switch {
		case info.Status == tracker.Finished:
			chosen = append(chosen, info)
		case info.Status == tracker.Damaged:
			return nil, nil, fmt.Errorf("run %s is damaged and cannot be handed in: %s", info.ID, info.Damage)
		case len(w.Runs) > 0:
			return nil, nil, fmt.Errorf("run %s is %s: only a finished run can be handed in", info.Name, info.Status)
		case info.Status == tracker.Running:
			return nil, nil, fmt.Errorf("run %s is still running: wait for its end (a notebook's run ends with its kernel), or choose runs with --run", info.Name)
		default:
			left = append(left, info)
		}
	}
	if len(chosen) < a.Runs {
		return nil, nil, fmt.Errorf("too few finished runs of the experiment %q in %s: %d of the %d that the assignment asks for; execute the notebook's cells that train, or name another file with --db",
			a.Experiment, w.DB, len(chosen), a.Runs)
	}
	slices.SortFunc(chosen, func(a, b tracker.RunInfo) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	return chosen, left, nil
}

// listFiles lists what a submission holds, in its order: the notebook, the
// database, the artifacts by name.
func listFiles(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		size, digest, err := digestFile(path)
		files = append(files, File{filepath.ToSlash(relative), size, digest})
		return err
	})
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(place(a.Name), place(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return files, err
}

func place(name string) int {
	if at := slices.Index([]string{notebookName, databaseName}, name); at >= 0 {
		return at
	}
	return 2
}

func digestFile(path string) (size int64, digest string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, file)
	return size, hex.EncodeToString(sum.Sum(nil)), err
}
