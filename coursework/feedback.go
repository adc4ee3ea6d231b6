package coursework

import (
	"bytes"
	_ "embed"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	texttemplate "text/template"

	"patchlab/save"
)

//go:embed feedback.html
var feedbackHTML string

//go:embed feedback.md
var feedbackMarkdown string

var (
	feedbackPage = template.Must(template.New("feedback").Parse(feedbackHTML))
	feedbackText = texttemplate.Must(texttemplate.New("feedback").Funcs(texttemplate.FuncMap{"md": markdown}).Parse(feedbackMarkdown))
)

// feedback is what the templates show. What was shared with others is the
// teacher's to speak of, and is not in it.
type feedback struct {
	Assignment Assignment
	Grade
	Rows []feedbackRow
}

type feedbackRow struct {
	Run     Run
	Claims  []string
	Checked *Checked // nil where the run was not in the sample
}

// writeFeedback writes ASSIGNMENT.md and ASSIGNMENT.html for a student.
func (c *Course) writeFeedback(a Assignment, g Grade) error {
	f := feedback{Assignment: a, Grade: g}
	for _, r := range g.Runs {
		row := feedbackRow{Run: r}
		for _, claim := range a.Claims {
			row.Claims = append(row.Claims, r.Claim(claim))
		}
		for i := range g.Checked {
			if g.Checked[i].Run.ID == r.ID {
				row.Checked = &g.Checked[i]
			}
		}
		f.Rows = append(f.Rows, row)
	}
	dir := c.path(feedbackFolder, g.Student)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text, page bytes.Buffer
	if err := feedbackText.Execute(&text, f); err != nil {
		return err
	}
	if err := feedbackPage.Execute(&page, f); err != nil {
		return err
	}
	if err := save.Bytes(filepath.Join(dir, a.Name+".md"), text.Bytes()); err != nil {
		return err
	}
	return save.Bytes(filepath.Join(dir, a.Name+".html"), page.Bytes())
}

// markdown keeps a text that a student chose from being taken for Markdown.
func markdown(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			r = ' '
		case strings.ContainsRune("\\`*_[]<>#|~&", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
