package export_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
	"patchlab/kernel/notebook/ordered"
)

// Whatever a cell says, the page is whole and runs nothing.
func FuzzPage(f *testing.F) {
	for _, s := range []string{text, "$\\frac{", "$$\\begin{pmatrix}1&2\\\\3\\end{pmatrix}$$", "</section></main><script>x</script>", "```\n$x$", "<svg><script>x</script><style><img src=x onerror=y>", "<template><script>x</script></template>", "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>"} {
		f.Add(s, "\x1b[1m"+s)
	}
	f.Fuzz(func(t *testing.T, markdown, output string) {
		n := notebook.New("patchlab", "Patchlab (Go)", "go")
		n.Insert(0, notebook.NewCell(notebook.Markdown, markdown))
		n.Insert(1, notebook.NewCell(notebook.Code, output))
		n.Cells[1].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", output), data(t, `{"text/html": `+quoted(output)+`}`)})
		var b bytes.Buffer
		if err := export.HTML(&b, n, export.Options{}); err != nil {
			t.Skip(err)
		}
		if problem := unsafe(b.String()); problem != "" {
			t.Errorf("%q, %q: %s", markdown, output, problem)
		}
	})
}

func quoted(s string) string {
	return string(ordered.String(s))
}

// unsafe says what a page runs, by the parser of a browser.
func unsafe(page string) string {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return err.Error()
	}
	problem, sections := "", 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "iframe", "object", "embed", "base", "link", "form":
			problem = "<" + n.Data + ">"
		case "section":
			if n.Parent.Data == "main" {
				sections++
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				problem = a.Key
			}
		}
	}
	if problem == "" && sections != 2 {
		problem = "the cells are not where they belong"
	}
	return problem
}
