package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// golang installs Patchlab's own kernel into a folder of the test's own, where
// every Jupyter program then finds it and nothing else but Python's.
func golang(t *testing.T) runner.Spec {
	t.Helper()
	if testing.Short() {
		t.Skip("building and installing the Go kernel takes long")
	}
	prefix := filepath.Dir(filepath.Dir(jupytertest.Bin(t, "python")))
	t.Setenv("JUPYTER_PATH", strings.Join([]string{jupytertest.InstallKernel(t), filepath.Join(prefix, "share", "jupyter")}, string(filepath.ListSeparator)))
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	spec, err := runner.Find("patchlab")
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// goNotebook has a cell with parameters, one that declares and prints, one that
// draws, and one whose last expression is its value.
func goNotebook() *notebook.Notebook {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Metadata().Sub("language_info")
	n.Metadata().Delete("language_info")
	n.Insert(0, notebook.NewCell(notebook.Markdown, "# Training"))
	n.Insert(1, notebook.NewCell(notebook.Code, "var (\n\tepochs = 3\n\trate   = 1e-3\n)", "parameters"))
	n.Insert(2, notebook.NewCell(notebook.Code, "import \"fmt\"\n\nfunc half() float64 { return rate / 2 }\n\n%%\nfmt.Println(epochs, half())"))
	n.Insert(3, notebook.NewCell(notebook.Code, "%%\nfmt.Println(\"a\")\nfmt.Println(\"b\")"))
	n.Insert(4, notebook.NewCell(notebook.Code, "epochs * 2"))
	n.Upgrade()
	return n
}

func TestGoNotebook(t *testing.T) {
	spec := golang(t)
	t.Run("run", func(t *testing.T) {
		n := goNotebook()
		if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"", "", "stdout:3 0.0005\n", "stdout:a\nb\n", "execute_result:6"} {
			if got := said(n.Cells[i]); got != want || i > 0 && n.Cells[i].Count() != i {
				t.Errorf("cell %d: [%d] %q, want %q", i, n.Cells[i].Count(), got, want)
			}
		}
	})
	t.Run("resume", func(t *testing.T) { resumeGo(t, spec) })
	t.Run("interrupt", func(t *testing.T) {
		flag := filepath.Join(t.TempDir(), "flag")
		n := notebook.New("patchlab", "Patchlab (Go)", "go")
		n.Insert(0, notebook.NewCell(notebook.Code, "%%\nif err := os.WriteFile(`"+flag+"`, nil, 0o600); err != nil {\n\tpanic(err)\n}\ntime.Sleep(time.Hour)"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(flag); err == nil {
					cancel()
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		err := runner.Run(ctx, n, runner.Options{Kernel: spec, Start: runner.StartOptions{Grace: time.Minute}})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "killed") {
			t.Error(err)
		}
	})
	t.Run("clients", func(t *testing.T) { clients(t, spec) })
	t.Run("nbgrader", grading)
}

// resumeGo fails in the third cell, which is mended; the first, which leaves a
// trace of each time that it runs, must not run again, and what it declares must
// be known nevertheless.
func resumeGo(t *testing.T, spec runner.Spec) {
	trace := filepath.Join(t.TempDir(), "trace")
	out := filepath.Join(t.TempDir(), "out.ipynb")
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	for i, source := range []string{
		"import \"os\"\n\nconst trace = `" + trace + "`\n\ntype Mark struct{ Text string }\n\nfunc (m Mark) Leave() {\n\tf, err := os.OpenFile(trace, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tdefer f.Close()\n\tf.WriteString(m.Text)\n}\n\n%%\nMark{\"a\"}.Leave()\nfmt.Println(\"first\")",
		"var kept = 7\n\nfunc main() {\n\tMark{\"b\"}.Leave()\n}",
		"%%\nMark{\"c\"}.Leave()\npanic(\"broken\")",
		"%%\nfmt.Println(kept)",
	} {
		n.Insert(i, notebook.NewCell(notebook.Code, source))
	}
	mended := n.Clone()
	err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, Output: out})
	var failure *runner.CellError
	if !errors.As(err, &failure) || failure.Cell != 3 || !strings.Contains(failure.Trace(false), "broken") {
		t.Fatal(err)
	}
	mended.Cells[2].SetSource("%%\nMark{\"d\"}.Leave()\nfmt.Println(kept + 1)")
	previous, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(t.Context(), mended, runner.Options{Kernel: spec, Output: out, Previous: previous}); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(trace); err != nil || string(log) != "abcd" {
		t.Errorf("ran %s, %v", log, err)
	}
	for i, want := range []string{"stdout:first\n", "", "stdout:8\n", "stdout:7\n"} {
		if got := said(mended.Cells[i]); got != want || mended.Cells[i].Count() != i+1 {
			t.Errorf("cell %d: [%d] %q, want %q", i, mended.Cells[i].Count(), got, want)
		}
	}
}
