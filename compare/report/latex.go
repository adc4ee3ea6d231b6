package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"patchlab/compare"
)

// writeLaTeX writes a table environment for each table, for \usepackage
// {booktabs}; what is needed to read it rightly stands in its caption and
// notes.
func writeLaTeX(out io.Writer, r *compare.Report) error {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, `% \usepackage{booktabs} and \usepackage{graphicx} in the preamble`)
	if len(r.Tables) == 0 {
		fmt.Fprintf(w, "%% %s\n", nothing(r))
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		all := fields(r, t)
		fmt.Fprintf(w, "\\begin{table}\n\\centering\n\\caption{%s}\n", escapeLaTeX(tableTitle(t)+". "+t.Verdict))
		fmt.Fprintf(w, "\\resizebox{\\linewidth}{!}{%%\n\\begin{tabular}{l%s}\n\\toprule\n", strings.Repeat("r", len(all)))
		for k, row := range markdownGrid(r, t) {
			cells := make([]string, len(row))
			for c, cell := range row {
				cells[c] = escapeLaTeX(cell)
			}
			fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
			if k == 0 {
				fmt.Fprintln(w, `\midrule`)
			}
		}
		fmt.Fprint(w, "\\bottomrule\n\\end{tabular}}\n")
		latexNotes(w, append(append(legend(r, t), texts(t.Warnings)...), remainder(r)...))
		fmt.Fprintln(w, `\end{table}`)
		latexPairs(w, r, t)
	}
	return w.Flush()
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
		fmt.Fprintf(w, "\n{\\footnotesize %s\\par}\n", escapeLaTeX(note))
	}
}

func latexPairs(w io.Writer, r *compare.Report, t *compare.Table) {
	if len(t.Pairs) == 0 {
		return
	}
	fmt.Fprintf(w, "\\begin{table}\n\\centering\n\\caption{%s}\n\\begin{tabular}{lrrrrl}\n\\toprule\n",
		escapeLaTeX("Differences in test accuracy, "+tableTitle(t)))
	fmt.Fprintf(w, "pair & points & %s & $p$ (Holm) & effect & verdict \\\\\n\\midrule\n", escapeLaTeX(compare.Decimal(100*r.Level, 0)+" % interval"))
	for _, p := range t.Pairs {
		cells := []string{p.A + " − " + p.B, signed(100*float64(p.Difference), 2), pointInterval(p), pValue(float64(p.Adjusted)),
			number(float64(p.Size), 2), verdictText(p)}
		for i := range cells {
			cells[i] = escapeLaTeX(cells[i])
		}
		fmt.Fprintf(w, "%s \\\\\n", strings.Join(cells, " & "))
	}
	fmt.Fprint(w, "\\bottomrule\n\\end{tabular}\n\\end{table}\n")
}

// escapeLaTeX keeps text from becoming commands; braces keep a bracket that
// follows \\ from being its argument.
func escapeLaTeX(s string) string {
	return strings.NewReplacer(
		`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "%", `\%`, "_", `\_`, "^", `\textasciicircum{}`,
		"~", `\textasciitilde{}`, "<", `\textless{}`, ">", `\textgreater{}`, "[", `{[}`, "]", `{]}`,
		"−", `$-$`, "×", `$\times$`, "·", `$\cdot$`, "–", "--", "¹", `\textsuperscript{1}`, "±", `$\pm$`, "…", `\dots{}`, "\n", " ",
	).Replace(s)
}
