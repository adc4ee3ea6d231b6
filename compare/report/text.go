package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"patchlab/compare"
)

// style is how text stands out on a terminal; without colour it stays plain.
type style struct{ on bool }

func (s style) bold(text string) string { return s.wrap("1", text) }
func (s style) dim(text string) string  { return s.wrap("2", text) }

func (s style) wrap(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

type textWriter struct {
	*bufio.Writer
	width int
	style style
}

func writeText(out io.Writer, r *compare.Report, o Options) error {
	w := &textWriter{Writer: bufio.NewWriter(out), width: o.Width, style: style{o.Color}}
	if w.width == 0 {
		w.width = 80
	}
	if len(r.Tables) == 0 {
		w.paragraph("", nothing(r))
	}
	for i := range r.Tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		w.table(r, &r.Tables[i])
	}
	if text := notCounted(r); text != "" {
		w.paragraph("", text)
	}
	w.warnings(r.Warnings)
	return w.Flush()
}

func (w *textWriter) table(r *compare.Report, t *compare.Table) {
	w.title(tableTitle(t))
	fmt.Fprintln(w)
	w.paragraph("", t.Verdict)
	fmt.Fprintln(w)
	for _, block := range blocks(heading(r), fields(r, t), t.Rows, w.width) {
		w.grid(block)
		fmt.Fprintln(w)
	}
	if len(t.Pairs) > 0 {
		w.against(r, t)
	}
	if plot := plotText(t, w.width); plot != "" {
		w.WriteString(plot)
		fmt.Fprintln(w)
	}
	for _, line := range legend(r, t, againstBest(t)) {
		w.note("", line)
	}
	if text := effects(againstBest(t)); text != "" {
		w.note("", text)
	}
	w.warnings(t.Warnings)
}

// tableTitle heads a table with what it is.
func tableTitle(t *compare.Table) string {
	if len(t.Mixed) == 0 {
		return t.Settings[0].Setting.String()
	}
	var parts []string
	for _, v := range []string{t.Setting.Dataset, t.Setting.Machine, t.Setting.Backend, t.Setting.Precision} {
		if v != "" && v != "float32" {
			parts = append(parts, v)
		}
	}
	return strings.Join(append(parts, "MIXED: "+strings.Join(t.Mixed, ", ")), " · ")
}

func (w *textWriter) title(text string) {
	for _, line := range Wrap(text, w.width) {
		fmt.Fprintln(w, w.style.bold(line))
	}
}

// paragraph wraps text; lines after the first stand under the prefix.
func (w *textWriter) paragraph(prefix, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	for i, line := range Wrap(text, w.width-len(indent)) {
		if i == 0 {
			fmt.Fprintln(w, prefix+line)
		} else {
			fmt.Fprintln(w, indent+line)
		}
	}
}

func (w *textWriter) note(prefix, text string) {
	for i, line := range Wrap(text, w.width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, w.style.dim(prefix+line))
	}
}

func (w *textWriter) warnings(list []compare.Warning) {
	for _, warning := range list {
		w.paragraph("! ", warning.Text)
	}
}

// grid is a table of strings; the first column is set left, the others right.
type grid [][]string

// blocks parts the columns into tables that fit the width, all in one if they
// do. Every block repeats the names.
func blocks(name string, all []field, rows []compare.Row, width int) []grid {
	names := []string{name}
	for _, row := range rows {
		names = append(names, row.Name)
	}
	for i, n := range names {
		names[i] = shorten(n, min(34, width/2))
	}
	columns := make([][]string, len(all))
	total := widest(names)
	for i, f := range all {
		columns[i] = []string{f.title}
		for _, row := range rows {
			columns[i] = append(columns[i], f.cell(row))
		}
		total += 2 + widest(columns[i])
	}
	var out []grid
	used, last := 0, -1
	for i, column := range columns {
		need := 2 + widest(column)
		if len(out) == 0 || total > width && (used+need > width || all[i].block != last) {
			out = append(out, column2grid(names))
			used = widest(names)
		}
		g := out[len(out)-1]
		for k := range g {
			g[k] = append(g[k], column[k])
		}
		used, last = used+need, all[i].block
	}
	return out
}

func column2grid(names []string) grid {
	g := make(grid, len(names))
	for i, n := range names {
		g[i] = []string{n}
	}
	return g
}

func (w *textWriter) grid(g grid) {
	widths := make([]int, len(g[0]))
	for c := range widths {
		for _, row := range g {
			widths[c] = max(widths[c], utf8.RuneCountInString(row[c]))
		}
	}
	for i, row := range g {
		var line strings.Builder
		for c, cell := range row {
			space := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			switch {
			case c == 0:
				line.WriteString(cell + space)
			default:
				line.WriteString("  " + space + cell)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = w.style.bold(text)
		}
		fmt.Fprintln(w, text)
	}
}

// against sets every configuration against the most accurate.
func (w *textWriter) against(r *compare.Report, t *compare.Table) {
	best := mostAccurate(t)
	if best == "" {
		return
	}
	g := grid{{"against " + best, "points", compare.Decimal(100*r.Level, 0) + " % interval", "p (Holm)", "effect", "", "test"}}
	for _, p := range againstBest(t) {
		g = append(g, []string{
			p.A, signed(100*float64(p.Difference), 2), pointInterval(p), pValue(float64(p.Adjusted)),
			number(float64(p.Size), 2), verdictText(p), p.Test,
		})
	}
	others := 0
	for c := 1; c < len(g[0]); c++ {
		column := 0
		for _, row := range g {
			column = max(column, widest(row[c:c+1]))
		}
		others += 2 + column
	}
	for _, row := range g {
		row[0] = shorten(row[0], max(8, w.width-others))
	}
	w.grid(g)
	fmt.Fprintln(w)
}

func mostAccurate(t *compare.Table) string {
	name, most := "", -1.0
	for _, row := range t.Rows {
		if v := float64(row.Quantities["accuracy"].Mean); v > most {
			name, most = row.Name, v
		}
	}
	return name
}

func pointInterval(p compare.Pair) string {
	low, high := 100*float64(p.Low), 100*float64(p.High)
	if low != low {
		return none
	}
	return fmt.Sprintf("[%s, %s]", compare.Decimal(low, 2), compare.Decimal(high, 2))
}

// verdictText is "worse", "better", or "~" with the seeds that would help.
func verdictText(p compare.Pair) string {
	if p.Verdict == compare.NotShown && p.MoreSeeds > 0 {
		if p.MoreSeeds == 1 {
			return "~ +1 seed"
		}
		return fmt.Sprintf("~ +%d seeds", p.MoreSeeds)
	}
	return string(p.Verdict)
}

func widest(cells []string) int {
	n := 0
	for _, c := range cells {
		n = max(n, utf8.RuneCountInString(c))
	}
	return n
}

// shorten leaves out the middle: stacks of blocks often begin alike and end
// apart.
func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	head := most / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-head-1):])
}

// Wrap breaks text at spaces into lines of at most width runes; a longer word
// has a line of its own.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
