package source

import (
	"go/ast"
	"go/parser"
	"go/token"
)

// shownCall says whether an expression calls a function that the cell, or one before it, declares with one result, which
// is no error. Of any other call it is not known here whether it returns something.
func shownCall(e ast.Expr, cell *ast.File, declared string) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	fun := ast.Unparen(call.Fun)
	switch f := fun.(type) {
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	id, ok := fun.(*ast.Ident)
	if !ok {
		return false
	}
	f := function(cell, id.Name)
	if f == nil {
		before, _ := parser.ParseFile(token.NewFileSet(), "declared.go", declared, parser.SkipObjectResolution)
		f = function(before, id.Name)
	}
	if f == nil || shadowed(function(cell, "main"), id.Name) {
		return false
	}
	results := f.Type.Results
	if results.NumFields() != 1 {
		return false
	}
	kind, named := results.List[0].Type.(*ast.Ident)
	return !named || kind.Name != "error"
}

// function returns the function of a name that a file declares; nil: none.
func function(file *ast.File, name string) *ast.FuncDecl {
	if file == nil {
		return nil
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name {
			return f
		}
	}
	return nil
}

// shadowed says whether anything in a function declares the name anew.
func shadowed(f *ast.FuncDecl, name string) bool {
	if f == nil {
		return false
	}
	found := false
	declares := func(e ast.Expr) {
		id, ok := e.(*ast.Ident)
		found = found || ok && id.Name == name
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					declares(e)
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				declares(n.Key)
				declares(n.Value)
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				declares(id)
			}
		case *ast.TypeSpec:
			declares(n.Name)
		case *ast.Field:
			for _, id := range n.Names {
				declares(id)
			}
		}
		return true
	})
	return found
}
