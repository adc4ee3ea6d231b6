package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Composed is a cell as a Go file, with what the cells before it have declared, for a language server. It may be
// broken where the cell is.
type Composed struct {
	Text string
	// Offset is where the cursor stands, in bytes of Text.
	Offset int
}

// Compose makes the file that a cell would become. Cursor is a position in the cell, in code points, and declared a
// file such as Declarations returns. Ok is false where the cursor stands in no Go, such as in a command.
func Compose(code string, cursor int, declared string) (composed Composed, ok bool) {
	c := Parse(code)
	at, ok := placeOf(code, cursor)
	if !ok || c.Foreign || c.lines[at.line].kind != goLine {
		return Composed{}, false
	}
	mainAt, inLine := c.mainAt(), false
	f := c.file(mainAt, false, true)
	if mainAt < 0 {
		if _, err := parse(token.NewFileSet(), f.text); err != nil {
			if mainAt = c.statementsAt(err); mainAt >= 0 {
				inLine = true
				f = c.file(mainAt, inLine, true)
			}
		}
	}
	// A cell is often broken where the cursor is; the parser returns what it has understood.
	tree, _ := parser.ParseFile(token.NewFileSet(), "cell.go", f.text, parser.SkipObjectResolution)
	own := declares(tree)
	imports, rest := split(declared, own)
	known := own.imports
	for _, i := range imports {
		known[i.name] = true
	}
	imports = append(imports, standard(tree, known)...)

	// The imports share the line of the package clause, so that the cell's lines keep their numbers.
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(packageHeader, "\n"))
	for _, i := range imports {
		b.WriteString("; import " + i.text)
	}
	shift := b.Len() - len(packageHeader) + 1
	b.WriteString(f.text[len(packageHeader)-1:])
	b.WriteString(rest)

	offset := len(packageHeader) + shift
	for i, text := range strings.Split(f.text[len(packageHeader):], "\n") {
		if i == at.line {
			break
		}
		offset += len(text) + 1
	}
	if inLine && at.line == mainAt {
		offset += len(mainPrefix)
	}
	return Composed{Text: b.String(), Offset: offset + at.column}, true
}

// placeOf returns the place of a position that counts code points.
func placeOf(code string, cursor int) (place, bool) {
	var at place
	n := 0
	for _, r := range code {
		if n == cursor {
			return at, true
		}
		n++
		if r == '\n' {
			at.line, at.column = at.line+1, 0
		} else if r == utf8.RuneError {
			return at, false // its bytes are not known here
		} else {
			at.column += utf8.RuneLen(r)
		}
	}
	return at, n == cursor
}

// names are what a file declares.
type names struct {
	imports, decls map[string]bool
}

// importLine is an import, by the name that it gives the package.
type importLine struct{ name, text string }

func importOf(s *ast.ImportSpec) importLine {
	p, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		return importLine{"", s.Path.Value}
	}
	if s.Name != nil {
		return importLine{s.Name.Name, s.Name.Name + " " + s.Path.Value}
	}
	return importLine{path.Base(p), s.Path.Value}
}

// FuncName is a function's name, a method's as "Type.Method".
func FuncName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + d.Name.Name
		default: // broken
			return "." + d.Name.Name
		}
	}
}

// SpecNames are the names that a specification of types, variables or constants declares.
func SpecNames(s ast.Spec) []string {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		var list []string
		for _, n := range s.Names {
			list = append(list, n.Name)
		}
		return list
	}
	return nil
}

func declares(tree *ast.File) names {
	n := names{map[string]bool{}, map[string]bool{}}
	if tree == nil {
		return n
	}
	for _, s := range tree.Imports {
		n.imports[importOf(s).name] = true
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			n.decls[FuncName(d)] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				for _, name := range SpecNames(s) {
					n.decls[name] = true
				}
			}
		}
	}
	return n
}

// split returns the imports of a file and its other declarations, without those that a cell makes anew.
func split(declared string, own names) (imports []importLine, rest string) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "declared.go", declared, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, ""
	}
	text := func(n ast.Node) string {
		if f, ok := n.(*ast.FuncDecl); ok && f.Doc != nil {
			return declared[fset.PositionFor(f.Doc.Pos(), false).Offset:fset.PositionFor(n.End(), false).Offset]
		}
		return declared[fset.PositionFor(n.Pos(), false).Offset:fset.PositionFor(n.End(), false).Offset]
	}
	replaced := func(list []string) bool {
		for _, name := range list {
			if own.decls[name] {
				return true
			}
		}
		return false
	}
	for _, s := range tree.Imports {
		if i := importOf(s); !own.imports[i.name] {
			imports = append(imports, i)
		}
	}
	var b strings.Builder
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !own.decls[FuncName(d)] {
				b.WriteString(text(d) + "\n")
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			if d.Tok == token.CONST { // a constant may count from those before it
				var all []string
				for _, s := range d.Specs {
					all = append(all, SpecNames(s)...)
				}
				if !replaced(all) {
					b.WriteString(text(d) + "\n")
				}
				continue
			}
			for _, s := range d.Specs {
				if !replaced(SpecNames(s)) {
					b.WriteString(d.Tok.String() + " " + text(s) + "\n")
				}
			}
		}
	}
	return imports, b.String()
}

// standardPackages are the packages of Go's library that a cell may use without importing them. Where names clash, it
// is the one that goimports takes.
const standardPackages = `archive/tar archive/zip bufio bytes cmp compress/gzip compress/zlib container/heap container/list
context crypto/md5 crypto/sha1 crypto/sha256 crypto/sha512 database/sql embed encoding/base64 encoding/binary encoding/csv
encoding/gob encoding/hex encoding/json encoding/xml errors flag fmt go/ast go/format go/parser go/token hash hash/crc32
hash/fnv html image image/color image/draw image/gif image/jpeg image/png io io/fs iter log log/slog maps math math/big
math/bits math/cmplx math/rand mime net net/http net/http/httptest net/netip net/url os os/exec os/signal os/user path
path/filepath reflect regexp runtime runtime/debug runtime/pprof slices sort strconv strings sync sync/atomic syscall
testing text/tabwriter text/template time unicode unicode/utf16 unicode/utf8 unsafe`

// standard returns imports of the standard packages that a file uses without importing or declaring their names.
func standard(tree *ast.File, known map[string]bool) []importLine {
	if tree == nil {
		return nil
	}
	paths := map[string]string{}
	for _, p := range strings.Fields(standardPackages) {
		paths[path.Base(p)] = p
	}
	var found []importLine
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && paths[id.Name] != "" && !known[id.Name] {
				known[id.Name] = true
				found = append(found, importLine{id.Name, strconv.Quote(paths[id.Name])})
			}
		}
		return true
	})
	return found
}

// Word returns where the name that ends at a position begins, both in code points.
func Word(code string, cursor int) int {
	runes := []rune(code)
	if cursor < 0 || cursor > len(runes) {
		return cursor
	}
	at := cursor
	for at > 0 && (runes[at-1] == '_' || runes[at-1] >= utf8.RuneSelf || '0' <= runes[at-1] && runes[at-1] <= '9' ||
		'a' <= runes[at-1]|0x20 && runes[at-1]|0x20 <= 'z') {
		at--
	}
	return at
}
