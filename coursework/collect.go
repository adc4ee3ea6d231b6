package coursework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"patchlab/save"
	"patchlab/tracker"
)

// Tags that the runs of class.db carry, whatever a student tagged them with.
const (
	TagStudent    = "student"
	TagAssignment = "assignment"
)

// Status says what became of a file.
type Status string

// A new submission is a student's first for an assignment; one that replaces was
// made after the one that is there, an older one before, so that it does not count.
const (
	New       Status = "new"
	Replaces  Status = "replaces"
	Unchanged Status = "unchanged"
	Older     Status = "older"
	Refused   Status = "refused"
)

// Collected is what became of one file.
type Collected struct {
	File                string
	Status              Status
	Reason              string // why it was refused, or what there is to say
	Student, Assignment string // as far as they are known; of a refused file they are a claim
	Runs                int
}

// CollectOptions change how submissions are collected.
type CollectOptions struct {
	Limit int64           // bytes of a submission; DefaultLimit where 0
	Each  func(Collected) // told of each file as it is done; may be nil
}

// Collect checks submissions and takes them in: their runs into class.db, and
// themselves into collected, their notebooks into submitted. Folders are searched for files, also those below. What
// cannot be taken is listed as Refused, and never stops the others; an error is
// about the course itself, or says that ctx ended. Collecting again changes nothing.
func (c *Course) Collect(ctx context.Context, paths []string, o CollectOptions) (all []Collected, err error) {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	files, err := submissionFiles(paths)
	if err != nil {
		return nil, err
	}
	class, err := tracker.Open(c.Database())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, class.Close()) }()
	in := intake{course: c, class: class, limit: o.Limit}
	if in.roster, err = c.readRoster(); err != nil {
		return nil, err
	}
	for _, file := range files {
		done := in.file(ctx, file)
		if in.err != nil || ctx.Err() != nil {
			return all, errors.Join(in.err, ctx.Err())
		}
		all = append(all, done)
		if o.Each != nil {
			o.Each(done)
		}
	}
	return all, c.writeTable(collectedTable(all), "collected.csv")
}

// submissionFiles lists the files that are named and those in folders that are
// named, but for hidden ones.
func submissionFiles(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			hidden := strings.HasPrefix(entry.Name(), ".") && file != path
			switch {
			case err != nil:
				return err
			case hidden && entry.IsDir():
				return fs.SkipDir
			case !hidden && !entry.IsDir():
				files = append(files, file)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// intake takes one file after the other.
type intake struct {
	course *Course
	class  *tracker.DB
	roster roster
	limit  int64
	err    error // of the course, after which nothing more can be taken
}

// file takes one file, or says why not. A mistake of this program that a file
// brings to light is that file's end, not that of all.
func (in *intake) file(ctx context.Context, path string) (done Collected) {
	done.File = path
	defer func() {
		if r := recover(); r != nil {
			done.Status, done.Reason = Refused, fmt.Sprintf("reading it failed by a mistake of patchlab's: %v\n%s", r, debug.Stack())
		}
	}()
	if err := in.take(ctx, path, &done); err != nil {
		done.Status, done.Reason = Refused, err.Error()
	}
	return done
}

func (in *intake) take(ctx context.Context, path string, done *Collected) error {
	if info, err := os.Lstat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return errors.New("it is no plain file, but a link, a pipe or the like")
	}
	m, err := ReadManifest(path, in.limit)
	if err != nil {
		return err
	}
	done.Student, done.Assignment, done.Runs = m.Student, m.Assignment, len(m.Runs)
	assignment, err := in.course.Assignment(m.Assignment)
	if err != nil {
		return err
	}
	if err := in.roster.check(m); err != nil {
		return err
	}
	if done.Status, err = in.compare(path, m); err != nil || done.Status == Unchanged || done.Status == Older {
		return err
	}
	if len(m.Runs) < assignment.Runs {
		done.Reason = fmt.Sprintf("%d of the %d runs that are asked for", len(m.Runs), assignment.Runs)
	}
	dir, err := os.MkdirTemp(in.course.dir, ".incoming-")
	if err != nil {
		return in.fail(err)
	}
	defer os.RemoveAll(dir)
	s, err := open(ctx, path, in.limit, dir)
	if err != nil {
		return err
	}
	others, err := in.merge(ctx, s)
	if err != nil {
		return err
	}
	if others > 0 {
		done.Reason = join(done.Reason, fmt.Sprintf("runs that another student handed in before: %d", others))
	}
	return in.keep(path, s, assignment)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// fail notes an error that is the course's own and not a submission's.
func (in *intake) fail(err error) error {
	in.err = errors.Join(in.err, err)
	return err
}

// compare sets a submission beside the one that the student handed in before.
func (in *intake) compare(path string, m *Manifest) (Status, error) {
	earlier := in.course.submission(m.Student, m.Assignment)
	before, err := ReadManifest(earlier, DefaultLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return New, nil
	}
	if err != nil {
		return Replaces, nil // it was damaged here, and this mends it
	}
	_, a, errA := digestFile(path)
	_, b, errB := digestFile(earlier)
	switch {
	case errA != nil || errB != nil:
		return "", errors.Join(errA, errB)
	case a == b:
		return Unchanged, nil
	case m.Made.Before(before.Made):
		return Older, nil
	}
	return Replaces, nil
}

// merge takes the runs into class.db. A run that another student handed in before
// stays as it is there: nobody changes another's.
func (in *intake) merge(ctx context.Context, s *submission) (others int, err error) {
	var own []string
	for _, r := range s.Runs {
		there, err := in.class.FindAny(ctx, r.ID)
		switch {
		case errors.Is(err, tracker.ErrNotFound):
		case err != nil:
			return 0, err
		case there.Tags[TagStudent] != s.Student:
			others++
			continue
		}
		own = append(own, r.ID)
	}
	if len(own) == 0 {
		return others, nil
	}
	from, err := tracker.Open(s.database(), tracker.ReadOnly())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	merged, err := in.class.Merge(ctx, from, own...)
	if err != nil {
		return 0, in.fail(err)
	}
	for _, id := range own { // before anything is refused: a run without an owner would be anybody's
		tags := map[string]string{TagStudent: s.Student, TagAssignment: s.Assignment}
		if err := in.class.SetTags(ctx, id, tags); err != nil && !errors.Is(err, tracker.ErrNotFound) {
			return 0, in.fail(err)
		}
	}
	return others, merged.Refused
}

// keep stores the notebook where nbgrader looks for it and, last, the submission.
func (in *intake) keep(path string, s *submission, a Assignment) error {
	dir, kept := in.course.path(submittedFolder, s.Student, s.Assignment), in.course.submission(s.Student, s.Assignment)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(filepath.Dir(kept), 0o755)); err != nil {
		return in.fail(err)
	}
	if roster, grew := in.roster.with(s.Manifest); grew {
		if err := in.course.writeRoster(roster); err != nil {
			return in.fail(err)
		}
		in.roster = roster
	}
	if err := save.Bytes(filepath.Join(dir, a.Notebook), s.notebook.Bytes()); err != nil {
		return in.fail(err)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return save.File(kept, func(w io.Writer) error {
		_, err := io.Copy(w, file)
		return err
	})
}

func collectedTable(all []Collected) [][]string {
	rows := [][]string{{"file", "status", "student", "assignment", "runs", "reason"}}
	for _, d := range all {
		rows = append(rows, []string{d.File, string(d.Status), d.Student, d.Assignment, strconv.Itoa(d.Runs), d.Reason})
	}
	return rows
}

// handedIn lists the students who handed an assignment in.
func (c *Course) handedIn(assignment string) (students []string, err error) {
	entries, err := os.ReadDir(c.path(collectedFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if _, err := os.Stat(c.submission(e.Name(), assignment)); err == nil {
			students = append(students, e.Name())
		}
	}
	slices.Sort(students)
	return students, err
}
