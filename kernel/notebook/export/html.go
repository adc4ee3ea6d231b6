package export

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
	format "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"

	"patchlab/kernel/notebook"
)

//go:embed style.css
var css string

// Options say how a notebook is exported.
type Options struct {
	Title   string // of the page; "" takes the first heading
	Dir     string // where files are that Markdown cells show; "" leaves them out
	Scripts bool   // let scripts of HTML outputs stay
}

// page is a page under construction.
type page struct {
	Options
	b       strings.Builder
	lexer   chroma.Lexer
	dropped bool // whether scripts were
}

// HTML writes the notebook as a page.
func HTML(w io.Writer, n *notebook.Notebook, o Options) error {
	p := &page{Options: o, lexer: lexers.Get(n.Language())}
	if p.lexer == nil {
		p.lexer = lexers.Fallback
	}
	if p.Title == "" {
		p.Title = title(n)
	}
	for i, c := range n.Cells {
		if err := p.cell(c); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	script := "'none'"
	if o.Scripts {
		script = "'unsafe-inline' 'unsafe-eval' data: blob:"
	}
	colours, err := highlighting()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; media-src data:; font-src data:; script-src %s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="patchlab notebook export">
<title>%s</title>
<style>
%s%s</style>
</head>
<body>
<main>
%s</main>
</body>
</html>
`, script, html.EscapeString(p.Title), css, colours, p.b.String())
	return err
}

// title is the text of the first heading.
func title(n *notebook.Notebook) string {
	for _, c := range n.Cells {
		if c.Kind() != notebook.Markdown {
			continue
		}
		for line := range strings.Lines(c.Source()) {
			if text := strings.TrimLeft(line, "#"); text != line && strings.HasPrefix(text, " ") {
				return strings.TrimSpace(strings.NewReplacer("*", "", "`", "", "_", " ").Replace(text))
			}
		}
	}
	return "Notebook"
}

// highlighting is the style sheet of highlighted code, light and dark. Each is
// whole: what one style leaves to the text's colour the other may not colour.
func highlighting() (string, error) {
	formatter := format.New(format.WithClasses(true))
	var b bytes.Buffer
	for _, sheet := range [][2]string{{"print, (prefers-color-scheme: light)", "github"}, {"screen and (prefers-color-scheme: dark)", "github-dark"}} {
		fmt.Fprintf(&b, "@media %s {\n", sheet[0])
		if err := formatter.WriteCSS(&b, styles.Get(sheet[1])); err != nil {
			return "", fmt.Errorf("writing the style %s: %w", sheet[1], err)
		}
		b.WriteString("}\n")
	}
	return b.String(), nil
}

// tagged says whether a cell has one of the tags, with - or _ in it.
func tagged(c *notebook.Cell, tag string) bool {
	return c.Tagged(tag) || c.Tagged(strings.ReplaceAll(tag, "-", "_"))
}

func flagged(c *notebook.Cell, flag string) bool {
	jupyter := c.Metadata().Object("jupyter")
	return jupyter != nil && fmt.Sprint(jupyter.Get(flag)) == "true"
}

func (p *page) cell(c *notebook.Cell) error {
	if tagged(c, "remove-cell") {
		return nil
	}
	fmt.Fprintf(&p.b, "<section class=\"cell %s\" id=\"cell-%s\">\n", c.Kind(), html.EscapeString(c.ID()))
	defer p.b.WriteString("</section>\n")
	switch c.Kind() {
	case notebook.Markdown:
		text, err := p.markdown(c.Source(), c)
		p.b.WriteString(text)
		return err
	case notebook.Raw:
		fmt.Fprintf(&p.b, "<pre>%s</pre>\n", html.EscapeString(c.Source()))
		return nil
	}
	if source := strings.TrimRight(c.Source(), "\n"); source != "" && !tagged(c, "remove-input") {
		end := p.fold(tagged(c, "hide-input") || flagged(c, "source_hidden"), "Code")
		if err := p.code(source, c.Count()); err != nil {
			return err
		}
		p.b.WriteString(end)
	}
	if len(c.Outputs()) == 0 || tagged(c, "remove-output") {
		return nil
	}
	end := p.fold(tagged(c, "hide-output") || flagged(c, "outputs_hidden"), "Output")
	for _, o := range c.Outputs() {
		if err := p.output(o); err != nil {
			return err
		}
	}
	p.b.WriteString(end)
	return nil
}

// fold begins a part that the reader opens, where it is to be hidden, and returns
// its end.
func (p *page) fold(hidden bool, name string) string {
	if !hidden {
		return ""
	}
	fmt.Fprintf(&p.b, "<details><summary>%s</summary>\n", name)
	return "</details>\n"
}

// code writes highlighted code with its prompt.
func (p *page) code(source string, count int) error {
	tokens, err := p.lexer.Tokenise(nil, source)
	if err != nil {
		return fmt.Errorf("highlighting: %w", err)
	}
	prompt := " "
	if count > 0 {
		prompt = fmt.Sprint(count)
	}
	fmt.Fprintf(&p.b, "<div class=\"input\"><div class=\"prompt\" aria-hidden=\"true\">[%s]</div>", prompt)
	if err := format.New(format.WithClasses(true)).Format(&p.b, styles.Get("github"), tokens); err != nil {
		return fmt.Errorf("highlighting: %w", err)
	}
	p.b.WriteString("</div>\n")
	return nil
}

// preferred are the types that the page can show, the best first, in nbconvert's
// order but that pictures which need no scripts come before what does.
var preferred = []string{"text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "application/json"}

func (p *page) output(o *notebook.Output) error {
	switch o.Type() {
	case notebook.Stream:
		fmt.Fprintf(&p.b, "<pre class=\"output %s\">%s</pre>\n", html.EscapeString(o.Name()), ansi(o.Text()))
		return nil
	case notebook.Error:
		name, value, trace := o.Failure()
		text := strings.Join(trace, "\n")
		if strings.TrimSpace(text) == "" {
			text = name + ": " + value
		}
		fmt.Fprintf(&p.b, "<pre class=\"output error\">%s</pre>\n", ansi(text))
		return nil
	}
	types := preferred
	if text, ok := o.MIME("text/html"); ok && !p.Scripts && strings.Contains(strings.ToLower(text), "<script") {
		types = append(slices.DeleteFunc(slices.Clone(preferred), func(t string) bool { return t == "text/html" || t == "text/plain" }), "text/html", "text/plain")
	}
	for _, kind := range types {
		if text, ok := o.MIME(kind); ok {
			return p.show(o, kind, text)
		}
	}
	if kinds := o.MIMEs(); len(kinds) > 0 {
		fmt.Fprintf(&p.b, "<p class=\"output note\">(an output of type %s, which a page can't show)</p>\n", html.EscapeString(strings.Join(kinds, ", ")))
	}
	return nil
}

// show writes an output in one of the preferred types.
func (p *page) show(o *notebook.Output, kind, text string) error {
	var err error
	switch {
	case kind == "text/html":
		p.dropped = false
		text, err = p.tidy(text, nil)
		if p.dropped {
			text += `<p class="note">(A script was left out here.)</p>`
		}
		text = `<div class="output html">` + text + "</div>\n"
	case kind == "text/markdown":
		text, err = p.markdown(text, nil)
		text = `<div class="output">` + text + "</div>\n"
	case kind == "text/latex":
		text, err = p.tidy(latex(text), nil)
		text = `<div class="output">` + text + "</div>\n"
	case kind == "image/svg+xml": // as a picture it runs no scripts and keeps its styles to itself
		text = p.img(o, kind, dataURI(kind, base64.StdEncoding.EncodeToString([]byte(text))))
	case strings.HasPrefix(kind, "image/"):
		text = p.img(o, kind, dataURI(kind, text))
	default:
		text = `<pre class="output">` + ansi(text) + "</pre>\n"
	}
	p.b.WriteString(text)
	return err
}

// img is a picture with the text that stands for it: metadata's alt, else what
// the output is as plain text.
func (p *page) img(o *notebook.Output, kind, uri string) string {
	var size strings.Builder
	for _, key := range []string{"width", "height"} {
		if v := o.MIMEMetadata(kind).Get(key); v != nil {
			fmt.Fprintf(&size, ` %s="%s"`, key, html.EscapeString(strings.Trim(fmt.Sprint(v), `"`)))
		}
	}
	return fmt.Sprintf("<div class=\"output\"><img alt=\"%s\"%s src=\"%s\"></div>\n", html.EscapeString(alt(o, kind)), size.String(), html.EscapeString(uri))
}

// alt is the text that stands for a picture.
func alt(o *notebook.Output, kind string) string {
	if text := o.MIMEMetadata(kind).Text("alt"); text != "" {
		return text
	}
	if text, ok := o.MIME("text/plain"); ok && text != "" {
		return plain(text)
	}
	return "A picture that the cell above drew"
}
