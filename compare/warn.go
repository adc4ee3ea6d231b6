package compare

import (
	"fmt"
	"slices"
	"strings"
)

func (t *Table) warn(code, format string, args ...any) {
	t.warnRow("", code, format, args...)
}

func (t *Table) warnRow(row, code, format string, args ...any) {
	t.Warnings = append(t.Warnings, Warning{Code: code, Row: row, Text: fmt.Sprintf(format, args...)})
}

// warnAveraged says that rows average over settings, and how to part them.
func (t *Table) warnAveraged(by []string) {
	rows := 0
	for _, row := range t.Rows {
		if strings.Contains(row.Quantities["train"].Mark, "+") {
			rows++
		}
	}
	if rows == 0 {
		return
	}
	keys := slices.Clone(by)
	for _, aspect := range t.Mixed {
		keys = append(keys, map[string]string{
			"machine": "environment.machine", "backend": "environment.backend", "precision": "precision", "dataset": "data",
		}[aspect])
	}
	t.warn("averaged", "%d of %d rows average over different %s; --by %s gives each a row of its own",
		rows, len(t.Rows), plural(t.Mixed), strings.Join(keys, ","))
}

// alike is the number of rows up to which each has its own sentence.
const alike = 3

// gatherWarnings makes one of the warnings of the same kind about more rows
// than alike: the first, and the names of the others.
func (t *Table) gatherWarnings() {
	rows := map[string][]string{}
	for _, w := range t.Warnings {
		if w.Row != "" {
			rows[w.Code] = append(rows[w.Code], w.Row)
		}
	}
	var out []Warning
	said := map[string]bool{}
	for _, w := range t.Warnings {
		names := rows[w.Code]
		switch {
		case w.Row == "" || len(names) <= alike:
			out = append(out, w)
		case !said[w.Code]:
			said[w.Code] = true
			out = append(out, Warning{Code: w.Code, Text: fmt.Sprintf("%s; much the same goes for %s", w.Text, join(names[1:], "and"))})
		}
	}
	t.Warnings = append([]Warning{}, out...)
}
