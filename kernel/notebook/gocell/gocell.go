package gocell

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strconv"
	"strings"

	"patchlab/kernel/source"
)

// Cell is a cell in parts.
type Cell struct {
	Magics  []string // lines for the kernel without "//gonb:", continued lines joined; without %% and %main
	Imports []Import
	Decls   []Decl
	Main    string // the statements of %% or func main, "" where there are none
	HasMain bool
	Foreign bool // not Go: the source is all in Magics
}

// Import is one imported package. Name is "" where the import gives none.
type Import struct{ Name, Path string }

func (i Import) String() string {
	if i.Name == "" {
		return strconv.Quote(i.Path)
	}
	return i.Name + " " + strconv.Quote(i.Path)
}

// Decl is one declaration: a function, a method, a type, the variables of one
// specification, or a group of constants.
type Decl struct {
	Names  []string // what it declares; a method as "Type.Method"
	Source string   // with its comment
}

// Split takes a cell apart, as it is prepared for GoNB (see [source.Prepare]):
// statements without %% become main's, and an expression at the end an argument of
// [source.ResultFunc]. The error is that of Go's parser, with the cell's lines.
func Split(text string) (Cell, error) {
	parsed := source.Parse(source.Prepare(text, "").Code)
	if parsed.Foreign {
		return Cell{Magics: []string{text}, Foreign: true}, nil
	}
	if name, _ := source.Unknown(text, ""); strings.HasPrefix(name, "%%") { // another kernel's, for the whole cell
		return Cell{}, fmt.Errorf("there is no command %s", name)
	}
	commands, goLines, mainAt := parsed.Parts()
	c := Cell{Magics: commands}
	declared := strings.Join(goLines, "\n")
	if mainAt >= 0 {
		declared = strings.Join(goLines[:mainAt], "\n")
		body := strings.Join(goLines[mainAt+1:], "\n")
		c.Main, c.HasMain = strings.Trim(body, "\n"), true
		if err := parseStatements(body, mainAt+1); err != nil {
			return c, err
		}
	}
	return c, c.declarations(declared)
}

// parseStatements checks the body of a function that begins below so many lines.
func parseStatements(body string, above int) error {
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+body+"\n}", parser.SkipObjectResolution)
	return explain(err, above-1)
}

// explain names the line of the cell that the parser stopped at.
func explain(err error, shift int) error {
	list, ok := err.(scanner.ErrorList)
	if !ok || len(list) == 0 {
		return err
	}
	return fmt.Errorf("line %d: %s", max(1, list[0].Pos.Line+shift), list[0].Msg)
}

// declarations reads what stands before the statements.
func (c *Cell) declarations(text string) error {
	const head = "package p\n" // on a line of its own, lest a comment be taken for the clause's
	file := head + text
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", file, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return explain(err, -1)
	}
	at := func(p token.Pos) int { return files.Position(p).Offset }
	from := func(doc *ast.CommentGroup, n ast.Node) string {
		start := n.Pos()
		if doc != nil {
			start = doc.Pos()
		}
		return file[at(start):at(n.End())]
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "main" {
				c.HasMain = true
				if d.Body != nil {
					c.Main = strings.Trim(file[at(d.Body.Lbrace)+1:at(d.Body.Rbrace)], "\n")
					c.Main = strings.TrimPrefix(c.Main, " ") // which Prepare leaves in front
				}
				continue
			}
			c.Decls = append(c.Decls, Decl{[]string{source.FuncName(d)}, from(d.Doc, d)})
		case *ast.GenDecl:
			if d.Tok == token.CONST { // iota and repeated values hold a group together
				var names []string
				for _, s := range d.Specs {
					names = append(names, source.SpecNames(s)...)
				}
				c.Decls = append(c.Decls, Decl{names, from(d.Doc, d)})
				continue
			}
			for _, s := range d.Specs {
				doc := d.Doc
				switch s := s.(type) {
				case *ast.ImportSpec:
					i := Import{}
					i.Path, _ = strconv.Unquote(s.Path.Value)
					if s.Name != nil {
						i.Name = s.Name.Name
					}
					c.Imports = append(c.Imports, i)
					continue
				case *ast.ValueSpec:
					if d.Lparen.IsValid() {
						doc = s.Doc
					}
				case *ast.TypeSpec:
					if d.Lparen.IsValid() {
						doc = s.Doc
					}
				}
				comment := ""
				if doc != nil {
					comment = file[at(doc.Pos()):at(doc.End())] + "\n"
				}
				c.Decls = append(c.Decls, Decl{source.SpecNames(s), comment + d.Tok.String() + " " + file[at(s.Pos()):at(s.End())]})
			}
		}
	}
	return nil
}

// Definitions returns what of the cell stays for those that follow, as the source
// of a cell that runs nothing: declarations and settings, with the commands that
// change the kernel's Go module (!*go get …), without other shell commands and
// the statements of main. It is "" where nothing stays.
func (c Cell) Definitions() string {
	if c.Foreign {
		return ""
	}
	var parts []string
	for _, m := range c.Magics {
		word := strings.Fields(m)[0]
		switch word {
		case "%test", "%exec", "%wasm", "%args", "%capture", "%list", "%ls", "%help", "%version", "%with_inputs", "%with_password":
			continue // for that cell only
		}
		if strings.HasPrefix(m, "!") && !strings.HasPrefix(m, "!*") {
			continue
		}
		parts = append(parts, m)
	}
	for _, i := range c.Imports {
		parts = append(parts, "import "+i.String())
	}
	for _, d := range c.Decls {
		parts = append(parts, d.Source)
	}
	return strings.Join(parts, "\n\n")
}
