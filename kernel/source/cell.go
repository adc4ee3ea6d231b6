package source

import (
	"go/scanner"
	"go/token"
	"slices"
	"strings"
)

// commentPrefix may stand before a command, so that editors take the cell for Go.
const commentPrefix = "//gonb:"

// kind is what GoNB takes a line for.
type kind int

const (
	goLine      kind = iota
	commandLine      // % or !, or the continuation of one; the package clause, which GoNB leaves out
	mainLine         // %% or %main: main begins
)

// line is one line of a cell.
type line struct {
	text      string
	kind      kind
	continues bool // the command of the line before
}

// Cell is a cell, split into lines.
type Cell struct {
	lines []line
	// Foreign says that the cell is not Go as a whole: %%bash, %%writefile and their like.
	Foreign bool
	// Open says that the last line is a command that ends with a backslash.
	Open bool
}

// foreign are the commands that take the whole cell.
var foreign = [...]string{"%%writefile", "%%script", "%%bash", "%%sh", "%%gx"}

// Parse splits a cell.
func Parse(code string) *Cell {
	c := &Cell{}
	texts := strings.Split(code, "\n")
	if first := strings.Fields(strings.TrimPrefix(texts[0], commentPrefix)); len(first) > 0 {
		c.Foreign = slices.Contains(foreign[:], first[0])
	}
	continued := false
	for _, text := range texts {
		l := line{text: text, continues: continued}
		trimmed := strings.TrimPrefix(text, commentPrefix)
		switch {
		case continued, len(trimmed) > 1 && (trimmed[0] == '%' || trimmed[0] == '!'):
			l.kind = commandLine
			if !continued && (strings.HasPrefix(trimmed, "%main") || trimmed == "%%" || strings.HasPrefix(trimmed, "%% ") || strings.HasPrefix(trimmed, "%%\t")) {
				l.kind = mainLine
			}
			continued = strings.HasSuffix(text, `\`)
		}
		c.lines = append(c.lines, l)
	}
	c.Open = continued
	if at := c.clauseAt(); at >= 0 {
		c.lines[at].kind = commandLine
	}
	return c
}

// clauseAt returns the number of the line that is a package clause, before all other Go, or -1.
func (c *Cell) clauseAt() int {
	if !slices.ContainsFunc(c.lines, line.dropped) {
		return -1
	}
	text := []byte(c.file(-1, false, false).text[len(packageHeader):])
	file := token.NewFileSet().AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	pos, first, _ := s.Scan()
	end, name, _ := s.Scan()
	_, _, semicolon := s.Scan()
	at := file.Line(pos) - 1
	if first != token.PACKAGE || name != token.IDENT || file.Line(end)-1 != at || semicolon != "\n" || !c.lines[at].dropped() {
		return -1
	}
	return at
}

// dropped says whether GoNB takes a line of Go for a package clause, and leaves it out.
func (l line) dropped() bool { return l.kind == goLine && strings.HasPrefix(l.text, "package") }

// forGoNB is the line as GoNB is given it. A carriage return, which is no part of Go, not even in a raw string, keeps it from
// leaving out what is no package clause.
func (l line) forGoNB() string {
	if l.dropped() {
		return "\r" + l.text
	}
	return l.text
}

// Parts returns the commands of the cell, without "//gonb:" and those that begin main, continued ones joined; and its lines
// of Go, the others blank, with the number of those that stand before main, or -1 where no %% announces it.
func (c *Cell) Parts() (commands, lines []string, mainAt int) {
	lines = make([]string, len(c.lines))
	joined := false
	for i, l := range c.lines {
		text := strings.TrimPrefix(l.text, commentPrefix)
		switch {
		case l.kind == goLine:
			lines[i] = l.text
		case l.continues && joined:
			last := &commands[len(commands)-1]
			*last = strings.TrimSuffix(*last, `\`) + " " + text
		case !l.continues:
			if joined = l.kind == commandLine && strings.ContainsAny(text[:1], "%!"); joined {
				commands = append(commands, text)
			}
		}
	}
	return commands, lines, c.mainAt()
}

// mainAt returns the number of the first line that begins main, or -1.
func (c *Cell) mainAt() int {
	return slices.IndexFunc(c.lines, func(l line) bool { return l.kind == mainLine })
}

// file is a cell as a Go file. Line i of the cell is line i+header of the file, shifted by prefix bytes where the
// beginning of main stands before it.
type file struct {
	text   string
	mainAt int // the line of the cell before which main begins; -1: nowhere
	inLine bool
	end    int // where the cell's own text ends
}

const (
	packageHeader = "package main\n"
	header        = 1 // lines of packageHeader
	mainPrefix    = "func main() { "
)

// file composes the cell. mainAt is the line with %%, or (inLine) the first line of statements that no %% announces; -1:
// the cell has declarations only. Closed adds main's closing brace.
func (c *Cell) file(mainAt int, inLine, closed bool) file {
	var b strings.Builder
	b.WriteString(packageHeader)
	for i, l := range c.lines {
		switch {
		case i == mainAt && inLine:
			b.WriteString(mainPrefix)
			b.WriteString(l.text)
		case i == mainAt:
			b.WriteString(mainPrefix)
		case l.kind == goLine:
			b.WriteString(l.text)
		}
		b.WriteByte('\n')
	}
	f := file{mainAt: mainAt, inLine: inLine, end: b.Len()}
	if mainAt >= 0 && closed {
		b.WriteString("}\n")
	}
	f.text = b.String()
	return f
}

// Take takes the lines that begin with a command's name, such as %patchlab, out of a cell. The lines of the rest keep
// their numbers; bare says that no other is left.
func Take(code, name string) (taken []string, rest string, bare bool) {
	if name == "" || !strings.Contains(code, name) {
		return nil, code, false
	}
	c := Parse(code)
	if c.Foreign {
		return nil, code, false
	}
	texts := make([]string, len(c.lines))
	bare = true
	for i, l := range c.lines {
		trimmed := strings.TrimPrefix(l.text, commentPrefix)
		if f := strings.Fields(trimmed); l.kind == commandLine && len(f) > 0 && f[0] == name && trimmed[0] == '%' {
			taken = append(taken, trimmed)
			continue
		}
		texts[i] = l.text
		bare = bare && strings.TrimSpace(l.text) == ""
	}
	return taken, strings.Join(texts, "\n"), bare && len(taken) > 0
}
