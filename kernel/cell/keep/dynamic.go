package keep

import (
	"fmt"
	"math"
	"reflect"
	"strings"
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

func (e *encoder) dynamic(v reflect.Value) error {
	if v.IsNil() {
		return e.uvarint(0)
	}
	if err := e.uvarint(1); err != nil {
		return err
	}
	inner := v.Elem()
	if err := e.typeOf(inner.Type()); err != nil {
		return err
	}
	return e.value(movable(inner))
}

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

func (d *decoder) dynamic(v reflect.Value) error {
	n, err := d.uvarint()
	if err != nil || n == 0 {
		return err
	}
	t, err := d.typeOf()
	if err != nil {
		return err
	}
	if !t.AssignableTo(v.Type()) {
		return fmt.Errorf("a %s is no %s", t, v.Type())
	}
	inner := reflect.New(t).Elem()
	if err := d.value(inner); err != nil {
		return err
	}
	v.Set(inner)
	return nil
}

func (d *decoder) typeOf() (reflect.Type, error) {
	if d.depth++; d.depth > maxDepth {
		return nil, errDamaged
	}
	defer func() { d.depth-- }()
	code, err := d.uvarint()
	if err != nil {
		return nil, err
	}
	var n uint64
	var key reflect.Type
	switch code {
	case codeAny:
		return anyType, nil
	case codeError:
		return errorType, nil
	case codePredeclared:
		kind, err := d.uvarint()
		if t := predeclared[reflect.Kind(kind)]; err == nil && t != nil {
			return t, nil
		}
		return nil, errDamaged
	case codeNamed:
		return d.namedType()
	case codePointer, codeSlice:
	case codeArray:
		if n, err = d.uvarint(); err != nil {
			return nil, errDamaged
		}
	case codeMap:
		if key, err = d.typeOf(); err != nil {
			return nil, err
		}
		if !key.Comparable() {
			return nil, errDamaged
		}
	default:
		return nil, errDamaged
	}
	elem, err := d.typeOf()
	if err != nil {
		return nil, err
	}
	switch code {
	case codePointer:
		return reflect.PointerTo(elem), nil
	case codeSlice:
		return reflect.SliceOf(elem), nil
	case codeArray:
		if size := elem.Size(); n > math.MaxInt32 || size > 0 && n > uint64(32*d.left+1<<16)/uint64(size) {
			return nil, errDamaged
		}
		return reflect.ArrayOf(int(n), elem), nil
	}
	return reflect.MapOf(key, elem), nil
}

func (d *decoder) namedType() (reflect.Type, error) {
	b, err := d.bytes()
	if err != nil {
		return nil, err
	}
	name, digest, _ := strings.Cut(string(b), "\n")
	found, ok := d.known[name]
	if !ok {
		return nil, &unknownError{name}
	}
	if digestOf(name, digests(found.t)) != digest {
		return nil, &changedError{fmt.Sprintf("the type %s has changed since", short(name))}
	}
	return found.t, nil
}
