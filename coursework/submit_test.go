package coursework

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// TestSubmit: what comes back is what was handed in, and the same work makes the
// same file, byte for byte.
func TestSubmit(t *testing.T) {
	c := newClassroom(t)
	ada := c.student("ada")
	first, second := ada.train("first", 3), ada.train("second", 4)
	killed := ada.record("killed", 5, tracker.Killed)
	w := ada.work()
	done, err := Submit(t.Context(), w)
	must(t, err)
	if len(done.Manifest.Runs) != 2 || done.Manifest.Runs[0].ID != first || done.Manifest.Runs[1].ID != second {
		t.Errorf("handed in: %+v", done.Manifest.Runs)
	}
	if len(done.LeftOut) != 1 || done.LeftOut[0].ID != killed {
		t.Errorf("left out: %+v", done.LeftOut)
	}
	if r := done.Manifest.Runs[0]; r.Kind != Training || r.Results["test_accuracy"] != "0.3" || r.Results["step_ms"] != "" || r.Timings == "" || r.Recipe == "" || r.Data[0] != "abc" {
		t.Errorf("it claims %+v", r)
	}
	bytes := read(t, w.Output)
	if int64(len(bytes)) != done.Size {
		t.Errorf("%d bytes, said to be %d", len(bytes), done.Size)
	}
	if _, err := Submit(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if read(t, w.Output) != bytes {
		t.Error("the same work made another file")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(w.Output), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	dir := t.TempDir()
	s, err := open(t.Context(), w.Output, DefaultLimit, dir)
	must(t, err)
	if string(s.notebook.Bytes()) != read(t, filepath.Join(ada.dir, "hw.ipynb")) {
		t.Error("the notebook is another")
	}
	if only, err := Submit(t.Context(), ada.work("second")); err != nil || len(only.Manifest.Runs) != 1 || only.Manifest.Runs[0].ID != second {
		t.Errorf("handing in one run: %+v, %v", only, err)
	}
}

func TestSubmitRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*student, *Work)
		want    string
	}{
		"no run":              {func(s *student, w *Work) { s.record("killed", 1, tracker.Killed) }, `too few finished runs of the experiment "hw"`},
		"no database":         {func(s *student, w *Work) {}, "no runs yet, since there is no "},
		"a running run":       {func(s *student, w *Work) { s.train("a", 1); s.record("b", 1, tracker.Running) }, "run b is still running"},
		"a killed run, named": {func(s *student, w *Work) { s.record("b", 1, tracker.Killed); w.Runs = []string{"b"} }, "run b is killed: only a finished run"},
		"an unknown run":      {func(s *student, w *Work) { s.train("a", 1); w.Runs = []string{"c"} }, `"c"`},
		"another's file":      {func(s *student, w *Work) { s.train("a", 1); w.Output = filepath.Join(s.dir, "hw.ipynb") }, "is no submission"},
		"a folder":            {func(s *student, w *Work) { s.train("a", 1); w.Output = s.dir }, "it is a folder"},
		"no notebook":         {func(s *student, w *Work) { s.train("a", 1); os.Remove(filepath.Join(s.dir, "hw.ipynb")) }, "no such file"},
		"a broken notebook": {func(s *student, w *Work) {
			s.train("a", 1)
			os.WriteFile(filepath.Join(s.dir, "hw.ipynb"), []byte("{"), 0o600)
		}, "not a notebook"},
		"no assignment": {func(s *student, w *Work) { w.Dir = filepath.Dir(s.dir) }, "is no assignment's folder"},
		"a misspelt assignment": {func(s *student, w *Work) {
			file := filepath.Join(s.dir, assignmentFile)
			os.WriteFile(file, []byte(strings.Replace(read(s.c, file), "runs", "rnus", 1)), 0o600)
		}, "rnus"},
		"lost artifacts": {func(s *student, w *Work) {
			s.train("a", 1)
			os.RemoveAll(filepath.Join(s.dir, "patchlab.artifacts"))
		}, "patchlab.artifacts is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newClassroom(t).student("ada")
			w := s.work()
			test.prepare(s, &w)
			before, _ := os.ReadFile(w.Output)
			if _, err := Submit(t.Context(), w); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if after, _ := os.ReadFile(w.Output); string(before) != string(after) {
				t.Error("the output was touched")
			}
		})
	}
}

// TestSubmitWithoutRuns: an assignment may ask for none.
func TestSubmitWithoutRuns(t *testing.T) {
	c := newClassroom(t)
	file := filepath.Join(t.TempDir(), "essay.ipynb")
	must(t, notebook.New("patchlab", "Patchlab (Go)", "go").Write(file))
	a := NewAssignment(file)
	a.Runs, a.Sample = 0, 0
	d, err := NewDraft(file, a)
	must(t, err)
	_, err = Create(c.dir, d)
	must(t, err)
	ada := c.student("ada")
	ada.dir = c.ReleaseDir("essay")
	if got := c.collect(ada.submit()); got[0].Status != New || got[0].Runs != 0 || got[0].Reason != "" {
		t.Errorf("collected %+v", got)
	}
	grades, err := c.Grade(t.Context(), "essay", GradeOptions{Random: seeded()})
	if err != nil || len(grades) != 1 || len(grades[0].Checked) != 0 {
		t.Errorf("graded %+v, %v", grades, err)
	}
}
