package keep

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"reflect"

	"github.com/gomlx/gomlx/core/tensors"
)

// form is how values of a type are written.
type form int

const (
	byParts  form = iota // element by element, field by field
	byTensor             // shape and bytes
	byBinary             // the type's own MarshalBinary, …
	byGob
	byText
	byJSON
	closed // not, except its zero value: other packages' hidden fields
)

var (
	tensorType = reflect.TypeFor[*tensors.Tensor]()
	errorType  = reflect.TypeFor[error]()
	anyType    = reflect.TypeFor[any]()
)

// marshallers are pairs of methods, in the order in which they are preferred.
var marshallers = [...]struct {
	form     form
	out, in  reflect.Type
	function string
}{
	{byBinary, reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), "MarshalBinary"},
	{byGob, reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[gob.GobDecoder](), "GobEncode"},
	{byText, reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "MarshalText"},
	{byJSON, reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](), "MarshalJSON"},
}

// formOf chooses how values of a type are written: by parts where every part can be reached and named, else by the
// type's own methods. A struct's methods do not count where an embedded field brings them: they would lose the rest.
func formOf(t reflect.Type) form {
	if t == tensorType {
		return byTensor
	}
	hidden := hasHiddenFields(t)
	if t.PkgPath() == "" || t.PkgPath() == "main" || !hidden && !hasMethods(t) {
		if hidden {
			return closed // an unnamed struct of another package
		}
		return byParts
	}
	for _, m := range marshallers {
		p := reflect.PointerTo(t)
		if p.Implements(m.out) && p.Implements(m.in) && !promoted(t, m.out) {
			return m.form
		}
	}
	if hidden {
		return closed
	}
	return byParts
}

// hasHiddenFields tells whether a struct has fields that only another package may set. Those of package main are the
// notebook's own.
func hasHiddenFields(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for f := range fields(t) {
		if f.PkgPath != "" && f.PkgPath != "main" {
			return true
		}
	}
	return false
}

// hasMethods tells whether a type's parts are interfaces with methods, whose content is named only by its type.
func hasMethods(t reflect.Type) bool {
	named := func(t reflect.Type) bool { return t.Kind() == reflect.Interface && t.NumMethod() > 0 }
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return named(t.Elem())
	case reflect.Struct:
		for f := range fields(t) {
			if named(f.Type) {
				return true
			}
		}
	}
	return false
}

func promoted(t, method reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for f := range fields(t) {
		if f.Anonymous && (f.Type.Implements(method) || reflect.PointerTo(f.Type).Implements(method)) {
			return true
		}
	}
	return false
}

// fields yields a struct's fields without those named _.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" && !yield(f) {
				return
			}
		}
	}
}

// layout is what encoding and decoding ask of a type again and again.
type layout struct {
	form   form
	fields []reflect.StructField
	width  int // bytes of an element that is a number of fixed width; 0 for all others
	least  int // encoded bytes that a value takes at least
}

type layouts map[reflect.Type]*layout

func (l layouts) of(t reflect.Type) *layout {
	if known := l[t]; known != nil {
		return known
	}
	made := &layout{form: formOf(t), width: width(t)}
	l[t] = made
	switch {
	case made.form == byParts && t.Kind() == reflect.Struct:
		for f := range fields(t) {
			made.fields = append(made.fields, f)
			made.least += l.of(f.Type).least // a type that contains itself does so behind something of at least a byte
		}
	case made.form == byParts && t.Kind() == reflect.Array:
		element := l.of(t.Elem())
		made.least = t.Len() * max(element.width, element.least)
	default:
		made.least = 1
	}
	return made
}

func width(t reflect.Type) int {
	switch t.Kind() {
	case reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16, reflect.Int32, reflect.Uint32, reflect.Int64,
		reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return int(t.Size())
	}
	return 0
}
