package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
	"patchlab/kernel/notebook/ordered"
)

func data(t *testing.T, text string) *notebook.Output {
	t.Helper()
	v, err := ordered.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return notebook.NewData(notebook.Display, v.(*ordered.Object), nil, 0)
}

const text = "# Mixing *tokens*\n\nWith $U_i = X_i + W_2\\,\\sigma(W_1 X_i)$ it costs \\$5 or $6, and `$x_1$` is code.\n\n" +
	"$$\n\\text{softmax}\\left(\\frac{QK^\\top}{\\sqrt{d}}\\right)V\n- 1\n$$\n\n\\begin{align}\na &= b_1 \\\\\nc &= d_1\n\\end{align}\n\n" +
	"```go\nfunc f() string { return \"$a_1$\" }\n```\n\n| a | b |\n|---|---|\n| 1 | $\\nosuchcommand{x}$ |\n\n" +
	"![near](near.png) ![far](https://example.org/far.png) ![own](attachment:own.png) ![outside](../secret.png)\n\n" +
	"<div onclick=\"alert(1)\">open <b>bold\n\n<script>alert(2)</script><iframe src=\"https://example.org\"></iframe>\n\n[link](javascript:alert(3))"

func sample(t *testing.T) *notebook.Notebook {
	t.Helper()
	n, err := notebook.Parse([]byte(`{"cells": [{"cell_type": "markdown", "id": "intro", "metadata": {}, "attachments": {"own.png": {"image/png": "b3du\n"}}, "source": ""}],
		"metadata": {"kernelspec": {"name": "patchlab", "language": "go", "display_name": "Patchlab (Go)"}}, "nbformat": 4, "nbformat_minor": 5}`))
	if err != nil {
		t.Fatal(err)
	}
	n.Cells[0].SetSource(text)
	add := func(source string, tags []string, outputs ...*notebook.Output) {
		c := notebook.NewCell(notebook.Code, source, tags...)
		c.SetOutputs(outputs)
		c.SetCount(len(n.Cells))
		n.Insert(len(n.Cells), c)
	}
	add("import \"fmt\"\n\n%%\nfmt.Println(\"<hello>\")", nil, notebook.NewStream("stdout", "<hello>\x1b[1;31mred\x1b[0m\x1b[38;5;208mx\x1b[0m\x1b]0;title\x07\n"))
	add("%%\nshow()", nil, data(t, `{"image/png": "aGVsbG8=\n", "text/plain": "a \"figure\""}`), data(t, `{"image/svg+xml": "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script></svg>"}`))
	add("%%\nmore()", nil, data(t, `{"text/html": "<table><tr><td>open<script>alert(4)</script>", "text/plain": "t"}`),
		data(t, `{"text/html": "<div id=p></div><script>plot()</script>", "image/png": "c3RhdGlj"}`), data(t, `{"text/latex": "$\\alpha$"}`), data(t, `{"text/markdown": "*m*"}`), data(t, `{"application/x-odd": 1}`))
	add("%%\nfail()", []string{"hide-input"}, notebook.NewError("panic", "oh", []string{"\x1b[31mpanic\x1b[0m: oh"}))
	add("secret()", []string{"remove_cell"})
	add("hidden()", []string{"remove-input"}, notebook.NewStream("stdout", "seen\n"))
	return n
}

func page(t *testing.T, o export.Options) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "near.png"), []byte("near"), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Dir = dir
	var b bytes.Buffer
	if err := export.HTML(&b, sample(t), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	got := page(t, export.Options{})
	for _, want := range []string{
		"<title>Mixing tokens</title>", `default-src 'none'`, `script-src 'none'`, "prefers-color-scheme: dark", "@media print",
		"<msub><mi>U</mi><mi>i</mi></msub>", "$6, and", "<code>$x_1$</code>", `display="block"`, "<mtext>softmax</mtext>", "<mtable", // formulas
		`<code class="tex">$\nosuchcommand{x}$</code>`, `>&#34;$a_1$&#34;</span>`,
		`<img alt="near" src="data:image/png;base64,bmVhcg=="/>`, `<a href="https://example.org/far.png">far</a>`, `<img alt="own" src="data:image/png;base64,b3du"/>`,
		`>Println</span>`, `&lt;hello&gt;<span class="ansi-bold ansi-fg-1">red</span><span class="" style="color:rgb(255,135,0);">x</span>`,
		`<img alt="a &#34;figure&#34;" src="data:image/png;base64,aGVsbG8=">`, "data:image/svg+xml;base64,", "<td>open</td>", "A script was left out",
		`src="data:image/png;base64,c3RhdGlj"`, "<mi>α</mi>", "<em>m</em>", "(an output of type application/x-odd", "<details><summary>Code</summary>",
		`<span class="ansi-fg-1">panic</span>: oh`, "seen", "[1]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, bad := range []string{"<script", "<iframe", "onclick", "javascript:", "secret()", "hidden()", "\x1b", "\x07", "title\x07", "/secret.png\"/>x"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is there", bad)
		}
	}
	if m := regexp.MustCompile(`(?:src|srcset|href|url\()=?"?(https?:)?//[^"]*`).FindAllString(strings.ReplaceAll(got, `<a href="https://example.org/far.png">`, ""), -1); len(m) > 0 {
		t.Errorf("loads %v", m)
	}
	again := page(t, export.Options{})
	for i := range got {
		if i >= len(again) || again[i] != got[i] {
			t.Errorf("a second export differs at %q", got[i:min(len(got), i+200)])
			break
		}
	}
	if errs := balance(got); errs != "" {
		t.Error(errs)
	}
	with := page(t, export.Options{Scripts: true})
	if !strings.Contains(with, "plot()") || !strings.Contains(with, `script-src 'unsafe-inline'`) || !strings.Contains(with, "default-src 'none'") || strings.Contains(with, "<iframe") {
		t.Error("scripts were asked for")
	}
}

// balance says which element is closed by another's end.
func balance(page string) string {
	var open []string
	void := map[string]bool{"meta": true, "img": true, "br": true, "hr": true, "input": true}
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(open, " ")
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return "</" + string(name) + "> closes " + strings.Join(open, " ")
			}
			open = open[:len(open)-1]
		}
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := export.Markdown(&b, sample(t), export.Options{}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"# Mixing *tokens*\n", "![own](data:image/png;base64,b3du)", "\n```go\nimport \"fmt\"\n\n%%\nfmt.Println(\"<hello>\")\n```\n", "\n```text\n<hello>redx\n```\n",
		"![a &#34;figure&#34;](data:image/png;base64,aGVsbG8=)", "<td>open</td>", "```text\npanic: oh\n```", "$\\alpha$",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if _, code, _ := strings.Cut(got, "```go\nimport"); strings.Contains(code, "<script") || strings.Contains(code, "secret") {
		t.Error(code)
	}
}

// The program is compiled and run.
func TestGoProgramRuns(t *testing.T) {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	for i, source := range []string{
		"!*go get example.com/x\nimport (\n\t\"fmt\"\n\tm \"math\"\n\t\"os\"\n)",
		"// Size is a size.\nvar size = 2\n\nconst (\n\tA = iota\n\tB\n)\n\ntype T struct{ a int }\n\nfunc (t T) Get() int { return t.a }\n\nfunc init_size() { size++ }",
		"func twice(x int) int { return x + x }",
		"// twice, better\nfunc twice(x int) int { return 2 * x }\n\n%%\nx := twice(size)\nfmt.Println(x, m.Sqrt(16), B)",
		"import \"fmt\"\n\nfunc main() {\n\tx := T{7}\n\tfmt.Println(x.Get(), strings.ToUpper(\"missing import\"))\n\tif x.a > 0 {\n\t\treturn\n\t}\n}",
		"%%\nfmt.Println(*name)",
		"var name = flag.String(\"name\", \"world\", \"\")",
		"%%bash\nls",
		"z := 4\nz * z",
		"len(\"four\")",
	} {
		n.Insert(i, notebook.NewCell(notebook.Code, source))
	}
	n.Insert(2, notebook.NewCell(notebook.Markdown, "## A title\n\nand text"))
	var b bytes.Buffer
	if err := export.Go(&b, n); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n\ngo 1.24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "6 4 1\n7 MISSING IMPORT\nworld\n16\n4\n" {
		t.Errorf("%v\n%s\n%s", err, out, b.Bytes())
	}
	for _, want := range []string{"// Size is a size.", "// twice, better", "// ## A title\n//\n// and text", "// !*go get example.com/x"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "func twice") != 1 {
		t.Error("twice is there twice")
	}
	if err := export.Go(&b, notebook.New("python3", "Python", "python")); err == nil || !strings.Contains(err.Error(), `"python"; allowed: go`) {
		t.Error(err)
	}
	n.Insert(0, notebook.NewCell(notebook.Code, "func ("))
	if err := export.Go(&b, n); err == nil || !strings.HasPrefix(err.Error(), "cell 1 of the notebook: line 1:") {
		t.Error(err)
	}
}
