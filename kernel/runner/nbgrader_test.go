package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// gradebook prints who has which score.
const gradebook = `
import sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///" + sys.argv[1]) as book:
    print(" ".join(f"{s.student.id} {s.score:g}/{s.max_score:g}" for s in sorted(book.assignment_submissions("squares"), key=lambda s: s.student.id)))
`

// grading hands an assignment in Go to two students with nbgrader and grades what
// they hand in: one has solved half of it, the other nothing.
func grading(t *testing.T) {
	course := t.TempDir()
	file := func(path string) string {
		path = filepath.Join(course, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := "c = get_config()\nc.CourseDirectory.course_id = 'go'\n" +
		"c.ClearSolutions.code_stub = {'go': '// YOUR CODE HERE\\npanic(\"not implemented\")'}\n"
	if err := os.WriteFile(file("nbgrader_config.py"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Metadata().Sub("language_info").Set("name", ordered.String("go"))
	for i, c := range []struct{ id, source, points string }{
		{"square", "func square(x int) int {\n\t// BEGIN SOLUTION\n\treturn x * x\n\t// END SOLUTION\n}", ""},
		{"test_square", "%%\nif got := square(3); got != 9 {\n\tpanic(fmt.Sprint(\"square(3) is \", got))\n}", "2"},
		{"test_negative", "%%\nif square(-2) != 4 {\n\tpanic(\"negative\")\n}", "1"},
	} {
		cell := notebook.NewCell(notebook.Code, c.source)
		v, err := ordered.From(map[string]any{"grade": c.points != "", "grade_id": c.id, "locked": c.points != "", "schema_version": 3, "solution": c.points == "", "task": false})
		if err != nil {
			t.Fatal(err)
		}
		if c.points != "" {
			v.(*ordered.Object).Set("points", ordered.Scalar(c.points))
		}
		cell.Metadata().Set("nbgrader", v)
		n.Insert(i, cell)
	}
	if err := n.Write(file("source/squares/p.ipynb")); err != nil {
		t.Fatal(err)
	}
	python := jupytertest.Bin(t, "python")
	env := []string{"PATH=" + filepath.Dir(python) + string(filepath.ListSeparator) + os.Getenv("PATH")} // it calls alembic
	nbgrader := func(args ...string) {
		t.Helper()
		jupytertest.Run(t, env, python, append([]string{"-m", "nbgrader", args[0], "--course-dir", course, "--config", file("nbgrader_config.py")}, args[1:]...)...)
	}
	nbgrader("generate_assignment", "squares", "--create")
	released, err := notebook.Read(file("release/squares/p.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	stub := released.Cells[0].Source()
	if strings.Contains(stub, "return") || !strings.Contains(stub, "// YOUR CODE HERE") {
		t.Fatalf("released with %q", stub)
	}
	if err := released.Write(file("submitted/bob/squares/p.ipynb")); err != nil {
		t.Fatal(err)
	}
	released.Cells[0].SetSource("func square(x int) int {\n\tif x < 0 {\n\t\treturn -4\n\t}\n\treturn x * x\n}")
	if err := released.Write(file("submitted/ann/squares/p.ipynb")); err != nil {
		t.Fatal(err)
	}
	nbgrader("autograde", "squares", "--create")
	if got := strings.TrimSpace(jupytertest.Python(t, gradebook, file("gradebook.db"))); got != "ann 2/3 bob 0/3" {
		t.Errorf("graded %s", got)
	}
}
