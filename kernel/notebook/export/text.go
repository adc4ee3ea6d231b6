package export

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"

	"patchlab/kernel/notebook"
)

// Markdown writes the notebook as one Markdown file: Markdown cells as they are,
// code in fences, outputs as text, pictures inlined. HTML outputs stay, without
// scripts unless they are wanted.
func Markdown(w io.Writer, n *notebook.Notebook, o Options) error {
	p := &page{Options: o}
	for i, c := range n.Cells {
		if tagged(c, "remove-cell") {
			continue
		}
		var parts []string
		switch c.Kind() {
		case notebook.Markdown:
			parts = append(parts, p.attached(c))
		case notebook.Raw:
			parts = append(parts, c.Source())
		default:
			if source := strings.TrimRight(c.Source(), "\n"); source != "" && !tagged(c, "remove-input") {
				parts = append(parts, fence(source, n.Language()))
			}
			if tagged(c, "remove-output") {
				break
			}
			for _, o := range c.Outputs() {
				text, err := p.text(o)
				if err != nil {
					return fmt.Errorf("cell %d: %w", i+1, err)
				}
				parts = append(parts, text)
			}
		}
		for _, part := range parts {
			if part = strings.Trim(part, "\n"); part == "" {
				continue
			}
			if p.b.Len() > 0 {
				p.b.WriteString("\n")
			}
			p.b.WriteString(part + "\n")
		}
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// fence puts text into a fence that is longer than any in it.
func fence(text, language string) string {
	marks := "```"
	for strings.Contains(text, marks) {
		marks += "`"
	}
	return marks + language + "\n" + strings.TrimRight(text, "\n") + "\n" + marks
}

var attachment = regexp.MustCompile(`attachment:([^)\s"'>]+)`)

// attached is a Markdown cell's text with its attachments in it.
func (p *page) attached(c *notebook.Cell) string {
	return attachment.ReplaceAllStringFunc(c.Source(), func(ref string) string {
		if kind, text, ok := c.Attachment(strings.TrimPrefix(ref, "attachment:")); ok {
			return dataURI(kind, text)
		}
		return ref
	})
}

// text is an output as Markdown.
func (p *page) text(o *notebook.Output) (string, error) {
	switch o.Type() {
	case notebook.Stream:
		return fence(plain(o.Text()), "text"), nil
	case notebook.Error:
		name, value, trace := o.Failure()
		text := strings.Join(trace, "\n")
		if strings.TrimSpace(text) == "" {
			text = name + ": " + value
		}
		return fence(plain(text), "text"), nil
	}
	for _, kind := range []string{"text/markdown", "text/html", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "application/json"} {
		content, ok := o.MIME(kind)
		if !ok {
			continue
		}
		picture := func(uri string) (string, error) {
			words := strings.Join(strings.Fields(strings.NewReplacer("[", "(", "]", ")").Replace(alt(o, kind))), " ")
			return "![" + html.EscapeString(words) + "](" + uri + ")", nil
		}
		switch {
		case kind == "text/markdown" || kind == "text/latex":
			return content, nil
		case kind == "text/html":
			return p.tidy(content, nil)
		case kind == "image/svg+xml":
			return picture(dataURI(kind, base64.StdEncoding.EncodeToString([]byte(content))))
		case strings.HasPrefix(kind, "image/"):
			return picture(dataURI(kind, content))
		}
		return fence(plain(content), "text"), nil
	}
	return "", nil
}
