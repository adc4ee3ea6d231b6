package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"patchlab/kernel/cell"
	"patchlab/kernel/cell/record"
	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// bench is a session with programs as its cells, as the front runs them.
type bench struct {
	t       *testing.T
	session *record.Session
	db      string
	count   int

	mu    sync.Mutex
	shown []string
}

func open(t *testing.T, change ...func(*record.Options)) *bench {
	t.Helper()
	// Paths of sockets are short.
	folder, err := os.MkdirTemp("", "session-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: filepath.Join(t.TempDir(), "lab.db")}
	o := record.Options{
		Folder: folder, Database: b.db, Notebook: "lab/first steps.ipynb",
		Environment: func(context.Context) (map[string]string, []byte) {
			return map[string]string{"git_commit": "abc", "go": "overruled by the cell's"}, []byte("a diff")
		},
		Logf: t.Logf,
	}
	for _, c := range change {
		c(&o)
	}
	if b.session, err = record.Open(o); err != nil {
		t.Fatal(err)
	}
	b.session.Connect(func(kind string, content any) {
		text, err := json.Marshal(content)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.shown = append(b.shown, kind+" "+string(text))
		b.session.Message(kind, text)
	})
	t.Cleanup(func() { b.close() })
	return b
}

func (b *bench) close() {
	if b.session != nil {
		if err := b.session.Close(); err != nil {
			b.t.Errorf("closing the session: %v", err)
		}
		b.session = nil
	}
}

var programs sync.Map // source → path

// program compiles a cell.
func program(t *testing.T, body string) string {
	t.Helper()
	if path, ok := programs.Load(body); ok {
		return path.(string)
	}
	dir, err := os.MkdirTemp("", "cell-")
	if err != nil {
		t.Fatal(err)
	}
	source := "package main\n\nimport (\n\"fmt\"\n\"math\"\n\"os\"\n\"strings\"\n\"patchlab/kernel/cell/keep\"\n\"patchlab/kernel/cell/track\"\n)\n\n" +
		"var _, _, _, _, _, _ = fmt.Print, math.Pi, os.Args, strings.Cut, keep.Has, track.Run\n\ntype metrics = map[string]float64\n\nfunc main() {\n" + body + "\n}\n"
	file, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "cell")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path, file).CombinedOutput(); err != nil {
		t.Fatalf("compiling a cell: %v\n%s", err, out)
	}
	programs.Store(body, path)
	return path
}

func TestMain(m *testing.M) {
	code := m.Run()
	programs.Range(func(_, path any) bool {
		os.RemoveAll(filepath.Dir(path.(string)))
		return true
	})
	os.Exit(code)
}

// cell runs a cell and returns what it printed.
func (b *bench) cell(body string) string {
	b.t.Helper()
	path := program(b.t, body)
	b.count++
	b.session.Begin(b.count, body)
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), b.session.Environ()...)
	out, err := cmd.CombinedOutput()
	text, _ := json.Marshal(map[string]string{"name": "stdout", "text": string(out)})
	b.session.Message("stream", text)
	b.session.End(err == nil)
	return string(out)
}

func (b *bench) only() (*tracker.DB, tracker.RunInfo) {
	b.t.Helper()
	db, err := tracker.Open(b.db, tracker.ReadOnly())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { db.Close() })
	runs, err := db.Runs(context.Background(), tracker.Query{})
	if err != nil || len(runs) != 1 {
		b.t.Fatalf("%d runs: %v", len(runs), err)
	}
	return db, runs[0]
}

func artifact(t *testing.T, db *tracker.DB, id, name string) []byte {
	t.Helper()
	r, err := db.OpenArtifact(context.Background(), id, name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	firstCell = `
	run := track.Run("by hand")
	run.Params(map[string]any{"learning_rate": 0.5, "layers": []int{1, 2}})
	for step := range int64(50) {
		run.Log(step, metrics{"train_loss": 1 / float64(step+1)})
	}
	fmt.Print(run.Name())`
	secondCell = `
	run := track.Run("by hand")
	run.Log(50, metrics{"train_loss": math.NaN(), "val_loss": math.Inf(1)})
	keep.Value("data/set", []float64{1, 2})
	run.Keep("data/set")
	run.Artifact("notes.txt", strings.NewReader("words"))
	run.Tags(map[string]string{"by": "hand"})
	run.Note("**Good.**")
	run.Input("cifar10", "0123", "train")
	os.Exit(0) // without Flush: what was logged is not lost`
	thirdCell = `track.Run("by hand").End()`
)

func TestRunOverCells(t *testing.T) {
	b := open(t)
	if out := b.cell(firstCell); out != "by hand" {
		t.Fatalf("the first cell printed %q", out)
	}
	db, info := b.only()
	if info.Status != tracker.Running || info.Experiment != "first steps" || info.Metrics["train_loss"].Count != 50 {
		t.Errorf("between two cells: %+v", info)
	}
	n, err := notebook.Parse(artifact(t, db, info.ID, record.Artifact))
	if err != nil || len(n.Cells) != 1 || n.Cells[0].Source() != firstCell {
		t.Errorf("between two cells the notebook has %d cells: %v", len(n.Cells), err)
	}
	b.cell(secondCell)
	b.cell(thirdCell)
	_, info = b.only()
	if info.Status != tracker.Finished || info.Name != "by hand" {
		t.Errorf("after End: %v %s", info.Status, info.Name)
	}
	if info.Params["learning_rate"] != "0.5" || info.Params["layers"] != "[1 2]" || info.Tags["by"] != "hand" ||
		info.Tags[record.TagKind] != record.KindNotebook || info.Tags[record.TagFile] != "lab/first steps.ipynb" ||
		info.Note != "**Good.**" || info.Inputs[0] != (tracker.Input{Name: "cifar10", Digest: "0123", Context: "train"}) {
		t.Errorf("the run has %+v", info)
	}
	if e := info.Environment; e["git_commit"] != "abc" || !strings.HasPrefix(e["go"], "go1.") || e["module.github.com/gomlx/gomlx"] == "" {
		t.Errorf("its environment is %v", e)
	}
	history, err := db.History(context.Background(), info.ID, "train_loss")
	if err != nil || len(history) != 51 || history[49].Value != 1./50 || !math.IsNaN(history[50].Value) {
		t.Errorf("the history has %d points: %v", len(history), err)
	}
	if v := info.Metrics["val_loss"].Value; !math.IsInf(v, 1) {
		t.Errorf("val_loss is %v", v)
	}
	if got := artifact(t, db, info.ID, "notes.txt"); string(got) != "words" {
		t.Errorf("notes.txt has %q", got)
	}
	if got := artifact(t, db, info.ID, "git.diff"); string(got) != "a diff" {
		t.Errorf("git.diff has %q", got)
	}
	n, err = notebook.Parse(artifact(t, db, info.ID, record.Artifact))
	if err != nil || len(n.Cells) != 3 {
		t.Fatalf("the notebook has %d cells: %v", len(n.Cells), err)
	}
	// The curve takes its own way, so that it may come before or after the text.
	printed, drawn := "", ""
	for _, o := range n.Cells[0].Outputs() {
		svg, _ := o.MIME("image/svg+xml")
		printed, drawn = printed+o.Text(), drawn+svg
	}
	if printed != "by hand" || strings.Count(drawn, "● train") != 1 {
		t.Errorf("below the first cell are %q and the curve %.200s", printed, drawn)
	}
	if n.Cells[2].Count() != 3 || n.Cells[2].Metadata().Object("execution").Text("shell.execute_reply") == "" {
		t.Errorf("the last cell has no number or time: %s", n.Bytes())
	}
	b.mu.Lock()
	shown := slices.Clone(b.shown)
	b.mu.Unlock()
	if len(shown) < 3 || !strings.HasPrefix(shown[0], "display_data") || !strings.HasPrefix(shown[1], "update_display_data") ||
		!strings.Contains(shown[len(shown)-1], "val_loss    step 50: +Inf") {
		t.Errorf("below the cells was shown %.300q", shown)
	}
	// The same session takes it up again.
	b.cell(`track.Resume("by hand").End()`)
	if n, err = notebook.Parse(artifact(t, db, info.ID, record.Artifact)); err != nil || len(n.Cells) != 4 {
		t.Errorf("taken up again, it has %d cells: %v", len(n.Cells), err)
	}
	// A later session reads what was kept.
	b.close()
	later := open(t, func(o *record.Options) { o.Database = b.db })
	if out := later.cell(`fmt.Print(track.Get[[]float64]("by hand", "data/set"))`); out != "[1 2]" {
		t.Errorf("the kept value is %q", out)
	}
	if out := later.cell(`track.Get[[]float64]("by hand", "other")`); !strings.Contains(out, "not found") {
		t.Errorf("a value that was not kept: %q", out)
	}
}

func TestWhatEndsARun(t *testing.T) {
	status := func(b *bench) tracker.Status {
		_, info := b.only()
		return info.Status
	}
	b := open(t)
	b.cell(`track.Run("one").Log(1, metrics{"a": 1})`)
	b.close()
	if s := status(b); s != tracker.Finished {
		t.Errorf("with its session, after a good cell: %v", s)
	}
	b = open(t)
	b.cell(`track.Run("one"); panic("no luck")`)
	b.close()
	if s := status(b); s != tracker.Failed {
		t.Errorf("with its session, after a failed cell: %v", s)
	}
	b = open(t)
	b.cell(`track.Run("one").Fail()`)
	if s := status(b); s != tracker.Failed {
		t.Errorf("by Fail: %v", s)
	}
	// Afterwards the name begins a new run.
	b.cell(`track.Run("one"); track.Run("two"); track.Run("two").End(); track.Run("two")`)
	db, err := tracker.Open(b.db, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs, err := db.Runs(context.Background(), tracker.Query{OrderBy: "attributes.start_time ASC"})
	got := ""
	for _, r := range runs {
		got += fmt.Sprint(r.Name, " ", r.Status, ", ")
	}
	if want := "one failed, one finished, two finished, two running, "; got != want || err != nil {
		t.Errorf("%s%v; want %s", got, err, want)
	}
}

func TestErrorsReachTheCell(t *testing.T) {
	b := open(t)
	for _, c := range []struct{ body, want string }{
		{`r := track.Run("x"); r.Params(metrics{"lr": 1}); r.Params(struct{ lr, LR int }{}); r.Params(metrics{"lr": 2})`,
			`panic: track: parameters of run "x": `},
		{`track.Run("x").Params(3)`, `parameters of run "x": a int, allowed are structs and maps by string`},
		{`r := track.Run("x"); r.Log(1, metrics{"": 1}); r.Flush()`, `track: flushing of run "x": `},
		{`r := track.Run("x"); r.End(); r.Log(1, metrics{"a": 1}); r.Flush()`, "the session has no run"},
		{`track.Resume("nothing")`, `track: run "nothing": `},
		{`track.Run("y").Keep("nothing")`, `nothing is kept under the name "nothing"`},
		{`track.Run("y").Artifact("../up", strings.NewReader("x"))`, `track: artifact ../up of run "y": `},
	} {
		if out := b.cell(c.body); !strings.Contains(out, c.want) {
			t.Errorf("%s\nprinted %q, want %q in it", c.body, out, c.want)
		}
	}
	// None of it has harmed the session.
	if out := b.cell(`r := track.Run("z"); r.Log(1, metrics{"a": 1}); r.Flush(); fmt.Print(len(r.ID()))`); out != "26" {
		t.Errorf("the next cell printed %q", out)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	var folder string
	b := open(t, func(o *record.Options) { folder = o.Folder })
	b.cell(`keep.Value("a", 1)`)
	if _, err := os.Stat(filepath.Join(folder, cell.Values, "a.value")); err != nil {
		t.Error(err)
	}
	b.close()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if _, err := os.Stat(b.db); !os.IsNotExist(err) {
		t.Error("a session without a run made a database")
	}
}
