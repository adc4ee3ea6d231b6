package source

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// ResultFunc is the function that shows the value of a cell's last expression. Whoever runs the cells provides it:
//
//	func patchlabResult(value any)
const ResultFunc = "patchlabResult"

// Prepared is a cell as it is given to GoNB.
type Prepared struct {
	Code string
	// Shows says that the cell's last expression is an argument of ResultFunc.
	Shows bool
}

// Prepare makes a cell ready to be run; declared is a file such as Declarations returns. What would compile is left as it
// is, but for calls of functions that cells declare, and so is what cannot be parsed: the compiler's messages explain it
// best.
func Prepare(code, declared string) Prepared {
	c := Parse(code)
	if c.Foreign {
		return Prepared{Code: code}
	}
	fset := token.NewFileSet()
	f, tree := c.parse(fset)
	if tree == nil {
		return Prepared{Code: code}
	}
	texts := make([]string, len(c.lines))
	for i, l := range c.lines {
		texts[i] = l.text
	}
	p := Prepared{}
	if e := lastExpression(tree); e != nil && (showable(e) || shownCall(e, tree, declared)) {
		from, to := f.position(fset, e.Pos()), f.position(fset, e.End())
		insert(texts, to, ")")
		insert(texts, from, ResultFunc+"(")
		p.Shows = true
	}
	if f.inLine {
		texts[f.mainAt] = mainPrefix + texts[f.mainAt]
		texts = append(texts, "}")
	}
	p.Code = strings.Join(texts, "\n")
	return p
}

// parse returns the file that the cell makes, and nil where it makes none.
func (c *Cell) parse(fset *token.FileSet) (file, *ast.File) {
	at := c.mainAt()
	f := c.file(at, false, true)
	tree, err := parse(fset, f.text)
	if err == nil {
		return f, tree
	}
	if at >= 0 {
		return f, nil
	}
	// Statements without %%: main begins where the declarations end.
	if at = c.statementsAt(err); at < 0 {
		return f, nil
	}
	f = c.file(at, true, true)
	if tree, err = parse(fset, f.text); err != nil {
		return f, nil
	}
	return f, tree
}

func parse(fset *token.FileSet, text string) (*ast.File, error) {
	return parser.ParseFile(fset, "cell.go", text, parser.SkipObjectResolution)
}

// statementsAt returns the line of the first statement outside of a function, which is where the parser found no
// declaration; -1 where it is something else.
func (c *Cell) statementsAt(err error) int {
	list, ok := err.(scanner.ErrorList)
	if !ok || len(list) == 0 || !strings.Contains(list[0].Msg, "expected declaration") && !strings.Contains(list[0].Msg, "imports must appear") {
		return -1
	}
	at := list[0].Pos.Line - 1 - header
	if at < 0 || at >= len(c.lines) || c.lines[at].kind != goLine {
		return -1
	}
	return at
}

// lastExpression returns the last statement of main if it is an expression.
func lastExpression(tree *ast.File) ast.Expr {
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "main" || fn.Recv != nil || fn.Body == nil || len(fn.Body.List) == 0 {
			continue
		}
		if s, ok := fn.Body.List[len(fn.Body.List)-1].(*ast.ExprStmt); ok {
			return s.X
		}
	}
	return nil
}

// showable says whether an expression is no statement of Go, so that the cell would not compile with it. Calls are
// statements, except those of built-in functions that only compute and conversions to predeclared types.
func showable(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return showable(e.X)
	case *ast.UnaryExpr:
		return e.Op != token.ARROW // receiving is a statement
	case *ast.Ident:
		return e.Name != "_"
	case *ast.BasicLit, *ast.BinaryExpr, *ast.SelectorExpr, *ast.IndexExpr, *ast.SliceExpr, *ast.StarExpr,
		*ast.CompositeLit, *ast.TypeAssertExpr:
		return true
	case *ast.CallExpr:
		switch fun := ast.Unparen(e.Fun).(type) {
		case *ast.Ident:
			switch fun.Name {
			case "len", "cap", "append", "new", "make", "complex", "real", "imag", "min", "max",
				"string", "bool", "byte", "rune", "int", "int8", "int16", "int32", "int64", "any", "error",
				"uint", "uint8", "uint16", "uint32", "uint64", "uintptr", "float32", "float64", "complex64", "complex128":
				return true
			}
		case *ast.ArrayType, *ast.MapType, *ast.ChanType, *ast.InterfaceType:
			return true
		}
	}
	return false
}

// place is a position in a cell: a line and a byte in it, from 0.
type place struct{ line, column int }

// position returns the place in the cell of a position in its file.
func (f file) position(fset *token.FileSet, pos token.Pos) place {
	p := fset.PositionFor(pos, false)
	at := place{p.Line - 1 - header, p.Column - 1}
	if f.inLine && at.line == f.mainAt {
		at.column -= len(mainPrefix)
	}
	return at
}

func insert(lines []string, at place, text string) {
	l := lines[at.line]
	lines[at.line] = l[:at.column] + text + l[at.column:]
}
