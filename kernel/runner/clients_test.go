package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// clients runs a Go notebook under the programs that people run notebooks with.
func clients(t *testing.T, spec runner.Spec) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.ipynb")
	if err := goNotebook().Write(in); err != nil {
		t.Fatal(err)
	}
	ours := goNotebook()
	if err := runner.Run(t.Context(), ours, runner.Options{Kernel: spec}); err != nil {
		t.Fatal(err)
	}
	same := func(t *testing.T, path string, cells int) {
		t.Helper()
		theirs, err := notebook.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(theirs.Cells) != cells {
			t.Fatalf("%d cells, want %d", len(theirs.Cells), cells)
		}
		last := theirs.Cells[cells-4:]
		for i, cell := range ours.Cells[1:] {
			if got, want := outputs(t, last[i]), outputs(t, cell); got != want && last[i].Kind() == notebook.Code {
				t.Errorf("%s\ntheirs %s\nours   %s", cell.Source(), got, want)
			}
		}
		if got := theirs.Metadata().Object("language_info").Text("name"); got != "go" {
			t.Errorf("language %q", got)
		}
	}
	t.Run("nbclient", func(t *testing.T) {
		out := filepath.Join(dir, "nbclient.ipynb")
		jupytertest.Python(t, `
import sys, nbformat, nbclient
nb = nbformat.read(sys.argv[1], nbformat.NO_CONVERT)
nbclient.NotebookClient(nb, coalesce_streams=True).execute()
nbformat.validate(nb)
nbformat.write(nb, sys.argv[2])`, in, out)
		same(t, out, 5)
	})
	t.Run("nbconvert", func(t *testing.T) {
		python := jupytertest.Bin(t, "python")
		jupytertest.Run(t, nil, python, "-m", "nbconvert", "--execute", "--to", "notebook", "--ClearMetadataPreprocessor.enabled=False", "--output", "nbconvert.ipynb", in)
		back, err := notebook.Read(filepath.Join(dir, "nbconvert.ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		if got := said(back.Cells[4]); got != "execute_result:6" {
			t.Error(got)
		}
		page := jupytertest.Run(t, nil, python, "-m", "nbconvert", "--to", "html", "--stdout", filepath.Join(dir, "nbconvert.ipynb"))
		if !strings.Contains(page, `highlight hl-go"`) {
			t.Error("nbconvert does not highlight it as Go")
		}
	})
	t.Run("papermill", func(t *testing.T) {
		translator := installTranslator(t)
		out := filepath.Join(dir, "papermill.ipynb")
		python := jupytertest.Bin(t, "python")
		jupytertest.Run(t, translator, python, "-m", "papermill", "--no-progress-bar", in, out, "-p", "rate", "1", "-p", "epochs", "4")
		back, err := notebook.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Cells[2].Source(); got != "// Parameters\nvar rate float64 = 1.0\nvar epochs int = 4\n" || !back.Cells[2].Tagged("injected-parameters") {
			t.Errorf("injected %q", got)
		}
		if got := said(back.Cells[3]) + said(back.Cells[5]); got != "stdout:4 0.5\nexecute_result:8" {
			t.Error(got)
		}
		_, err = jupytertest.Try(t, translator, python, "-m", "papermill", "--no-progress-bar", in, out, "-p", "rat", "1")
		if err == nil || !strings.Contains(err.Error(), "no parameter 'rat'; allowed: epochs int, rate float64") {
			t.Errorf("a wrong name: %v", err)
		}
		// A notebook that papermill has run can be resumed and checked by us, and the other way round.
		if err := runner.Run(t.Context(), back.Clone(), runner.Options{Kernel: runner.Spec{Argv: []string{"/no/such"}}, Previous: back}); err != nil {
			t.Errorf("papermill's cells count as done: %v", err)
		}
	})
	t.Run("nbval", func(t *testing.T) {
		done := filepath.Join(dir, "done.ipynb")
		if err := ours.Write(done); err != nil {
			t.Fatal(err)
		}
		python := jupytertest.Bin(t, "python")
		jupytertest.Run(t, nil, python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--nbval", done)
		if err := os.WriteFile(done, []byte(strings.Replace(string(ours.Bytes()), `"3 0.0005\n"`, `"3 0.5\n"`, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := jupytertest.Try(t, nil, python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--nbval", done); err == nil || !strings.Contains(out, "0.0005") {
			t.Errorf("nbval saw no difference: %v\n%s", err, out)
		}
	})
}

// installTranslator installs papermill's translator for Go as users do, into a
// folder of the test's own, and returns the environment that finds it.
func installTranslator(t *testing.T) []string {
	t.Helper()
	root, err := jupytertest.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, target := filepath.Join(t.TempDir(), "papermill"), t.TempDir()
	if err := os.CopyFS(source, os.DirFS(filepath.Join(root, "kernel", "papermill"))); err != nil { // pip builds in place
		t.Fatal(err)
	}
	jupytertest.Run(t, nil, jupytertest.Bin(t, "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index", "--no-build-isolation", "--no-deps", "--target", target, source)
	return []string{"PYTHONPATH=" + target}
}

// The translator keeps the rules of patchlab's own parameters: the same types
// are seen, the same values taken, the same refused.
func TestTranslatorAgrees(t *testing.T) {
	root, err := jupytertest.Root()
	if err != nil {
		t.Fatal(err)
	}
	out, err := jupytertest.Try(t, []string{"PYTHONPATH=" + filepath.Join(root, "kernel", "papermill"), "PYTHONDONTWRITEBYTECODE=1"},
		jupytertest.Bin(t, "python"), filepath.Join("testdata", "translator.py"))
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
