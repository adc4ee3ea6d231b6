package coursework

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/gofrs/flock"

	"patchlab/kernel/notebook"
)

// Course is a folder with assignments and what students handed in.
type Course struct{ dir string }

// What lies in a course's folder.
const (
	sourceFolder    = "source"    // assignments with their answers
	releaseFolder   = "release"   // as students get them
	submittedFolder = "submitted" // STUDENT/ASSIGNMENT: the notebook, where nbgrader looks for it
	collectedFolder = "collected" // STUDENT: the submissions, by assignment
	feedbackFolder  = "verdicts"  // STUDENT: feedback, by assignment; nbgrader's own lies in feedback
	gradingFolder   = "grading"   // reruns
	databaseFile    = "class.db"
)

// Create opens a course's folder, makes it where there is none, and puts
// assignments into it: with their answers below source, without them below
// release, both with the description and with a README for students. The first
// brings the settings of nbgrader. An assignment that is there is never changed:
// then nothing is written.
func Create(dir string, drafts ...*Draft) (*Course, error) {
	c := &Course{dir}
	if err := c.haveRoom(drafts); err != nil {
		return nil, err
	}
	for _, folder := range []string{sourceFolder, releaseFolder} {
		if err := os.MkdirAll(c.path(folder), 0o755); err != nil {
			return nil, err
		}
	}
	if err := c.provide(rosterFile, "student,key\n"); err != nil {
		return nil, err
	}
	for _, d := range drafts {
		if err := c.add(d); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// haveRoom refuses an assignment that is there, or is given twice.
func (c *Course) haveRoom(drafts []*Draft) error {
	given := map[string]bool{}
	for _, d := range drafts {
		name := d.Assignment.Name
		for _, folder := range []string{sourceFolder, releaseFolder} {
			if _, err := os.Stat(c.path(folder, name)); err == nil {
				return fmt.Errorf("the assignment %s is there: remove %s to make it anew, or give this one another --name", name, c.path(folder, name))
			}
		}
		if given[name] {
			return fmt.Errorf("two notebooks make the assignment %s: give one of them another --name, by a call of its own", name)
		}
		given[name] = true
	}
	return nil
}

// provide writes a file where there is none.
func (c *Course) provide(file, text string) error {
	f, err := os.OpenFile(c.path(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// nbgraderConfig makes nbgrader release notebooks like this one as Release does.
func nbgraderConfig(n *notebook.Notebook) string {
	return fmt.Sprintf(`c = get_config()
c.ClearSolutions.code_stub = {
    "go": %q,
    "python": %q,
}
c.Execute.timeout = 1800  # seconds a cell: some train networks, and 30 are the default
`, goStub(n), pythonStub)
}

// Open opens a course's folder.
func Open(dir string) (*Course, error) {
	if info, err := os.Stat(filepath.Join(dir, sourceFolder)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no course's folder, since it has no folder %s: patchlab coursework new %s --notebook FILE makes one", dir, sourceFolder, dir)
	}
	return &Course{dir}, nil
}

func (c *Course) path(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

// submission is the latest one that a student handed in.
func (c *Course) submission(student, assignment string) string {
	return c.path(collectedFolder, student, assignment+Extension)
}

// Database is the tracker's file with the runs of all students.
func (c *Course) Database() string { return c.path(databaseFile) }

// ReleaseDir is the folder of an assignment that students get.
func (c *Course) ReleaseDir(assignment string) string { return c.path(releaseFolder, assignment) }

// Assignment reads an assignment of the course.
func (c *Course) Assignment(name string) (Assignment, error) {
	all, err := c.Assignments()
	if err != nil {
		return Assignment{}, err
	}
	for _, known := range all {
		if known == name {
			a, err := ReadAssignment(c.path(sourceFolder, name))
			if err == nil && a.Name != name {
				err = fmt.Errorf("%s names the assignment %q", c.path(sourceFolder, name, assignmentFile), a.Name)
			}
			return a, err
		}
	}
	return Assignment{}, fmt.Errorf("the course has no assignment %q: it has %s", brief(name), strings.Join(all, ", "))
}

// Assignments lists the names of the course's assignments.
func (c *Course) Assignments() (names []string, err error) {
	entries, err := os.ReadDir(c.path(sourceFolder))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, err := os.Stat(c.path(sourceFolder, e.Name(), assignmentFile)); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

//go:embed student.md
var studentText string

var studentPage = template.Must(template.New("README.md").Parse(studentText))

// Draft is an assignment that is not yet in a course.
type Draft struct {
	Assignment        Assignment
	Released          Released // what students do not get
	answers, released *notebook.Notebook
}

// NewDraft makes an assignment of a notebook's file; nothing is written.
func NewDraft(file string, a Assignment) (*Draft, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	answers, err := notebook.Read(file)
	if err != nil {
		return nil, err
	}
	d := &Draft{Assignment: a, answers: answers, released: answers.Clone()}
	if d.Released, err = Release(d.released); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

func (c *Course) add(d *Draft) error {
	description, err := encode(d.Assignment)
	if err != nil {
		return err
	}
	var page strings.Builder
	if err := studentPage.Execute(&page, d.Assignment); err != nil {
		return err
	}
	for folder, n := range map[string]*notebook.Notebook{sourceFolder: d.answers, releaseFolder: d.released} {
		err := c.addFolder(folder, d.Assignment.Name, map[string][]byte{
			d.Assignment.Notebook: n.Bytes(), assignmentFile: description, "README.md": []byte(page.String()),
		})
		if err != nil {
			return err
		}
	}
	return c.provide("nbgrader_config.py", nbgraderConfig(d.answers))
}

// addFolder makes a folder with files, whole or not at all.
func (c *Course) addFolder(parent, name string, files map[string][]byte) error {
	dir, err := os.MkdirTemp(c.path(parent), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return os.Rename(dir, c.path(parent, name))
}

// lock keeps two processes from working on one course at a time.
func (c *Course) lock() (unlock func() error, err error) {
	lock := flock.New(c.path(".lock"))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = fmt.Errorf("another process is collecting or grading in %s: wait for its end", c.dir)
	}
	return lock.Unlock, err
}
