package coursework

import (
	"encoding/json"
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

// marked is a cell with nbgrader's marks.
func marked(t *testing.T, kind, source string, marks map[string]any) *notebook.Cell {
	t.Helper()
	c := notebook.NewCell(kind, source)
	if marks != nil {
		marks["schema_version"] = 3
		marks["task"] = false
		v, err := ordered.From(marks)
		must(t, err)
		c.Metadata().Set("nbgrader", v)
	}
	return c
}

func solution(id string) map[string]any {
	return map[string]any{"grade": false, "grade_id": id, "locked": false, "solution": true}
}

func teachersNotebook(t *testing.T) *notebook.Notebook {
	t.Helper()
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	for i, c := range []*notebook.Cell{
		marked(t, notebook.Markdown, "# Squares", nil),
		marked(t, notebook.Code, "func square(x int) int {\n\t// BEGIN SOLUTION\n\treturn x * x\n\t// END SOLUTION\n}", solution("square")),
		marked(t, notebook.Code, "var four = 4", solution("four")),
		marked(t, notebook.Markdown, "Because it is.", map[string]any{"grade": true, "grade_id": "why", "locked": false, "solution": true, "points": 2}),
		marked(t, notebook.Code, "%%\ncheck(square(2))\n// BEGIN HIDDEN TESTS\ncheck(square(-2))\n// END HIDDEN TESTS",
			map[string]any{"grade": true, "grade_id": "test", "locked": true, "solution": false, "points": 1}),
		marked(t, notebook.Code, "two := 2\n  // BEGIN SOLUTION\n  a()\n  // END SOLUTION\nb()\n// BEGIN SOLUTION\nc()\n// END SOLUTION\n", solution("two")),
	} {
		n.Insert(i, c)
	}
	n.Cells[2].SetCount(3)
	n.Cells[2].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", "4\n")})
	n.Cells[2].Metadata().Sub("execution").Set("iopub.execute_input", ordered.String("2026-01-02T03:04:05Z"))
	return n
}

// TestReleaseIsThatOfNbgrader: the two make the same of a notebook.
func TestReleaseIsThatOfNbgrader(t *testing.T) {
	if testing.Short() {
		t.Skip("nbgrader takes seconds")
	}
	n := teachersNotebook(t)
	path := filepath.Join(t.TempDir(), "squares.ipynb")
	must(t, n.Write(path))
	text := jupytertest.Python(t, `
import json, sys, nbformat
from traitlets.config import Config
from nbgrader.preprocessors import ClearSolutions, ClearHiddenTests, ClearMarkScheme, ClearOutput, LockCells
nb = nbformat.read(sys.argv[1], 4)
config = Config()
config.ClearSolutions.code_stub = json.loads(sys.argv[2])
for step in LockCells, ClearSolutions, ClearOutput, ClearHiddenTests, ClearMarkScheme:
    nb, _ = step(config=config).preprocess(nb, {})
print(json.dumps([[c.source, len(c.get("outputs", [])), c.get("execution_count"), c.metadata.get("deletable", True), c.metadata.get("editable", True)] for c in nb.cells]))
`, path, stubsJSON(t, n))
	var theirs [][5]any
	must(t, json.Unmarshal([]byte(text), &theirs))
	done, err := Release(n)
	if err != nil || done != (Released{Solutions: 4, Hidden: 1}) {
		t.Errorf("released %+v, %v", done, err)
	}
	if len(theirs) != len(n.Cells) {
		t.Fatalf("nbgrader gives %d cells", len(theirs))
	}
	for i, c := range n.Cells {
		if theirs[i][0] != c.Source() || theirs[i][1] != float64(len(c.Outputs())) || theirs[i][2] != nil || c.Count() != 0 {
			t.Errorf("cell %d: nbgrader gives %q, we %q", i, theirs[i], c.Source())
		}
		for k, key := range []string{"deletable", "editable"} {
			if theirs[i][3+k] != (c.Metadata().Get(key) != ordered.Scalar("false")) {
				t.Errorf("cell %d is %s: nbgrader says %v", i, key, theirs[i][3+k])
			}
		}
		if executedAt(c) != "" {
			t.Errorf("cell %d tells when it was executed", i)
		}
	}
}

// TestConfigOfTheCourse: a course with the notebooks of this repository gets the stub
// that their own settings of nbgrader have.
func TestConfigOfTheCourse(t *testing.T) {
	file := filepath.Join("..", "notebooks", "answers", "02-vit", "02-vit.ipynb")
	d, err := NewDraft(file, NewAssignment(file))
	must(t, err)
	c, err := Create(filepath.Join(t.TempDir(), "course"), d)
	must(t, err)
	theirs, err := os.ReadFile(filepath.Join("..", "notebooks", "nbgrader_config.py"))
	must(t, err)
	ours, err := os.ReadFile(c.path("nbgrader_config.py"))
	must(t, err)
	stub := regexp.MustCompile(`"go": ("[^"]*")`)
	want, got := stub.FindSubmatch(theirs), stub.FindSubmatch(ours)
	if want == nil || got == nil || string(want[1]) != string(got[1]) {
		t.Errorf("the stub is %q; that of the notebooks' own settings is %q", got, want)
	}
	released, err := notebook.Read(filepath.Join(c.ReleaseDir("02-vit"), "02-vit.ipynb"))
	must(t, err)
	committed, err := notebook.Read(filepath.Join("..", "notebooks", "02-vit.ipynb"))
	must(t, err)
	for i, cell := range released.Cells {
		if cell.Source() != committed.Cells[i].Source() {
			t.Errorf("cell %d is not what nbgrader makes by the notebooks' own settings:\n%s", i+1, cell.Source())
		}
	}
}

func stubsJSON(t *testing.T, n *notebook.Notebook) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"go": goStub(n)})
	must(t, err)
	return string(text)
}

func TestReleaseRefuses(t *testing.T) {
	for source, want := range map[string]string{
		"// BEGIN SOLUTION\nx": "BEGIN SOLUTION has no END SOLUTION",
		"// BEGIN SOLUTION\n// BEGIN SOLUTION\nx\n// END SOLUTION":      "stands inside another",
		"// BEGIN HIDDEN TESTS\nx":                                      "BEGIN HIDDEN TESTS has no END",
		"// BEGIN SOLUTION\n// END SOLUTION\n// BEGIN MARK SCHEME\nx\n": "BEGIN MARK SCHEME has no END",
	} {
		n := notebook.New("patchlab", "Patchlab (Go)", "go")
		n.Insert(0, notebook.NewCell(notebook.Code, source))
		if _, err := Release(n); err == nil || !strings.Contains(err.Error(), "cell 1: "+want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", source, err)
		}
	}
	n := notebook.New("r", "R", "r")
	n.Insert(0, notebook.NewCell(notebook.Code, "# BEGIN SOLUTION\n# END SOLUTION"))
	if _, err := Release(n); err == nil || !strings.Contains(err.Error(), `no stub is known in "r"`) {
		t.Error(err)
	}
}

// TestCreate: students get no answer, an assignment is never changed, and a refusal
// writes nothing.
func TestCreate(t *testing.T) {
	c := newClassroom(t)
	text := func(folder, file string) string {
		t.Helper()
		return read(t, c.path(folder, "hw", file))
	}
	if strings.Contains(text(releaseFolder, "hw.ipynb"), "42") || !strings.Contains(text(releaseFolder, "hw.ipynb"), "YOUR CODE HERE") {
		t.Error("the answer was handed out")
	}
	if !strings.Contains(text(sourceFolder, "hw.ipynb"), "42") {
		t.Error("the answer is lost")
	}
	if page := text(releaseFolder, "README.md"); !strings.Contains(page, "patchlab coursework submit") || !strings.Contains(page, "At least 1 finished training, recorded in the experiment `hw`") {
		t.Errorf("students read:\n%s", page)
	}
	again, err := NewDraft(c.path(sourceFolder, "hw", "hw.ipynb"), NewAssignment("hw.ipynb"))
	must(t, err)
	another, err := NewDraft(c.path(sourceFolder, "hw", "hw.ipynb"), NewAssignment("other.ipynb"))
	must(t, err)
	for want, drafts := range map[string][]*Draft{"is there": {another, again}, "two notebooks": {another, another}} {
		if _, err := Create(c.dir, drafts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("added twice: %v", err)
		}
	}
	if names, err := c.Assignments(); err != nil || len(names) != 1 {
		t.Errorf("after a refusal the course has %v, %v", names, err)
	}
	if a, err := ReadAssignment(c.ReleaseDir("hw")); err != nil || fmt.Sprint(a) != fmt.Sprint(NewAssignment("hw.ipynb")) {
		t.Errorf("the description is %+v, %v", a, err)
	}
}

func TestAssignmentValidate(t *testing.T) {
	for want, change := range map[string]func(*Assignment){
		"version 2":          func(a *Assignment) { a.Version = 2 },
		`the assignment "X"`: func(a *Assignment) { a.Name = "X" },
		`../x.ipynb`:         func(a *Assignment) { a.Notebook = "../x.ipynb" },
		"no experiment":      func(a *Assignment) { a.Experiment = "" },
		"-1 runs":            func(a *Assignment) { a.Runs = -1 },
		"no metric":          func(a *Assignment) { a.Claims = nil },
		"a sample of -1":     func(a *Assignment) { a.Sample = -1 },
		"the tolerance -1":   func(a *Assignment) { a.Tolerance = -1 },
	} {
		a := NewAssignment("hw.ipynb")
		change(&a)
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
