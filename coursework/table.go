package coursework

import (
	"encoding/csv"
	"io"
	"strings"

	"patchlab/save"
)

// writeTable writes rows as CSV into a file of the course, whole or not at all.
func (c *Course) writeTable(rows [][]string, parts ...string) error {
	return save.File(c.path(parts...), func(w io.Writer) error {
		out := csv.NewWriter(w)
		for _, row := range rows {
			for i := range row {
				row[i] = plain(row[i])
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

// plain keeps a spreadsheet from taking a text that a student chose for a formula.
func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
