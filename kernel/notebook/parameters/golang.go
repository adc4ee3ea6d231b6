package parameters

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/gocell"
	"patchlab/kernel/notebook/ordered"
)

// Parameter is one that a Go cell declares.
type Parameter struct {
	Name     string
	Type     string // "" where it follows from an expression that is not understood here
	Default  string // Go source, "" for the type's zero value
	Constant bool
}

// Declared returns the variables and constants that a Go cell declares, in order.
func Declared(cell *notebook.Cell) ([]Parameter, error) {
	split, err := gocell.Split(cell.Source())
	if err != nil {
		return nil, fmt.Errorf("reading the cell tagged %s: %w", Tag, err)
	}
	var list []Parameter
	for _, d := range split.Decls {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+d.Source, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reading the cell tagged %s: %w", Tag, err)
		}
		gen, ok := f.Decls[0].(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR && gen.Tok != token.CONST {
			continue
		}
		text := func(n ast.Node) string { return ("package p\n" + d.Source)[n.Pos()-f.FileStart : n.End()-f.FileStart] }
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				p := Parameter{Name: name.Name, Constant: gen.Tok == token.CONST}
				if len(spec.Values) == len(spec.Names) {
					p.Default = text(spec.Values[i])
					p.Type = inferred(spec.Values[i], text)
				}
				if spec.Type != nil {
					p.Type = text(spec.Type)
				}
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// inferred is the type that an expression gives a variable, "" where that can't
// be seen from the expression alone.
func inferred(e ast.Expr, text func(ast.Node) string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		switch e.Kind {
		case token.INT:
			return "int"
		case token.FLOAT:
			return "float64"
		case token.STRING:
			return "string"
		}
	case *ast.Ident:
		if e.Name == "true" || e.Name == "false" {
			return "bool"
		}
	case *ast.ParenExpr:
		return inferred(e.X, text)
	case *ast.UnaryExpr:
		if e.Op == token.SUB || e.Op == token.ADD {
			return inferred(e.X, text)
		}
	case *ast.BinaryExpr:
		x, y := inferred(e.X, text), inferred(e.Y, text)
		for _, t := range []string{"time.Duration", "float64", "string", "int"} {
			if x == t && y != "" || y == t && x != "" {
				return t
			}
		}
	case *ast.SelectorExpr:
		if slices.Contains([]string{"time.Nanosecond", "time.Microsecond", "time.Millisecond", "time.Second", "time.Minute", "time.Hour"}, text(e)) {
			return "time.Duration"
		}
	case *ast.CallExpr:
		if t := text(e.Fun); settable(t) {
			return t
		}
	case *ast.CompositeLit:
		if e.Type != nil {
			return text(e.Type)
		}
	}
	return ""
}

// goSource is the cell that sets the parameters of a Go notebook; cell is the
// tagged one, or nil.
func goSource(cell *notebook.Cell, assignments []Assignment, values *ordered.Object) (string, error) {
	var declared []Parameter
	if cell != nil {
		var err error
		if declared, err = Declared(cell); err != nil {
			return "", err
		}
	}
	var lines strings.Builder
	needsTime := false
	for _, a := range assignments {
		p, err := find(declared, cell != nil, a)
		if err != nil {
			return "", err
		}
		if _, mapping := a.value.(*ordered.Object); mapping || a.value == ordered.Null {
			return "", fmt.Errorf("parameter %s (%s) is %s; allowed: a text, a number, true, false, or a list of these", a.Name, p.Type, quoted(a.Text))
		}
		literal, value, err := goLiteral(p.Type, a.Text)
		if err != nil {
			return "", fmt.Errorf("parameter %s (%s) is %s; allowed: %w", a.Name, p.Type, quoted(a.Text), err)
		}
		keyword := "var"
		if p.Constant {
			keyword = "const"
		}
		fmt.Fprintf(&lines, "%s %s %s = %s\n", keyword, p.Name, p.Type, literal)
		needsTime = needsTime || strings.Contains(p.Type, "time.")
		values.Set(a.Name, value)
	}
	head := "// Parameters\n"
	if needsTime {
		head += "import \"time\"\n\n"
	}
	return head + lines.String(), nil
}

// find returns the parameter that is assigned.
func find(declared []Parameter, tagged bool, a Assignment) (Parameter, error) {
	if !tagged {
		if !token.IsIdentifier(a.Name) {
			return Parameter{}, fmt.Errorf("parameter %q; allowed: a Go name", a.Name)
		}
		kind := guessed(a.Text)
		if _, text := ordered.Text(a.value); text {
			kind = "string"
		}
		if _, list := a.value.(*ordered.Array); list {
			return Parameter{}, fmt.Errorf("parameter %s is a list; allowed where a cell tagged %s declares its type", a.Name, Tag)
		}
		return Parameter{Name: a.Name, Type: kind}, nil
	}
	var names []string
	for _, p := range declared {
		switch {
		case !settable(p.Type):
			if p.Name == a.Name {
				return p, fmt.Errorf("parameter %s has the type %s, which can't be set; allowed: bool, string, integers, floats, time.Duration and slices of these",
					a.Name, orUnknown(p.Type))
			}
		case p.Name == a.Name:
			return p, nil
		default:
			names = append(names, p.Name+" "+p.Type)
		}
	}
	if len(names) == 0 {
		return Parameter{}, fmt.Errorf("no parameter %q: the cell tagged %s declares none that can be set", a.Name, Tag)
	}
	return Parameter{}, fmt.Errorf("no parameter %q; allowed: %s", a.Name, strings.Join(names, ", "))
}

func orUnknown(t string) string {
	if t == "" {
		return "of an expression"
	}
	return t
}

func quoted(text string) string {
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	return fmt.Sprintf("%q", text)
}
