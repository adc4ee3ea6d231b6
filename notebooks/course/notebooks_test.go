package course_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// kernel installs Patchlab's kernel into a folder of the test's own.
func kernel(t *testing.T) runner.Spec {
	t.Helper()
	t.Setenv("JUPYTER_PATH", jupytertest.InstallKernel(t))
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	spec, err := runner.Find("patchlab")
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// parameters makes a notebook one that runs in half a minute.
func parameters(t *testing.T, n *notebook.Notebook) {
	t.Helper()
	for i := range n.Cells {
		if n.Cells[i].Tagged("parameters") {
			text := "var (\n\tdata = \"shapes\"\n\timages = 200\n\tepochs = 1\n\tseed = int64(1)\n)"
			if strings.Contains(n.Cells[i].Source(), "longest") {
				text = "var (\n\tsteps = 12\n\tlongest = 4\n\tseed = int64(1)\n)"
			}
			n.Cells[i].SetSource(text)
			return
		}
	}
	t.Fatal("no cell has the tag parameters")
}

// TestNotebooks runs the six sections from start to end and checks what they
// state.
func TestNotebooks(t *testing.T) {
	if testing.Short() {
		t.Skip("running the six notebooks takes minutes")
	}
	jupytertest.Bin(t, "python") // what the kernel's tests need is installed
	spec := kernel(t)
	t.Setenv("PATCHLAB_OFFLINE", "1")
	t.Setenv("PATCHLAB_DATA_DIR", "")
	for name, want := range map[string]struct {
		says     []string
		pictures int
	}{
		"01-introduction":          {[]string{"weights [0.464 0.063 0.464 0.009]", "exercise 1: not yet"}, 2},
		"02-vit":                   {[]string{"153681 parameters", "exercise 1: not yet", "func (v ViT) attention("}, 3},
		"03-visualizing-attention": {[]string{"four heads: test accuracy", "exercise 1: not yet"}, 6},
		"04-mlp-mixer":             {[]string{"channel 0: 1.33\nchannel 1: 1.00", "func (m Mixer) build("}, 6},
		"05-hybrid-mixer-vit":      {[]string{"mixer:2,vit:1", "is the most accurate"}, 1},
		"06-convmixer":             {[]string{"func (c ConvMixer) build(", "is the most accurate"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATCHLAB_DB", filepath.Join(t.TempDir(), "lab.db"))
			n, err := notebook.Read(filepath.Join("..", name+".ipynb"))
			if err != nil {
				t.Fatal(err)
			}
			parameters(t, n)
			if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
				t.Fatal(err)
			}
			said, pictures := outputs(t, n)
			for _, text := range want.says {
				if !strings.Contains(said, text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if pictures < want.pictures {
				t.Errorf("it shows %d pictures, want %d or more", pictures, want.pictures)
			}
		})
	}
	answers, err := filepath.Glob("../answers/*.ipynb")
	if err != nil || len(answers) != 6 {
		t.Fatalf("%d notebooks of answers (%v)", len(answers), err)
	}
	for _, file := range answers {
		t.Run("answers of "+filepath.Base(file), func(t *testing.T) {
			n, err := notebook.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
				t.Fatal(err)
			}
			if said, _ := outputs(t, n); !strings.Contains(said, ": right.") {
				t.Errorf("no exercise is answered: %q", said)
			}
		})
	}
	t.Run("nbclient", func(t *testing.T) {
		n, err := notebook.Read(filepath.Join("..", "01-introduction.ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		parameters(t, n)
		path := filepath.Join(t.TempDir(), "01.ipynb")
		if err := n.Write(path); err != nil {
			t.Fatal(err)
		}
		jupytertest.Python(t, `
import sys, nbformat, nbclient
nb = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(nb, timeout=240, kernel_name="patchlab").execute()
assert any("image/png" in o.get("data", {}) for c in nb.cells if c.cell_type == "code" for o in c.outputs)
`, path)
	})
}

// TestCommittedOutputs: what readers see was made by a whole run, tells of no
// machine, and is not heavy.
func TestCommittedOutputs(t *testing.T) {
	files, err := filepath.Glob("../0*.ipynb") // answers show no pictures
	if err != nil || len(files) != 6 {
		t.Fatalf("%d notebooks (%v)", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 1_500_000 {
			t.Errorf("%s has %d bytes, at most 1.5 MB are allowed", file, len(content))
		}
		for _, word := range []string{"/tmp/", "/root/", "/home/", "/work/"} {
			if strings.Contains(string(content), word) {
				t.Errorf("%s tells of a machine: %s", file, word)
			}
		}
		n, err := notebook.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, pictures := outputs(t, n); pictures == 0 {
			t.Errorf("%s has no pictures: run it and keep its outputs", file)
		}
		for _, c := range n.Cells {
			if c.Kind() == notebook.Code && strings.Count(c.Source(), "\n") >= 16 {
				t.Errorf("%s: cell %s has more than 16 lines", file, c.ID())
			}
		}
	}
}

// outputs is the text that a notebook shows, and the number of its pictures.
// Errors are allowed only where a cell expects them.
func outputs(t *testing.T, n *notebook.Notebook) (said string, pictures int) {
	t.Helper()
	var text strings.Builder
	for _, c := range n.Cells {
		for _, o := range c.Outputs() {
			text.WriteString(o.Text())
			if o.Type() == notebook.Error && !c.Tagged("raises-exception") {
				name, value, _ := o.Failure()
				t.Errorf("cell %s ends with %s: %s", c.ID(), name, value)
			}
			for _, mime := range []string{"text/plain", "text/markdown"} {
				content, _ := o.MIME(mime)
				text.WriteString(content)
			}
			if _, ok := o.MIME("image/png"); ok {
				pictures++
			}
		}
	}
	return text.String(), pictures
}
