package source

import (
	"go/ast"
	"go/parser"
	"go/token"
)

// Declarations returns a Go file that GoNB made, without its main function; ok is false where it is no Go.
func Declarations(text string) (declared string, ok bool) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "main.go", text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return "", false
	}
	for _, d := range tree.Decls {
		fn, isFunc := d.(*ast.FuncDecl)
		if !isFunc || fn.Name.Name != "main" || fn.Recv != nil {
			continue
		}
		offset := func(p token.Pos) int { return fset.PositionFor(p, false).Offset }
		from := offset(fn.Pos())
		if fn.Doc != nil {
			from = offset(fn.Doc.Pos())
		}
		return text[:from] + text[offset(fn.End()):], true
	}
	return text, true
}
