package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"patchlab/compare"
)

func writeMarkdown(out io.Writer, r *compare.Report) error {
	w := bufio.NewWriter(out)
	if len(r.Tables) == 0 {
		fmt.Fprintln(w, nothing(r))
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "## %s\n\n%s\n\n", escapeMarkdown(tableTitle(t)), escapeMarkdown(t.Verdict))
		markdownTable(w, markdownGrid(r, t))
		if len(t.Pairs) > 0 {
			markdownPairs(w, r, t)
		}
		for _, line := range legend(r, t, t.Pairs) {
			fmt.Fprintf(w, "\n%s\n", escapeMarkdown(line))
		}
		markdownWarnings(w, t.Warnings)
	}
	if text := notCounted(r); text != "" {
		fmt.Fprintf(w, "\n%s\n", text)
	}
	markdownWarnings(w, r.Warnings)
	return w.Flush()
}

func markdownGrid(r *compare.Report, t *compare.Table) grid {
	all := fields(r, t)
	g := grid{{heading(r)}}
	for _, f := range all {
		g[0] = append(g[0], f.title)
	}
	for _, row := range t.Rows {
		line := []string{row.Name}
		for _, f := range all {
			line = append(line, f.cell(row))
		}
		g = append(g, line)
	}
	return g
}

func markdownPairs(w io.Writer, r *compare.Report, t *compare.Table) {
	g := grid{{"pair", "points", compare.Decimal(100*r.Level, 0) + " % interval", "p (Holm)", "effect", "verdict", "test"}}
	for _, p := range t.Pairs {
		g = append(g, []string{
			p.A + " − " + p.B, signed(100*float64(p.Difference), 2), pointInterval(p), pValue(float64(p.Adjusted)),
			number(float64(p.Size), 2), verdictText(p), p.Test,
		})
	}
	fmt.Fprintf(w, "\n### Differences\n\n")
	markdownTable(w, g)
	if text := effects(t.Pairs); text != "" {
		fmt.Fprintf(w, "\n%s\n", escapeMarkdown(text))
	}
}

func markdownTable(w io.Writer, g grid) {
	for i, row := range g {
		for _, cell := range row {
			fmt.Fprintf(w, "| %s ", escapeMarkdown(cell))
		}
		fmt.Fprintln(w, "|")
		if i == 0 {
			fmt.Fprintf(w, "|---%s|\n", strings.Repeat("|--:", len(row)-1))
		}
	}
}

func markdownWarnings(w io.Writer, list []compare.Warning) {
	for _, warning := range list {
		fmt.Fprintf(w, "\n> **Note:** %s\n", escapeMarkdown(warning.Text))
	}
}

// escapeMarkdown keeps names from becoming markup.
func escapeMarkdown(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "[", `\[`, "~", `\~`, "\n", " ").Replace(s)
}
