package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"patchlab/compare"
)

// DiffFormats lists the formats in which two runs are set side by side.
func DiffFormats() []Format { return []Format{Text, Markdown, JSON} }

// WriteDiff writes the difference of two runs in one of DiffFormats.
func WriteDiff(w io.Writer, format Format, d *compare.Diff, o Options) error {
	switch format {
	case Text:
		return writeDiffText(w, d, o)
	case Markdown:
		return writeDiffMarkdown(w, d)
	case JSON:
		return writeJSON(w, d)
	}
	return fmt.Errorf("no format %q for two runs; there are table, markdown, json", format)
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// section is a titled table of a difference.
type section struct {
	title string
	grid  grid
}

// sections are the parts in which the runs differ; parts alike are left out.
func sections(d *compare.Diff) []section {
	var out []section
	for _, part := range []struct {
		title   string
		changes []compare.Change
	}{
		{"Parameters", d.Params}, {"Recipe", d.Recipe}, {"Code", d.Code}, {"Environment", d.Environment}, {"Data", d.Data},
	} {
		if len(part.changes) == 0 {
			continue
		}
		g := grid{{"", "A", "B"}}
		for _, c := range part.changes {
			g = append(g, []string{c.Key, orNone(c.A), orNone(c.B)})
		}
		out = append(out, section{part.title, g})
	}
	if len(d.Results) > 0 {
		g := grid{{"", "A", "B", "B − A"}}
		for _, r := range d.Results {
			difference := "same"
			if !r.Same {
				difference = short(float64(r.Diff))
			}
			g = append(g, []string{r.Key, short(float64(r.A)), short(float64(r.B)), difference})
		}
		out = append(out, section{"Results", g})
	}
	if len(d.Curves) > 0 {
		g := grid{{"", "common steps", "part at step", "largest difference", "at step"}}
		for _, c := range d.Curves {
			line := []string{c.Key, fmt.Sprint(c.Common), "never", "0", none}
			if c.First != nil {
				line = []string{c.Key, fmt.Sprint(c.Common), fmt.Sprint(*c.First), short(float64(c.Largest)), fmt.Sprint(c.At)}
			}
			g = append(g, line)
		}
		out = append(out, section{"Curves", g})
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// short writes a number with six digits.
func short(v float64) string {
	if math.IsNaN(v) {
		return none
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// answered says what the stored predictions show; "" without them.
func answered(d *compare.Diff) string {
	p := d.Predictions
	if p == nil {
		return ""
	}
	how := "no difference is shown"
	if p.Verdict != compare.NotShown {
		how = fmt.Sprintf("A is shown %s", p.Verdict)
	}
	return fmt.Sprintf("On the same test images A is %s points from B, %s (%s, p = %s): %s. %s.",
		signed(100*float64(p.Difference), 2), pointInterval(*p), p.Test, pValue(float64(p.P)), how, p.Warnings[0])
}

func writeDiffText(out io.Writer, d *compare.Diff, o Options) error {
	w := &textWriter{Writer: bufio.NewWriter(out), width: o.Width, style: style{o.Color}}
	if w.width == 0 {
		w.width = 80
	}
	fmt.Fprintf(w, "A  %s (%s, %s)\nB  %s (%s, %s)\n\n", d.A.Name, d.A.ID, d.A.Status, d.B.Name, d.B.ID, d.B.Status)
	w.paragraph("", d.Verdict)
	for _, s := range sections(d) {
		fmt.Fprintln(w)
		w.title(s.title)
		w.grid(s.grid.narrowed(w.width))
	}
	if len(d.Patch) > 0 {
		fmt.Fprintln(w)
		w.title("Uncommitted changes, from A's to B's")
		for _, line := range d.Patch {
			fmt.Fprintln(w, line)
		}
	}
	if text := answered(d); text != "" {
		fmt.Fprintln(w)
		w.paragraph("", text)
	}
	w.warnings(d.Warnings)
	return w.Flush()
}

// narrowed shortens the widest cells until the table fits the width.
func (g grid) narrowed(width int) grid {
	most := 60
	for ; most > 8; most-- {
		total := 0
		for c := range g[0] {
			column := 0
			for _, row := range g {
				column = max(column, min(most, widest(row[c:c+1])))
			}
			total += column + 2
		}
		if total-2 <= width {
			break
		}
	}
	out := make(grid, len(g))
	for i, row := range g {
		for _, cell := range row {
			out[i] = append(out[i], shorten(cell, most))
		}
	}
	return out
}

func writeDiffMarkdown(out io.Writer, d *compare.Diff) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "## %s and %s\n\nA: %s (%s). B: %s (%s).\n\n%s\n", escapeMarkdown(d.A.Name), escapeMarkdown(d.B.Name),
		d.A.ID, d.A.Status, d.B.ID, d.B.Status, escapeMarkdown(d.Verdict))
	for _, s := range sections(d) {
		fmt.Fprintf(w, "\n### %s\n\n", s.title)
		markdownTable(w, s.grid)
	}
	if len(d.Patch) > 0 {
		fmt.Fprintf(w, "\n### Uncommitted changes, from A's to B's\n\n")
		for _, line := range d.Patch {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	if text := answered(d); text != "" {
		fmt.Fprintf(w, "\n%s\n", escapeMarkdown(text))
	}
	markdownWarnings(w, d.Warnings)
	return w.Flush()
}
