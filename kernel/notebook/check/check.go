package check

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
)

// Options say how pictures are compared. The zero value has the defaults.
type Options struct {
	// Levels is how far a pixel's red, green, blue or opacity may be off, of 255;
	// default 2.
	Levels int
	// Share is the share of pixels that may be further off; default .001. A
	// negative Share allows none.
	Share float64
}

// Difference is a cell whose outputs are not the same.
type Difference struct {
	Cell  int    // its place among the code cells, 1-based
	ID    string // the cell's
	Line  string // its first line
	Lines []string
}

// Compare compares the code cells of a notebook, in order, with those of the same
// notebook after another run. Lines of the differences begin with "-" for what
// only want has, "+" for what only got has, " " for what both have, and "@" for
// what the following ones are about.
func Compare(want, got *notebook.Notebook, o Options) ([]Difference, error) {
	if o.Levels == 0 {
		o.Levels = 2
	}
	if o.Share == 0 {
		o.Share = .001
	}
	a, b := code(want), code(got)
	if len(a) != len(b) {
		return nil, fmt.Errorf("comparing notebooks with %d and %d code cells; they must be the same", len(a), len(b))
	}
	var differences []Difference
	for i := range a {
		if slices.ContainsFunc([]string{"skip-check", "nondeterministic", "nbval-ignore-output", "skip-execution"}, a[i].Tagged) {
			continue
		}
		if lines := o.cell(a[i], b[i]); len(lines) > 0 {
			first, _, _ := strings.Cut(strings.TrimSpace(a[i].Source()), "\n")
			differences = append(differences, Difference{Cell: i + 1, ID: a[i].ID(), Line: first, Lines: lines})
		}
	}
	return differences, nil
}

func code(n *notebook.Notebook) []*notebook.Cell {
	var cells []*notebook.Cell
	for _, c := range n.Cells {
		if c.Kind() == notebook.Code {
			cells = append(cells, c)
		}
	}
	return cells
}

// part is a comparable piece of a cell's outputs.
type part struct {
	about   string // "stdout", "display 1", "error"
	content map[string]string
}

// parts are a cell's streams, each as a whole, then its other outputs in order; the kernel's own notices are none of
// the cell's.
func parts(c *notebook.Cell) []part {
	streams := map[string]string{}
	var others []part
	for _, o := range c.Outputs() {
		switch o.Type() {
		case notebook.Stream:
			streams[o.Name()] += o.Text()
		case notebook.Error:
			name, value, _ := o.Failure()
			text := name + ": " + value
			if c.Tagged("raises-exception") {
				text = name
			}
			others = append(others, part{"error", map[string]string{"text/plain": text}})
		default:
			if o.Marked(message.Notice) {
				continue
			}
			p := part{"output", map[string]string{}}
			for _, mime := range o.MIMEs() {
				p.content[mime], _ = o.MIME(mime)
			}
			others = append(others, p)
		}
	}
	var list []part
	for _, name := range []string{"stdout", "stderr"} {
		if text := streams[name]; text != "" {
			list = append(list, part{name, map[string]string{"text/plain": text}})
		}
	}
	return append(list, others...)
}

// cell compares two cells' outputs.
func (o Options) cell(want, got *notebook.Cell) []string {
	a, b := parts(want), parts(got)
	var lines []string
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && len(a) > len(b) && a[0].about != b[0].about:
			lines = append(append(lines, "@ "+a[0].about+" is missing"), prefixed("-", describe(a[0]))...)
			a = a[1:]
		case len(a) == 0 || a[0].about != b[0].about:
			lines = append(append(lines, "@ "+b[0].about+" is new"), prefixed("+", describe(b[0]))...)
			b = b[1:]
		default:
			lines = append(lines, o.part(want, a[0], b[0])...)
			a, b = a[1:], b[1:]
		}
	}
	return lines
}

// part compares two outputs of the same kind, type by type.
func (o Options) part(cell *notebook.Cell, a, b part) []string {
	var lines []string
	for _, mime := range union(a.content, b.content) {
		x, inA := a.content[mime]
		y, inB := b.content[mime]
		about := "@ " + a.about
		if a.about == "output" {
			about += " " + mime
		}
		switch {
		case !inB:
			lines = append(append(lines, about+" is missing"), prefixed("-", brief(mime, x))...)
		case !inA:
			lines = append(append(lines, about+" is new"), prefixed("+", brief(mime, y))...)
		case picture(mime):
			if reason := o.pictures(x, y); reason != "" {
				lines = append(lines, about+": "+reason)
			}
		case strings.HasSuffix(mime, "json") && sameJSON(x, y):
		default:
			if cell.Tagged("timing") {
				x, y = untimed(x), untimed(y)
			}
			if x != y {
				lines = append(append(lines, about), diff(x, y)...)
			}
		}
	}
	return lines
}

func union(a, b map[string]string) []string {
	var keys []string
	for _, m := range []map[string]string{a, b} {
		for key := range m {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func sameJSON(x, y string) bool {
	var a, b any
	return json.Unmarshal([]byte(x), &a) == nil && json.Unmarshal([]byte(y), &b) == nil && reflect.DeepEqual(a, b)
}

// times matches durations as Go, Python and people write them.
var times = regexp.MustCompile(`(?i)\b(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?\s?(?:ns|µs|μs|us|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|h)(?:\s?±\s?)?)+\b`)

func untimed(text string) string { return times.ReplaceAllString(text, "<time>") }

// describe shows an output in a few lines.
func describe(p part) []string {
	for _, mime := range []string{"text/plain", "text/markdown", "text/html"} {
		if text, ok := p.content[mime]; ok {
			return brief(mime, text)
		}
	}
	var lines []string
	for _, mime := range union(p.content, nil) {
		lines = append(lines, brief(mime, p.content[mime])...)
	}
	return lines
}

// brief shows content in a few lines.
func brief(mime, text string) []string {
	if picture(mime) {
		return []string{fmt.Sprintf("(%s, %d bytes in base64)", mime, len(text))}
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 10 {
		lines = append(lines[:10:10], fmt.Sprintf("… %d more lines", len(lines)-10))
	}
	return lines
}

func prefixed(sign string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = sign + line
	}
	return out
}
