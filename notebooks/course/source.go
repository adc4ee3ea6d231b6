package course

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"runtime"

	"patchlab/kernel/cell/show"
)

// Source shows the source of a function, a method or a type of this module:
//
//	course.Source("models/mixer.go", "Mixer", "build")
func Source(file string, names ...string) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		panic(fmt.Errorf("the source of %s is not known to this program", file))
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(here)))
	text := must(os.ReadFile(filepath.Join(root, filepath.FromSlash(file))))
	files := token.NewFileSet()
	parsed := must(parser.ParseFile(files, file, text, parser.ParseComments))
	for _, name := range names {
		found := false
		for _, declaration := range parsed.Decls {
			if !declares(declaration, name) {
				continue
			}
			found = true
			var code bytes.Buffer
			check(printer.Fprint(&code, files, &printer.CommentedNode{Node: declaration, Comments: parsed.Comments}))
			show.Markdown(fmt.Sprintf("`%s`\n```go\n%s\n```", file, code.String()))
		}
		if !found {
			panic(fmt.Errorf("%s declares no %s", file, name))
		}
	}
}

func declares(declaration ast.Decl, name string) bool {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		return d.Name.Name == name
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if t, ok := s.(*ast.TypeSpec); ok && t.Name.Name == name {
				return true
			}
		}
	}
	return false
}
