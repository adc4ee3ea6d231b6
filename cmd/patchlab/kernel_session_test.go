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
println(keep.Once("n", func() (int, error) { return 7, nil }))`,
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

// TestSession runs a notebook on the installed kernel by nbclient, as people do, and then its run again.
func TestSession(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and compiles cells")
	}
	python := jupytertest.Bin(t, "python")
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
	dir, err := os.MkdirTemp("/tmp", "ps") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, database := filepath.Join(dir, "patchlab"), filepath.Join(dir, "lab", "patchlab.db")
	do := func(in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = in
		cmd.Env = append(os.Environ(), "JUPYTER_PATH="+filepath.Join(dir, "env", "share", "jupyter"), envDB+"=", "TMPDIR="+dir,
			"JPY_SESSION_NAME="+filepath.Join(dir, "lab", "first.ipynb"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %.200v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	do(root, "go", "build", "-o", program, "./cmd/patchlab")
	do(root, program, "kernel", "install", "--prefix", filepath.Join(dir, "env"))
	if err := os.Mkdir(filepath.Dir(database), 0o700); err != nil {
		t.Fatal(err)
	}
	sources, _ := json.Marshal(sessionCells)
	do(filepath.Dir(database), python, "-c", fmt.Sprintf(`
import json, nbformat
from nbclient import NotebookClient
n = nbformat.v4.new_notebook()
n.cells = [nbformat.v4.new_code_cell(source) for source in json.loads(%q)]
NotebookClient(n, kernel_name="patchlab", timeout=280, allow_errors=True).execute()
nbformat.write(n, "first.ipynb")
`, sources))
	checkOutputs(t, filepath.Join(dir, "lab", "first.ipynb"))

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
		info.Tags[record.TagFile] == "" || info.Environment["git_commit"] != "" || info.Environment["module.gomlx"] == "" {
		t.Errorf("the run is %+v", info)
	}

	said := do(dir, program, "rerun", "by hand", "--db", database)
	if !strings.Contains(said, "by hand: reproduced bit for bit; the outputs of 1 of 9 cells differ") {
		t.Errorf("rerun said\n%s", said)
	}
	_, again, err := readRun(t.Context(), database, "by hand again")
	if err != nil || again.Parent != info.ID || again.Metrics["val_loss"].Count != 100 {
		t.Errorf("the rerun is %+v: %v", again, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "patchlab-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
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
