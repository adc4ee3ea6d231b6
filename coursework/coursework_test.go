package coursework

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
	"patchlab/tracker"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// classroom is a course with the assignment "hw", and students who work on it.
type classroom struct {
	testing.TB
	*Course
	clock time.Time // of the student who hands in next
}

func newClassroom(t testing.TB) *classroom {
	t.Helper()
	c := &classroom{TB: t, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "hw.ipynb")
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Code, "func answer() int {\n\t// BEGIN SOLUTION\n\treturn 42\n\t// END SOLUTION\n}"))
	n.Insert(1, notebook.NewCell(notebook.Code, "answer()"))
	must(t, n.Write(file))
	d, err := NewDraft(file, NewAssignment(file))
	must(t, err)
	c.Course, err = Create(filepath.Join(t.TempDir(), "course"), d)
	must(t, err)
	return c
}

// student is somebody's folder and key.
type student struct {
	c   *classroom
	dir string
	key *Key
}

func (c *classroom) student(name string) *student {
	c.Helper()
	dir := filepath.Join(c.TempDir(), name)
	must(c, os.CopyFS(dir, os.DirFS(c.ReleaseDir("hw"))))
	key, err := NewKey(name)
	must(c, err)
	return &student{c, dir, key}
}

func (s *student) db() string { return filepath.Join(s.dir, "patchlab.db") }

// train records a finished run with a recipe; its losses follow from the seed, as
// those of a training do, and its times are its own.
func (s *student) train(name string, seed float64) string {
	s.c.Helper()
	return s.record(name, seed, tracker.Finished)
}

func (s *student) record(name string, seed float64, status tracker.Status) string {
	s.c.Helper()
	db, err := tracker.Open(s.db())
	must(s.c, err)
	s.c.Cleanup(func() { db.Close() }) // a running run's writer lives
	run, err := db.Start(context.Background(), tracker.Spec{Experiment: "hw", Name: name,
		Inputs: []tracker.Input{{Name: "shapes", Digest: "abc"}}})
	must(s.c, err)
	must(s.c, run.AddArtifact(recipeName, strings.NewReader(fmt.Sprintf(`{"seed": %g}`, seed))))
	start := time.Now()
	for step := range int64(50) {
		must(s.c, run.Log(step, map[string]float64{"train_loss": seed / float64(step+1), "step_ms": time.Since(start).Seconds() * 1000}))
	}
	must(s.c, run.Log(50, map[string]float64{"test_accuracy": seed / 10, "test_loss": 1 / seed}))
	must(s.c, run.Flush())
	if status != tracker.Running {
		must(s.c, run.Finish(status))
		must(s.c, db.Close())
	}
	return run.ID()
}

// answer fills the notebook in.
func (s *student) answer(source string) {
	s.c.Helper()
	file := filepath.Join(s.dir, "hw.ipynb")
	n, err := notebook.Read(file)
	must(s.c, err)
	n.Cells[0].SetSource(source)
	must(s.c, n.Write(file))
}

// executed notes when the second cell was executed.
func (s *student) executed(at string) {
	s.c.Helper()
	file := filepath.Join(s.dir, "hw.ipynb")
	n, err := notebook.Read(file)
	must(s.c, err)
	n.Cells[1].Metadata().Sub("execution").Set("iopub.execute_input", ordered.String(at))
	must(s.c, n.Write(file))
}

// prints gives the second cell an output.
func (s *student) prints(text string) {
	s.c.Helper()
	file := filepath.Join(s.dir, "hw.ipynb")
	n, err := notebook.Read(file)
	must(s.c, err)
	n.Cells[1].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", text)})
	must(s.c, n.Write(file))
}

func (s *student) work(runs ...string) Work {
	return Work{Dir: s.dir, DB: s.db(), Runs: runs, Key: s.key, Made: s.c.clock,
		Output: filepath.Join(filepath.Dir(s.dir), s.key.Student+Extension)}
}

// submit hands in, a minute after whoever was before, and returns the file.
func (s *student) submit(runs ...string) string {
	s.c.Helper()
	s.c.clock = s.c.clock.Add(time.Minute)
	w := s.work(runs...)
	_, err := Submit(context.Background(), w)
	must(s.c, err)
	return w.Output
}

// collect collects and returns what became of each file.
func (c *classroom) collect(files ...string) []Collected {
	c.Helper()
	all, err := c.Collect(context.Background(), files, CollectOptions{})
	must(c, err)
	return all
}
