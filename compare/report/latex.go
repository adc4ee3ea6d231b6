package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"patchlab/compare"
)

// writeLaTeX writes table environments for each table, as wide as a page takes,
// for \usepackage{booktabs}; what is needed to read them rightly stands in the
// caption and below the first.
func writeLaTeX(out io.Writer, r *compare.Report) error {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, `% needs \usepackage{booktabs}`)
	if len(r.Tables) == 0 {
		fmt.Fprintf(w, "%% %s\n", nothing(r))
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		all := fields(r, t)
		for k, block := range blocks(heading(r), all, t.Rows, latexWidth) {
			caption := tableTitle(t) + ", continued."
			if k == 0 {
				caption = tableTitle(t) + ". " + t.Verdict
			}
			latexTable(w, caption, block)
			if k == 0 {
				notes := legend(r, t, t.Pairs)
				if text := effects(t.Pairs); text != "" {
					notes = append(notes, text)
				}
				latexNotes(w, append(append(notes, texts(t.Warnings)...), remainder(r)...))
			}
			fmt.Fprintln(w, `\end{table}`)
		}
		latexPairs(w, r, t)
	}
	return w.Flush()
}

// latexWidth is how many small characters a line of an article takes; columns
// beyond go into a further table below.
const latexWidth = 96

// latexRows is how many rows a page takes.
const latexRows = 45

// latexTable begins a table environment, which the caller ends.
func latexTable(w io.Writer, caption string, g grid) {
	fmt.Fprintf(w, "\\begin{table}\n\\centering\\small\n\\caption{%s}\n\\smallskip\n\\begin{tabular}{l%s}\n\\toprule\n",
		escapeLaTeX(caption), strings.Repeat("r", len(g[0])-1))
	for i, row := range g {
		cells := make([]string, len(row))
		for c, cell := range row {
			cells[c] = escapeLaTeX(cell)
		}
		fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
		if i == 0 {
			fmt.Fprintln(w, `\midrule`)
		}
	}
	fmt.Fprint(w, "\\bottomrule\n\\end{tabular}\n")
}

// remainder is what concerns all tables.
func remainder(r *compare.Report) []string {
	out := texts(r.Warnings)
	if text := notCounted(r); text != "" {
		out = append(out, text)
	}
	return out
}

func texts(list []compare.Warning) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w.Text + "."
	}
	return out
}

func latexNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintf(w, "\n{\\footnotesize\\raggedright %s\\par}\n", escapeLaTeX(note))
	}
}

func latexPairs(w io.Writer, r *compare.Report, t *compare.Table) {
	if len(t.Pairs) == 0 {
		return
	}
	head := []string{"pair", "points", compare.Decimal(100*r.Level, 0) + " % interval", "p (Holm)", "effect", "verdict"}
	for part := range slices.Chunk(t.Pairs, latexRows) {
		g := grid{head}
		for _, p := range part {
			g = append(g, []string{p.A + " − " + p.B, signed(100*float64(p.Difference), 2), pointInterval(p), pValue(float64(p.Adjusted)),
				number(float64(p.Size), 2), verdictText(p)})
		}
		latexTable(w, "Differences in test accuracy, "+tableTitle(t), g)
		fmt.Fprintln(w, `\end{table}`)
	}
}

// escapeLaTeX keeps text from becoming commands; braces keep a bracket that
// follows \\ from being its argument.
func escapeLaTeX(s string) string {
	return strings.NewReplacer(
		`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "%", `\%`, "_", `\_`, "^", `\textasciicircum{}`,
		"~", `$\sim$`, "<", `\textless{}`, ">", `\textgreater{}`, "[", `{[}`, "]", `{]}`,
		"--", "-{}-", "−", `$-$`, "×", `$\times$`, "·", `$\cdot$`, "–", "--", "¹", `\textsuperscript{1}`, "‡", `$\ddagger$`, "±", `$\pm$`, "…", `\dots{}`, "\n", " ",
	).Replace(s)
}
