package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patchlab/kernel/cell/record"
	"patchlab/kernel/jupytertest"
	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/spec"
	"patchlab/tracker"
)

// sessionCells use all that a session keeps, shows and tracks.
var sessionCells = []string{
	`type Layer struct {
	weights []float64
	Name    string
}`,
	"%patchlab run \"by hand\" rate=0.5",
	`%%
keep.Value("layers", []Layer{{[]float64{1, 2}, "a"}, {nil, "b"}})
fmt.Println(keep.Once("n", func() (int, error) { return 7, nil }))`,
	`%%
layers := keep.Get[[]Layer]("layers")
fmt.Println(layers[0].weights)
layers`,
	`%%
run := track.Run("by hand")
for step := range int64(100) {
	run.Log(step, map[string]float64{"train_loss": 1 / float64(step+1), "val_loss": 2 / float64(step+1)})
}
run.Keep("layers")`,
	`%%
keep.Value("f", func() {})`,
	`%%
store := model.NewStore()
store.VariableWithValue("/w", []float32{1, 2})
weights.Keep("model", store)
fmt.Println("kept")`,
	`%%
show.SVG("<svg xmlns=\"http://www.w3.org/2000/svg\"><title>dot</title></svg>")
show.LaTeX("x^2")
bar := show.NewProgress("work", 3)
for range 3 {
	bar.Add(1)
}
weights.Get("model").GetVariable("/w").Shape()`,
	`track.Run("by hand").End()`,
}

// kernelLab is a folder with the program and its kernel installed, and one for notebooks.
type kernelLab struct {
	dir, work, program, python string
	env                        []string
}

func newKernelLab(t *testing.T) *kernelLab {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program and compiles cells")
	}
	l := &kernelLab{python: jupytertest.Bin(t, "python")}
	if tools, err := spec.ToolsFolder(); err != nil || !spec.ToolsBuilt(tools) {
		if os.Getenv("CI") != "" {
			t.Fatalf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
		}
		t.Skipf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
	}
	root, err := jupytertest.Root()
	if err != nil {
		t.Fatal(err)
	}
	if l.dir, err = os.MkdirTemp("/tmp", "ps"); err != nil { // t.TempDir is too long for sockets
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(l.dir) })
	l.program, l.work = filepath.Join(l.dir, "patchlab"), filepath.Join(l.dir, "lab")
	if err := os.Mkdir(l.work, 0o700); err != nil {
		t.Fatal(err)
	}
	l.env = append(os.Environ(), "JUPYTER_PATH="+filepath.Join(l.dir, "env", "share", "jupyter"), envDB+"=", "TMPDIR="+l.dir)
	l.do(t, root, "go", "build", "-o", l.program, "./cmd/patchlab")
	l.do(t, root, l.program, "kernel", "install", "--prefix", filepath.Join(l.dir, "env"))
	return l
}

// try runs a program in a folder and returns what it printed on both streams.
func (l *kernelLab) try(t *testing.T, in, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = in, l.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l *kernelLab) do(t *testing.T, in, name string, args ...string) string {
	t.Helper()
	out, err := l.try(t, in, name, args...)
	if err != nil {
		t.Fatalf("%s %.200v: %v\n%s", name, args, err, out)
	}
	return out
}

// TestSession runs a notebook on the installed kernel by nbclient, as people do, and then its run again.
func TestSession(t *testing.T) {
	l := newKernelLab(t)
	database := filepath.Join(l.work, "patchlab.db")
	l.env = append(l.env, sessionName+"="+filepath.Join(l.work, "first.ipynb"))
	sources, err := json.Marshal(sessionCells)
	if err != nil {
		t.Fatal(err)
	}
	l.do(t, l.work, l.python, "-c", fmt.Sprintf(`
import json, nbformat
from nbclient import NotebookClient
n = nbformat.v4.new_notebook()
n.cells = [nbformat.v4.new_code_cell(source) for source in json.loads(%q)]
NotebookClient(n, kernel_name="patchlab", timeout=280, allow_errors=True).execute()
nbformat.write(n, "first.ipynb")
`, sources))
	checkOutputs(t, filepath.Join(l.work, "first.ipynb"))

	db, info, err := readRun(t.Context(), database, "by hand")
	if err != nil {
		t.Fatal(err)
	}
	executed, err := executedCells(t.Context(), db, info)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || len(executed.Cells) != len(sessionCells) || executed.Cells[3].Source() != sessionCells[3] {
		t.Errorf("the run has the cells %v: %v", executed, err)
	}
	if info.Status != tracker.Finished || info.Experiment != "first" || info.Params["rate"] != "0.5" || info.Metrics["val_loss"].Count != 100 ||
		info.Tags[record.TagFile] == "" || info.Environment["module.gomlx"] == "" {
		t.Errorf("the run is %+v", info)
	}

	said := l.do(t, l.dir, l.program, "rerun", "by hand", "--db", database)
	if !strings.Contains(said, "by hand: reproduced bit for bit; the outputs of 1 of 9 cells differ") {
		t.Errorf("rerun said\n%s", said)
	}
	again, repeated, err := readRun(t.Context(), database, "by hand again")
	if err != nil || repeated.Parent != info.ID || repeated.Metrics["val_loss"].Count != 100 {
		t.Fatalf("the rerun is %+v: %v", repeated, err)
	}
	again.Close()
	if left, _ := filepath.Glob(filepath.Join(l.dir, "patchlab-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKeptForResume has a notebook's run fail and go on: what its cells had kept is there, and computed once.
func TestKeptForResume(t *testing.T) {
	l := newKernelLab(t)
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	for i, source := range []string{
		"%%\nfmt.Println(keep.Once(\"n\", func() (int, error) { return 7, os.WriteFile(\"computed\", nil, 0o600) }))",
		"%%\nif _, err := os.Stat(\"ready\"); err != nil {\n\tpanic(err)\n}\nfmt.Println(\"kept\", keep.Get[int](\"n\"))",
	} {
		n.Insert(i, notebook.NewCell(notebook.Code, source))
	}
	if err := n.Write(filepath.Join(l.work, "in.ipynb")); err != nil {
		t.Fatal(err)
	}
	if out, err := l.try(t, l.work, l.program, "notebook", "run", "in.ipynb", "-o", "out.ipynb"); err == nil || !strings.Contains(out, "cell 2 of 2 failed") {
		t.Fatalf("the first run: %v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(l.work, "computed"), filepath.Join(l.work, "ready")); err != nil {
		t.Fatal(err)
	}
	l.do(t, l.work, l.program, "notebook", "run", "in.ipynb", "-o", "out.ipynb", "--resume")
	out, err := notebook.Read(filepath.Join(l.work, "out.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if text := out.Cells[1].Outputs()[0].Text(); text != "kept 7\n" {
		t.Errorf("the cell that went on printed %q", text)
	}
	if _, err := os.Stat(filepath.Join(l.work, "computed")); err == nil {
		t.Error("it was computed twice")
	}
}

// checkOutputs looks at what stands below the cells of the notebook at path.
func checkOutputs(t *testing.T, path string) {
	t.Helper()
	n, err := notebook.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	below := func(i int) string {
		var text strings.Builder
		for _, o := range n.Cells[i].Outputs() {
			if o.Marked(message.Notice) {
				continue
			}
			fmt.Fprintf(&text, "%s %s", o.Type(), o.Text())
			for _, mime := range o.MIMEs() {
				content, _ := o.MIME(mime)
				fmt.Fprintf(&text, "[%s %s] ", mime, content)
			}
			name, value, _ := o.Failure()
			text.WriteString(name + " " + value + "\n")
		}
		return text.String()
	}
	for i, want := range []string{
		`^$`,
		`stream run by hand \(\w{26}\) began in .*patchlab.db`,
		`stream 7\n`,
		`(?s)stream \[1 2\]\n.*execute_result .*text/html <table>.*text/plain weights +Name\n\[1 2\] +a`,
		`(?s)display_data .*image/svg\+xml <svg .*● train.*● val.*val_loss +step 99: 0\.02`,
		`error Panic keep: "f" cannot be kept: a func\(\) cannot be kept`,
		`stream kept`,
		`(?s)image/svg\+xml <svg.*text/latex \$\$x\^2\$\$.*text/html <div>.*100%.*3/3`,
		`^$`,
	} {
		if got := below(i); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("below cell %d, %.60q, is %.1000s; want %s", i+1, sessionCells[i], got, want)
		}
	}
}
