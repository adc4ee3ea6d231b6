package keep

import (
	"fmt"
	"reflect"
	"time"
)

// What an interface holds is written with its type: predeclared types and what is composed of them in full, types
// with a name by that name. A reader finds named types among those that its own type contains, those of which it
// was given examples, and a few of the standard library.

const (
	codePredeclared = iota + 1 // and the kind
	codeNamed                  // and the name
	codePointer                // and the element's type
	codeSlice
	codeArray // and the length
	codeMap   // and the key's type
	codeAny
	codeError
)

func (e *encoder) typeOf(t reflect.Type) error {
	switch {
	case t == anyType:
		return e.uvarint(codeAny)
	case t == errorType:
		return e.uvarint(codeError)
	case t.PkgPath() != "" || t.Kind() == reflect.Struct:
		if err := e.uvarint(codeNamed); err != nil {
			return err
		}
		return e.bytes([]byte(nameOf(t) + "\n" + digestOf(nameOf(t), digests(t))))
	}
	code := uint64(codePredeclared)
	switch t.Kind() {
	case reflect.Pointer:
		code = codePointer
	case reflect.Slice:
		code = codeSlice
	case reflect.Array:
		code = codeArray
	case reflect.Map:
		code = codeMap
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Interface:
		return fmt.Errorf("a %s cannot be kept", t)
	}
	if err := e.uvarint(code); err != nil {
		return err
	}
	switch code {
	case codePredeclared:
		return e.uvarint(uint64(t.Kind()))
	case codeArray:
		if err := e.uvarint(uint64(t.Len())); err != nil {
			return err
		}
	case codeMap:
		if err := e.typeOf(t.Key()); err != nil {
			return err
		}
	}
	return e.typeOf(t.Elem())
}

// predeclared are the types without a package that interfaces hold.
var predeclared = map[reflect.Kind]reflect.Type{
	reflect.Bool: reflect.TypeFor[bool](), reflect.String: reflect.TypeFor[string](),
	reflect.Int: reflect.TypeFor[int](), reflect.Int8: reflect.TypeFor[int8](), reflect.Int16: reflect.TypeFor[int16](),
	reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](),
	reflect.Uint: reflect.TypeFor[uint](), reflect.Uint8: reflect.TypeFor[uint8](), reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](), reflect.Uint64: reflect.TypeFor[uint64](), reflect.Uintptr: reflect.TypeFor[uintptr](),
	reflect.Float32: reflect.TypeFor[float32](), reflect.Float64: reflect.TypeFor[float64](),
	reflect.Complex64: reflect.TypeFor[complex64](), reflect.Complex128: reflect.TypeFor[complex128](),
}

// known are the named types that a reader of t finds.
func known(t reflect.Type, examples []any) named {
	n := named{}
	for _, t := range []reflect.Type{t, reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), tensorType.Elem()} {
		n.add(t)
	}
	for _, example := range examples {
		if example != nil {
			n.add(reflect.TypeOf(example))
		}
	}
	return n
}
