package report

import (
	"fmt"
	"io"
	"strings"

	"patchlab/compare"
	"patchlab/compare/figure"
)

func joinNames(names []string) string { return strings.Join(names, ", ") }

// pngScale makes a figure of a paper's column about 300 dots an inch.
const pngScale = 3

// PictureNotes is what has to be known to read a picture of the report rightly:
// it has no room for it, but carries it as its description.
func PictureNotes(r *compare.Report) string {
	var out []string
	for i := range r.Tables {
		t := &r.Tables[i]
		out = append(append(append(out, tableTitle(t)+".", t.Verdict), legend(r, t, nil)...), texts(t.Warnings)...)
	}
	return strings.Join(append(out, remainder(r)...), "\n")
}

// writePicture draws one figure of the only table; a picture has no room to
// say that there are others.
func writePicture(w io.Writer, format Format, r *compare.Report, o Options) error {
	switch len(r.Tables) {
	case 0:
		return fmt.Errorf("nothing to draw: %s", nothing(r))
	case 1:
	default:
		headings := make([]string, len(r.Tables))
		for i := range r.Tables {
			headings[i] = tableTitle(&r.Tables[i])
		}
		return fmt.Errorf("a picture shows one table, there are %d (%s); choose one with --filter, such as \"environment.backend = 'xla:cpu'\"", len(r.Tables), strings.Join(headings, "; "))
	}
	c, size, err := chart(r, &r.Tables[0], o.Figure)
	if err != nil {
		return err
	}
	if format == SVG {
		return figure.WriteSVG(w, c, size, PictureNotes(r))
	}
	return figure.WritePNG(w, c, size, pngScale, PictureNotes(r))
}
