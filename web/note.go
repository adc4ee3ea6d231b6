package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// renderNote turns Markdown into HTML. Raw HTML and addresses that run script
// are left out, as goldmark does unless told otherwise; the alignment of tables
// is an attribute, for the page's policy forbids inline styles.
func renderNote(markdown string) (template.HTML, error) {
	if strings.TrimSpace(markdown) == "" {
		return "", nil
	}
	renderer := goldmark.New(goldmark.WithExtensions(
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough, extension.Linkify, extension.TaskList,
	))
	var out strings.Builder
	if err := renderer.Convert([]byte(markdown), &out); err != nil {
		return "", fmt.Errorf("reading the note: %w", err)
	}
	return template.HTML(out.String()), nil
}
