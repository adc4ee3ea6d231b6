package export

import (
	"bytes"
	"fmt"
	"go/format"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/imports"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/gocell"
	"patchlab/kernel/source"
)

// Go writes a Go notebook as one program: the imports of all cells, their
// declarations, and a function for the statements of each cell, which main calls
// in order. Missing imports are added and unused ones dropped, as the kernel does
// it. Text of Markdown cells stands as comments.
//
// In a notebook every cell is a process of its own; in the program they share one,
// so what a cell does to a variable of the package is there for the next, and what
// exits or panics ends all. Where cells declare a name twice the last declaration
// counts, as in the kernel at the end. Lines for the kernel (%…, !…) become
// comments. A cell that can't be parsed is an error.
func Go(w io.Writer, n *notebook.Notebook) error {
	if language := n.Language(); language != "go" {
		return fmt.Errorf("exporting a program from a notebook in %q; allowed: go", language)
	}
	p := program{decls: map[string]declaration{}, names: map[string]string{}}
	for i, c := range n.Cells {
		switch {
		case c.Kind() == notebook.Markdown:
			p.notes = append(p.notes, c.Source())
		case c.Kind() == notebook.Code && strings.TrimSpace(c.Source()) != "":
			if err := p.cell(c); err != nil {
				return fmt.Errorf("cell %d of the notebook: %w", i+1, err)
			}
		}
	}
	text := p.text()
	fixed, err := imports.Process("notebook.go", text, &imports.Options{Comments: true, TabIndent: true, TabWidth: 8})
	if err != nil {
		if fixed, err = format.Source(text); err != nil {
			return fmt.Errorf("formatting the program: %w", err)
		}
	}
	_, err = w.Write(fixed)
	return err
}

// program is a program under construction.
type program struct {
	imports []string
	keys    []string               // declarations in order
	decls   map[string]declaration // by the names they declare
	names   map[string]string      // the key under which each name is declared
	mains   bytes.Buffer           // functions of cells
	calls   []string
	notes   []string // text since the last cell
	number  int
}

// declaration is one with the text that stands before its cell.
type declaration struct{ notes, source string }

// comment is text as comment lines.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		b.WriteString(strings.TrimRight("// "+strings.TrimSpace(line), " ") + "\n")
	}
	return b.String()
}

// takeNotes returns the text since the last cell as a comment.
func (p *program) takeNotes() string {
	text := comment(strings.Join(p.notes, "\n\n"))
	p.notes = nil
	return text
}

func (p *program) cell(c *notebook.Cell) error {
	parts, err := gocell.Split(c.Source())
	if err != nil {
		return err
	}
	p.number++
	for _, i := range parts.Imports {
		if !slices.Contains(p.imports, i.String()) {
			p.imports = append(p.imports, i.String())
		}
	}
	for _, d := range parts.Decls {
		p.declare(d)
	}
	if len(parts.Magics) > 0 {
		p.notes = append(p.notes, "For the kernel:\n"+strings.Join(parts.Magics, "\n"))
	}
	if !parts.HasMain || strings.TrimSpace(parts.Main) == "" {
		return nil
	}
	name := fmt.Sprintf("cell%d", p.number)
	parts.Main = strings.ReplaceAll(parts.Main, source.ResultFunc+"(", "fmt.Println(") // the value of a last expression
	fmt.Fprintf(&p.mains, "\n%s\nfunc %s() {\n%s\n}\n", p.takeNotes(), name, parts.Main)
	p.calls = append(p.calls, name)
	return nil
}

// declare takes in a declaration in place of earlier ones of the same names.
func (p *program) declare(d gocell.Decl) {
	text := d.Source
	key := strings.Join(d.Names, " ")
	if len(d.Names) == 1 && (d.Names[0] == "_" || d.Names[0] == "init") {
		key = fmt.Sprintf("%s %d", key, len(p.keys)) // may be declared again and again
	}
	for _, name := range d.Names {
		if old, ok := p.decls[p.names[name]]; ok && name != "_" {
			p.notes = append([]string{old.notes}, p.notes...)
			delete(p.decls, p.names[name])
		}
		p.names[name] = key
		if strings.HasPrefix(name, "init_") {
			text = strings.Replace(text, "func "+name+"(", "func init(", 1)
		}
	}
	p.decls[key] = declaration{strings.Join(p.notes, "\n\n"), text}
	p.notes = nil
	p.keys = append(slices.DeleteFunc(p.keys, func(k string) bool { return k == key }), key)
}

func (p *program) text() []byte {
	var b bytes.Buffer
	end := p.takeNotes()
	b.WriteString("// Made from a notebook by patchlab notebook export.\n\npackage main\n\n")
	slices.Sort(p.imports)
	b.WriteString("import (\n")
	for _, i := range p.imports {
		b.WriteString("\t" + i + "\n")
	}
	b.WriteString(")\n")
	for _, key := range p.keys {
		d, ok := p.decls[key]
		if !ok {
			continue
		}
		if d.notes != "" {
			b.WriteString("\n" + comment(d.notes))
		}
		b.WriteString("\n" + d.source + "\n")
	}
	b.Write(p.mains.Bytes())
	b.WriteString("\nfunc main() {\n")
	if regexp.MustCompile(`\bflag\.`).Match(b.Bytes()) { // the kernel calls it in front of a cell's statements
		b.WriteString("\tflag.Parse()\n")
	}
	for _, name := range p.calls {
		b.WriteString("\t" + name + "()\n")
	}
	b.WriteString("}\n")
	if end != "" {
		b.WriteString("\n" + end)
	}
	return b.Bytes()
}
