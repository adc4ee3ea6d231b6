package report

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
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
)

// Formats lists the formats in the order in which help names them.
func Formats() []Format { return []Format{Text, Markdown, CSV, JSON} }

// extensions are the endings of file names that mean a format.
func extensions() map[string]Format {
	return map[string]Format{".txt": Text, ".md": Markdown, ".csv": CSV, ".json": JSON}
}

// ParseFormat finds a format by name. An empty name takes it from the file
// that is written, and without one it is Text.
func ParseFormat(name, file string) (Format, error) {
	if name == "" {
		if f, ok := extensions()[strings.ToLower(filepath.Ext(file))]; ok {
			return f, nil
		}
		return Text, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("no format %q; there are %s", name, strings.Join(names, ", "))
}

// Options are what only some formats need.
type Options struct {
	Width int  // of Text, in columns; 0: 80
	Color bool // bold and dim in Text, for terminals
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
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	return fmt.Errorf("no format %q", format)
}
