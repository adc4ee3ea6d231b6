package course_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// most is how many lines of Go a cell has at most; marks of nbgrader are none.
const most = 10

var mark = regexp.MustCompile(`// (BEGIN|END) (SOLUTION|HIDDEN TESTS)`)

// TestCells holds what every cell of the six has to keep to, with answers and
// without: its length, and nbgrader's metadata.
func TestCells(t *testing.T) {
	for _, name := range names() {
		student, solved := read(t, name), answers(t, name)
		if len(student.Cells) != len(solved.Cells) {
			t.Errorf("%s has %d cells for students, %d with answers", name, len(student.Cells), len(solved.Cells))
			continue
		}
		seen, exercises, checks := map[string]bool{}, 0, 0
		for i, c := range solved.Cells {
			if got := student.Cells[i].ID(); got != c.ID() {
				t.Errorf("%s: cell %s stands where the answers have %s", name, got, c.ID())
			}
			for _, version := range []*notebook.Cell{c, student.Cells[i]} {
				lines := 0
				for line := range strings.Lines(version.Source()) {
					if !mark.MatchString(line) {
						lines++
					}
				}
				if version.Kind() == notebook.Code && lines > most {
					t.Errorf("%s: cell %s has %d lines of Go; allowed: %d", name, c.ID(), lines, most)
				}
			}
			if mark.MatchString(student.Cells[i].Source()) {
				t.Errorf("%s: cell %s shows students the answer", name, c.ID())
			}
			grading := c.Metadata().Object("nbgrader")
			if grading == nil {
				continue
			}
			id := grading.Text("grade_id")
			if id == "" || seen[id] {
				t.Errorf("%s: cell %s has the grade_id %q, which is empty or taken", name, c.ID(), id)
			}
			seen[id] = true
			is := func(key string) bool { return fmt.Sprint(grading.Get(key)) == "true" }
			points, _ := ordered.Int(grading.Get("points"))
			version, _ := ordered.Int(grading.Get("schema_version"))
			switch {
			case version != 3 || is("task"):
				t.Errorf("%s: cell %s has another schema than 3, or is a task", name, c.ID())
			case is("grade") && points < 1:
				t.Errorf("%s: %s is graded with %d points", name, id, points)
			case is("grade") && !is("solution"): // a check
				checks++
				if !is("locked") || !c.Tagged("raises-exception") || !strings.Contains(c.Source(), "course.") {
					t.Errorf("%s: the check %s is not locked, or stops the notebook, or says nothing", name, id)
				}
			case is("solution") && c.Kind() == notebook.Code:
				exercises++
				if is("grade") || is("locked") || !c.Tagged("exercise") {
					t.Errorf("%s: the exercise %s is graded, locked, or has no tag", name, id)
				}
			}
		}
		if exercises < 2 || checks != exercises {
			t.Errorf("%s has %d exercises and %d checks", name, exercises, checks)
		}
	}
}

// gradebook prints who has which score.
const gradebook = `
import sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///" + sys.argv[1]) as book:
    print(" ".join(f"{s.student.id} {s.score:g}/{s.max_score:g}" for s in book.assignment_submissions("01-introduction")))
`

// TestNbgrader makes the six notebooks of the answers with nbgrader, and has it
// grade what a student hands in for the first: two exercises solved, one wrong,
// one not begun.
func TestNbgrader(t *testing.T) {
	if testing.Short() {
		t.Skip("grading runs a notebook")
	}
	python := jupytertest.Bin(t, "python")
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "answers"), os.DirFS("../answers")); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../nbgrader_config.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nbgrader_config.py"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + filepath.Dir(python) + string(filepath.ListSeparator) + os.Getenv("PATH")} // it calls alembic
	nbgrader := func(args ...string) {
		t.Helper()
		jupytertest.Run(t, env, python, append([]string{"-m", "nbgrader", args[0], "--course-dir", dir}, args[1:]...)...)
	}
	nbgrader("generate_assignment", "--create", "--assignment", "*")
	for _, name := range names() {
		released, committed := open(t, filepath.Join(dir, "release", name, name+".ipynb")), read(t, name)
		for i, c := range released.Cells {
			if committed.Cells[i].Source() != c.Source() {
				t.Errorf("%s: cell %s is not what nbgrader makes of the answers: make notebooks", name, c.ID())
			}
		}
	}

	kernel(t)
	t.Setenv("PATCHLAB_DB", filepath.Join(dir, "lab.db"))
	n := open(t, filepath.Join(dir, "release", "01-introduction", "01-introduction.ipynb"))
	parameters(t, n)
	solved := answers(t, "01-introduction")
	for i, c := range n.Cells {
		grading := c.Metadata().Object("nbgrader")
		if grading == nil {
			continue
		}
		switch grading.Text("grade_id") {
		case "way", "query":
			c.SetSource(solved.Cells[i].Source())
		case "diagonal":
			c.SetSource(strings.Replace(solved.Cells[i].Source(), "row[n-1-i]", "row[i]", 1))
		}
	}
	handed := filepath.Join(dir, "submitted", "ann", "01-introduction")
	if err := os.MkdirAll(handed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := n.Write(filepath.Join(handed, "01-introduction.ipynb")); err != nil {
		t.Fatal(err)
	}
	nbgrader("autograde", "--create", "--assignment", "01-introduction")
	if got := strings.TrimSpace(jupytertest.Python(t, gradebook, filepath.Join(dir, "gradebook.db"))); got != "ann 3/7" {
		t.Errorf("graded %s, want ann 3/7", got)
	}
	graded := open(t, filepath.Join(dir, "autograded", "ann", "01-introduction", "01-introduction.ipynb"))
	if _, pictures := outputs(t, graded); pictures < 2 {
		t.Errorf("nbclient ran the notebook and got %d pictures", pictures)
	}
	nbgrader("generate_feedback", "--assignment", "01-introduction")
	feedback, err := os.ReadFile(filepath.Join(dir, "feedback", "ann", "01-introduction", "01-introduction.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"This is the diagonal from the upper left", "not yet. Write your answer"} {
		if !strings.Contains(string(feedback), text) {
			t.Errorf("the feedback does not say %q", text)
		}
	}
}
