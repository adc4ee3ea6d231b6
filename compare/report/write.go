package report

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"patchlab/compare"
)

// Format names a way to write a report.
type Format string

// The formats.
const (
	Text     Format = "table"
	Markdown Format = "markdown"
	CSV      Format = "csv"
	JSON     Format = "json"
	LaTeX    Format = "latex"
	SVG      Format = "svg"
	PNG      Format = "png"
	HTML     Format = "html"
)

// Formats lists the formats in the order in which help names them.
func Formats() []Format { return []Format{Text, Markdown, CSV, JSON, LaTeX, SVG, PNG, HTML} }

// extensions are the endings of file names that mean a format.
func extensions() map[string]Format {
	return map[string]Format{
		".txt": Text, ".md": Markdown, ".csv": CSV, ".json": JSON,
		".tex": LaTeX, ".svg": SVG, ".png": PNG, ".html": HTML, ".htm": HTML,
	}
}

// ParseFormat finds a format by name, among those allowed or, with none
// named, all. An empty name takes it from the ending of the file that is
// written; it is Text where there is no file or no ending.
func ParseFormat(name, file string, allowed ...Format) (Format, error) {
	if len(allowed) == 0 {
		allowed = Formats()
	}
	if name == "" {
		ending := strings.ToLower(filepath.Ext(file))
		if ending == "" || ending == "." {
			return Text, nil
		}
		if f, ok := extensions()[ending]; ok && slices.Contains(allowed, f) {
			return f, nil
		}
		return "", fmt.Errorf("%s: no format belongs to the ending %s; allowed are %s, or --format", file, ending, endings(allowed))
	}
	names := make([]string, 0, len(allowed))
	for _, f := range allowed {
		if string(f) == name {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("no format %q; there are %s", name, strings.Join(names, ", "))
}

// endings lists the endings that mean one of these formats.
func endings(allowed []Format) string {
	var out []string
	for _, f := range allowed {
		for _, ending := range slices.Sorted(maps.Keys(extensions())) {
			if extensions()[ending] == f {
				out = append(out, ending)
			}
		}
	}
	return strings.Join(out, ", ")
}

// Options are what only some formats need.
type Options struct {
	Width   int    // of Text, in columns; 0: 80
	Color   bool   // bold and dim in Text, for terminals
	Figure  string // of SVG and PNG, one of Figures; "": the first
	Command string // that made the report, for HTML to say how to make it again
	Chosen  int    // how many runs were chosen one by one, for HTML to say instead of a filter that lists them; 0: the filter chose
	Back    string // where a list of runs is, for HTML that is served beside one; "": nowhere
}

// Needs says what a format shows besides the table, so that no more is read
// from the database: learning curves, step times.
func Needs(format Format, figure string) (curves, steps bool) {
	switch format {
	case HTML:
		return true, true
	case SVG, PNG:
		return figure == "curves" || figure == "curves-time", figure == "steps"
	}
	return false, false
}

// Write writes the report in a format.
func Write(w io.Writer, format Format, r *compare.Report, o Options) error {
	switch format {
	case Text:
		return writeText(w, r, o)
	case Markdown:
		return writeMarkdown(w, r)
	case CSV:
		return writeCSV(w, r)
	case JSON:
		return writeJSON(w, r)
	case LaTeX:
		return writeLaTeX(w, r)
	case SVG, PNG:
		return writePicture(w, format, r, o)
	case HTML:
		return writePage(w, r, o)
	}
	return fmt.Errorf("no format %q", format)
}
