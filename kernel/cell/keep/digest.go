package keep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A type's digest is that of a text that says its structure through and through: names and types of the fields of
// every struct in it. It changes when a cell declares the type anew with other fields, and only then.

// nameOf names a type with the whole paths of packages.
func nameOf(t reflect.Type) string {
	if t.PkgPath() != "" {
		return t.PkgPath() + "." + t.Name()
	}
	if t.Name() != "" {
		return t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + nameOf(t.Elem())
	case reflect.Slice:
		return "[]" + nameOf(t.Elem())
	case reflect.Array:
		return "[" + strconv.Itoa(t.Len()) + "]" + nameOf(t.Elem())
	case reflect.Map:
		return "map[" + nameOf(t.Key()) + "]" + nameOf(t.Elem())
	case reflect.Struct:
		var parts []string
		for f := range fields(t) {
			parts = append(parts, f.Name+" "+nameOf(f.Type))
		}
		return "struct{" + strings.Join(parts, "; ") + "}"
	}
	return t.String()
}

// named collects the types in a type that have a name (or are structs), each with the text of its structure.
type named map[string]part

type part struct {
	t         reflect.Type
	structure string
}

func (n named) add(t reflect.Type) {
	if t.PkgPath() != "" || t.Kind() == reflect.Struct {
		name := nameOf(t)
		if _, done := n[name]; done {
			return
		}
		n[name] = part{t, structureOf(t)}
		if f := formOf(t); f != byParts {
			return // what is inside is that package's affair
		}
	}
	if t == tensorType {
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		n.add(t.Elem())
	case reflect.Map:
		n.add(t.Key())
		n.add(t.Elem())
	case reflect.Struct:
		for f := range fields(t) {
			n.add(f.Type)
		}
	}
}

// structureOf is a type's structure one level deep, for people too.
func structureOf(t reflect.Type) string {
	if f := formOf(t); f != byParts {
		return fmt.Sprintf("form %d", f)
	}
	switch t.Kind() {
	case reflect.Struct:
		var parts []string
		for f := range fields(t) {
			parts = append(parts, f.Name+" "+nameOf(f.Type))
		}
		return "struct{" + strings.Join(parts, "; ") + "}"
	case reflect.Pointer:
		return "*" + nameOf(t.Elem())
	case reflect.Slice:
		return "[]" + nameOf(t.Elem())
	case reflect.Array:
		return "[" + strconv.Itoa(t.Len()) + "]" + nameOf(t.Elem())
	case reflect.Map:
		return "map[" + nameOf(t.Key()) + "]" + nameOf(t.Elem())
	}
	return t.Kind().String()
}

// digests are the structures of the types in t, by name.
func digests(t reflect.Type) map[string]string {
	n := named{}
	n.add(t)
	out := map[string]string{}
	for name, part := range n {
		out[name] = part.structure
	}
	return out
}

// digestOf is the digest of a type: of its name and of the structures of all types in it.
func digestOf(name string, parts map[string]string) string {
	lines := []string{name}
	for name, structure := range parts {
		lines = append(lines, name+" = "+structure)
	}
	slices.Sort(lines[1:])
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
