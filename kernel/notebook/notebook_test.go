package notebook_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// makeNotebooks writes notebooks as nbformat, papermill and VS Code would.
const makeNotebooks = `
import json, sys, os, nbformat
from nbformat import v4
out = sys.argv[1]
odd = "a\r\nb\rc\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\u2028j\u2029k é 漢 \U0001f600 \x7f \t \"quoted\" back\\slash\n\nend"
def notebook():
    nb = v4.new_notebook()
    nb.metadata.update({"kernelspec": {"name": "patchlab", "display_name": "Patchlab (Go)", "language": "go"},
        "zz": {"deep": [1, 2.5, -0.0, 1e-7, 1e22, None, True, {"x": []}, {}]}, "unknown": odd})
    code = v4.new_code_cell(odd, metadata={"tags": ["parameters", "ünïcode"], "custom": {"b": 1, "a": 2}})
    code.execution_count = 7
    code.outputs = [
        v4.new_output("stream", name="stdout", text=odd * 3),
        v4.new_output("stream", name="stderr", text=""),
        v4.new_output("display_data", data={"image/png": "aGVsbG8=\n", "text/plain": odd, "image/svg+xml": "<svg>\n</svg>",
            "application/json": {"b": [1, 2.50, "x"], "a": None}, "application/vnd.plotly.v1+json": {"data": float("nan")},
            "application/javascript": "a\nb", "text/html": "<b>\nx"}, metadata={"image/png": {"width": 3}}),
        v4.new_output("execute_result", data={"text/plain": "4"}, execution_count=7),
        v4.new_output("error", ename="E", evalue=odd, traceback=["\x1b[31mred\x1b[0m", "l2"])]
    nb.cells = [code, v4.new_markdown_cell("# Title\n$x^2$", attachments={"p.png": {"image/png": "aGVsbG8="}}), v4.new_raw_cell(""),
        v4.new_code_cell("")]
    return nb
nb = notebook()
nbformat.write(nb, os.path.join(out, "nbformat.ipynb"))
open(os.path.join(out, "papermill.ipynb"), "w", encoding="utf-8").write(nbformat.writes(nb))  # no newline at the end
nb = notebook()
for c in nb.cells: del c["id"]
nb.nbformat_minor = 4
nbformat.write(nb, os.path.join(out, "v4.4.ipynb"))
unsorted = json.loads(nbformat.writes(notebook()))
unsorted = {"cells": unsorted["cells"], "nbformat": 4, "nbformat_minor": 5, "metadata": unsorted["metadata"]}
for indent in (2, "\t"):
    json.dump(unsorted, open(os.path.join(out, f"code{indent!r}.ipynb".replace("'\\t'", "tab")), "w", encoding="utf-8"), indent=indent, ensure_ascii=False)
json.dump(unsorted, open(os.path.join(out, "ascii.ipynb"), "w"), indent=1, ensure_ascii=True)
json.dump(unsorted, open(os.path.join(out, "compact.ipynb"), "w"), separators=(",", ":"))
`

func TestRoundTripIsByteForByte(t *testing.T) {
	dir := t.TempDir()
	jupytertest.Python(t, makeNotebooks, dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.ipynb"))
	if err != nil || len(paths) < 7 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := notebook.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Write(path); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(before) != string(after) {
			t.Errorf("%s changed:\n%s\n%s", filepath.Base(path), before, after)
		}
		if clone := n.Clone().Bytes(); string(clone) != string(after) {
			t.Errorf("%s: the clone differs", filepath.Base(path))
		}
	}
}

// What we build anew must be what nbformat builds: it reads our file and writes
// the same bytes, and its validator has nothing to say.
func TestNewCellsAreWrittenAsNbformatWritesThem(t *testing.T) {
	dir := t.TempDir()
	jupytertest.Python(t, makeNotebooks, dir)
	for _, name := range []string{"nbformat.ipynb", "v4.4.ipynb"} {
		path := filepath.Join(dir, name)
		n, err := notebook.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		n.Upgrade()
		odd := n.Cells[0].Source()
		cell := notebook.NewCell(notebook.Code, odd, "a", "b")
		data, err := ordered.Parse([]byte(`{"text/plain":"x\ny","image/png":"aGk=\n","application/json":{"z":[1],"a":"q\nr"},"image/svg+xml":"<svg>\n"}`))
		if err != nil {
			t.Fatal(err)
		}
		cell.SetOutputs([]*notebook.Output{
			notebook.NewStream("stdout", odd), notebook.NewStream("stderr", ""),
			notebook.NewData(notebook.Result, data.(*ordered.Object), nil, 3),
			notebook.NewData(notebook.Display, nil, nil, 0),
			notebook.NewError("E", odd, []string{odd, "\x1b[0m"}),
		})
		cell.SetCount(3)
		cell.Metadata().Sub("execution").Set("iopub.status.idle", ordered.String("2026-01-01T00:00:00Z"))
		n.Insert(1, cell)
		n.Insert(0, notebook.NewCell(notebook.Markdown, "# Ü\n"))
		if err := n.Write(path); err != nil {
			t.Fatal(err)
		}
		jupytertest.Python(t, `
import sys, nbformat
text = open(sys.argv[1], encoding="utf-8", newline="").read()
nb = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
nbformat.validate(nb)
assert (nb.nbformat, nb.nbformat_minor) == (4, 5), nb.nbformat_minor
again = nbformat.writes(nb, version=nbformat.NO_CONVERT) + "\n"
if again != text:
    import difflib
    sys.exit("nbformat writes it otherwise:\n" + "\n".join(difflib.unified_diff(text.split("\n"), again.split("\n"), lineterm="")))
`, path)
	}
}

func TestUpgradeGivesStableIDs(t *testing.T) {
	const text = `{"cells": [
 {"cell_type": "code", "metadata": {}, "source": "a", "outputs": [], "execution_count": null},
 {"cell_type": "code", "metadata": {}, "source": "a", "outputs": [], "execution_count": null, "id": "kept"},
 {"cell_type": "markdown", "metadata": {}, "source": ["a\n", "b"], "id": "kept"},
 {"cell_type": "code", "source": [], "id": "not valid!"}
], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}`
	var last []string
	for range 2 {
		n, err := notebook.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		n.Upgrade()
		var ids []string
		seen := map[string]bool{}
		for _, c := range n.Cells {
			if seen[c.ID()] || len(c.ID()) == 0 {
				t.Errorf("ID %q twice or empty", c.ID())
			}
			seen[c.ID()] = true
			ids = append(ids, c.ID())
		}
		if ids[1] != "kept" {
			t.Errorf("an ID was replaced: %v", ids)
		}
		if last != nil && strings.Join(last, " ") != strings.Join(ids, " ") {
			t.Errorf("IDs differ from one time to the next: %v, %v", last, ids)
		}
		last = ids
		if _, minor := n.Version(); minor != 5 {
			t.Errorf("minor version %d", minor)
		}
	}
}

func TestBrokenFilesAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "not a notebook: no valid JSON at line 1, column 1",
		`{"cells": [}`:                      "not a notebook: no valid JSON at line 1, column 12",
		`[1]`:                               "not a notebook: a JSON object with nbformat",
		`{"a": 1}`:                          "not a notebook: a JSON object with nbformat",
		`{"nbformat": 3, "worksheets": []}`: "nbformat 3; allowed: 4",
		`{"nbformat": "4"}`:                 `nbformat "4"; allowed: 4`,
		`{"nbformat": 4, "metadata": {}, "cells": []}`:                                                                          "nbformat_minor must be",
		`{"nbformat": 4, "nbformat_minor": 5, "cells": []}`:                                                                     "metadata must be an object",
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}`:                                                                  "cells must be a list",
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}`:                                                    "cell 1: a cell must be an object",
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "heading"}]}`:                             `cell 1: cell_type "heading"; allowed: code`,
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}`:                                "cell 1: source must be",
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "raw", "source": 1}]}`:                    "cell 1: source must be",
		`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": "", "outputs": [{}]}]}`: "cell 1: output 1 must be",
	} {
		if _, err := notebook.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n  want %s", text, err, want)
		}
	}
	if _, err := notebook.Read(filepath.Join(t.TempDir(), "none.ipynb")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
