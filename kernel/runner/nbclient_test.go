package runner_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// What nbclient makes of a notebook, Run must make of it: the same outputs, in
// the same bytes, and counts.
func TestOutputsAreNbclients(t *testing.T) {
	spec := python(t)
	n := pythonNotebook(
		"import sys, time\nfrom IPython.display import *\nprint('a'); print('b', flush=True)\nprint('c', file=sys.stderr, flush=True)\ntime.sleep(.1)\nprint('d')",
		"h = display('one', display_id=True)\ndisplay('two')\nh.update('three')\n'four'",
		"h.update('five')\nh.display('six')",
		"print('gone')\nclear_output()\nprint('stays')\ndisplay(1)\nclear_output(wait=True)\ndisplay(HTML('<b>x</b>\\ny'))",
		"print('kept')\nclear_output(wait=True)",
		"display({'image/png': 'aGVsbG8=', 'application/json': {'b': [1, 2.5, None], 'a': 'é'}, 'text/plain': 'p'}, raw=True, metadata={'image/png': {'width': 3}})",
		"display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\">\\n</svg>'), Latex('$x$'), Markdown('**m**'), JSON([1]), Javascript('a\\nb'))",
		"for i in range(5): print(f'\\rstep {i}', end='')\nprint()",
		"1/0",
		"x = 5",
		"x\n",
		"",
		"!echo shell",
		"%%html\n<i>magic</i>",
	)
	n.Cells[8] = notebook.NewCell(notebook.Code, "1/0", runner.TagRaises)
	n.Insert(0, notebook.NewCell(notebook.Markdown, "# Title"))
	dir := t.TempDir()
	in, theirs := filepath.Join(dir, "in.ipynb"), filepath.Join(dir, "theirs.ipynb")
	n.Upgrade()
	if err := n.Write(in); err != nil {
		t.Fatal(err)
	}
	jupytertest.Python(t, `
import sys, nbformat, nbclient
nb = nbformat.read(sys.argv[1], nbformat.NO_CONVERT)
nbclient.NotebookClient(nb, coalesce_streams=True).execute()
nbformat.write(nb, sys.argv[2])`, in, theirs)
	if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
		t.Fatal(err)
	}
	want, err := notebook.Read(theirs)
	if err != nil {
		t.Fatal(err)
	}
	for i, cell := range n.Cells {
		// nbclient merges a stream's texts across others, which reorders them; the first cell has such.
		if got, want := outputs(t, cell), outputs(t, want.Cells[i]); got != want && i != 1 {
			t.Errorf("cell %d: %s\ngot  %s\nwant %s", i, cell.Source(), got, want)
		}
		if cell.Count() != want.Cells[i].Count() {
			t.Errorf("cell %d: count %d, want %d", i, cell.Count(), want.Cells[i].Count())
		}
		for _, key := range want.Cells[i].Metadata().Object("execution").Keys() {
			if cell.Metadata().Object("execution").Text(key) == "" {
				t.Errorf("cell %d: no time %s", i, key)
			}
		}
	}
	if got := said(n.Cells[1]); got != "stdout:a\nb\n|stderr:c\n|stdout:d\n" {
		t.Errorf("streams in turn: %q", got)
	}
	if got, want := n.Metadata().Object("language_info"), want.Metadata().Object("language_info"); fmt.Sprint(got.Keys()) != fmt.Sprint(want.Keys()) {
		t.Errorf("language_info has %v, want %v", got.Keys(), want.Keys())
	}
}

// outputs is a cell's outputs as the file has them, tracebacks aside, which name
// a temporary file.
func outputs(t *testing.T, c *notebook.Cell) string {
	t.Helper()
	n := notebook.New("k", "K", "python")
	n.Cells = []*notebook.Cell{c}
	var file struct {
		Cells []struct {
			Outputs []map[string]any `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(n.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(file.Cells[0].Outputs, func(o map[string]any) bool {
		metadata, _ := o["metadata"].(map[string]any)
		return metadata[message.Notice] == true
	})
	for _, o := range all {
		delete(o, "traceback")
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The state of widgets that run without a front end is kept.
func TestWidgetStateIsKept(t *testing.T) {
	spec := python(t)
	n := pythonNotebook(`
from ipykernel.comm import Comm
c = Comm(target_name="jupyter.widget", data={"state": {"_model_name": "IntSliderModel", "_model_module": "@jupyter-widgets/controls", "_model_module_version": "2.0.0", "value": 1}, "buffer_paths": []})
c.send(data={"method": "update", "state": {"value": 7}, "buffer_paths": [["data"]]}, buffers=[b"abc"])
`)
	if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
		t.Fatal(err)
	}
	states := n.Metadata().Object("widgets").Object("application/vnd.jupyter.widget-state+json").Object("state")
	if states.Len() != 1 {
		t.Fatalf("%s", n.Bytes())
	}
	one := states.Object(states.Keys()[0])
	text := fmt.Sprint(one.Text("model_name"), one.Object("state").Get("value"), one.Items("buffers"))
	if one.Text("model_name") != "IntSliderModel" || fmt.Sprint(one.Object("state").Get("value")) != "7" || len(one.Items("buffers")) != 1 {
		t.Error(text)
	}
}
