package course_test

import (
	"fmt"
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

// names are the six sections.
func names() []string {
	return []string{"01-introduction", "02-vit", "03-visualizing-attention", "04-mlp-mixer", "05-hybrid-mixer-vit", "06-convmixer"}
}

// read reads a section as students get it.
func read(t *testing.T, name string) *notebook.Notebook {
	t.Helper()
	return open(t, filepath.Join("..", name+".ipynb"))
}

// answers reads a section with its solutions.
func answers(t *testing.T, name string) *notebook.Notebook {
	t.Helper()
	return open(t, filepath.Join("..", "answers", name, name+".ipynb"))
}

func open(t *testing.T, file string) *notebook.Notebook {
	t.Helper()
	n, err := notebook.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// parameters makes a notebook one that runs in half a minute.
func parameters(t *testing.T, n *notebook.Notebook) {
	t.Helper()
	for i := range n.Cells {
		if n.Cells[i].Tagged("parameters") {
			text := "var (\n\tdata = \"shapes\"\n\timages = 200\n\tepochs = 1\n\tseeds = 1\n)"
			if strings.Contains(n.Cells[i].Source(), "longest") {
				text = "var (\n\tsteps = 60\n\tlongest = 4\n\tseeds = 2\n)"
			}
			n.Cells[i].SetSource(text)
			return
		}
	}
	t.Fatal("no cell has the tag parameters")
}

// answered puts, after each check of a student's notebook, the answers to it and
// the check again, which must now hold.
func answered(t *testing.T, student, solved *notebook.Notebook) {
	t.Helper()
	var all, pending []*notebook.Cell
	for i, c := range student.Cells {
		all = append(all, c)
		solution := solved.Cells[i].Clone()
		switch {
		case c.Tagged("exercise"):
			pending = append(pending, solution)
		case c.Tagged("check"):
			solution.Metadata().Delete("tags") // an error is an error
			for k, added := range append(pending, solution) {
				added.SetID(fmt.Sprintf("%s-answer-%d", c.ID(), k))
				all = append(all, added)
			}
			pending = nil
		}
	}
	student.Cells = all
}

// TestNotebooks runs the six sections from start to end and checks what they
// state. Each exercise is met unanswered, and then with its answer.
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
		right    int // checks that hold with the answers
		pictures int
	}{
		"01-introduction":          {[]string{"weights [0.464 0.063 0.464 0.009]", "Attention provides a solution"}, 8, 2},
		"02-vit":                   {[]string{"parameters", "func (v ViT) attention(", "no positions the logits of the shuffled image differ by"}, 6, 5},
		"03-visualizing-attention": {[]string{"the rows sum to 1.0000", "alikeness"}, 7, 6},
		"04-mlp-mixer":             {[]string{"the mean of the tokens: [1.33 1.00]", "func (m Mixer) build("}, 6, 6},
		"05-hybrid-mixer-vit":      {[]string{"mixer:2,vit:1", "is the most accurate"}, 6, 5},
		"06-convmixer":             {[]string{"func (c ConvMixer) build(", "is the most accurate"}, 5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATCHLAB_DB", filepath.Join(t.TempDir(), "lab.db"))
			n := read(t, name)
			parameters(t, n)
			answered(t, n, answers(t, name))
			if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec}); err != nil {
				t.Fatal(err)
			}
			said, pictures := outputs(t, n)
			for _, text := range append(want.says, "not yet. Write your answer") {
				if !strings.Contains(said, text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if right := strings.Count(said, ": right."); right < want.right {
				t.Errorf("%d checks hold with the answers, want %d or more", right, want.right)
			}
			if pictures < want.pictures {
				t.Errorf("it shows %d pictures, want %d or more", pictures, want.pictures)
			}
		})
	}
}

// TestCommittedOutputs: what readers see was made by a whole run, tells of no
// machine, and is not heavy.
func TestCommittedOutputs(t *testing.T) {
	for _, name := range names() {
		content, err := os.ReadFile(filepath.Join("..", name+".ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 1_500_000 {
			t.Errorf("%s has %d bytes, at most 1.5 MB are allowed", name, len(content))
		}
		for _, word := range []string{"/tmp/", "/root/", "/home/", "/work/"} {
			if strings.Contains(string(content), word) {
				t.Errorf("%s tells of a machine: %s", name, word)
			}
		}
		n := read(t, name)
		if _, pictures := outputs(t, n); pictures == 0 {
			t.Errorf("%s has no pictures: run it and keep its outputs", name)
		}
		for _, c := range n.Cells {
			if c.Kind() == notebook.Code && c.Count() == 0 {
				t.Errorf("%s: cell %s has not been executed", name, c.ID())
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
