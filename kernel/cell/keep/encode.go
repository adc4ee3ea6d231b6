package keep

import (
	"bufio"
	"encoding"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/gomlx/gomlx/core/tensors"
)

// maxDepth bounds how deep a value is nested, so that encoding and decoding it fit on a goroutine's stack. An element of
// a linked list nests by two: the pointer and the struct.
const maxDepth = 200_000

// partError is an error at a part of a value.
type partError struct {
	steps []string // the last first, such as ".Weight", "[3]", ".Layers"
	err   error
}

func (e *partError) Error() string {
	const most = 10 // steps that are shown from either end
	var path strings.Builder
	for i, step := range slices.Backward(e.steps) {
		switch n := len(e.steps); {
		case n-1-i == most && n > 2*most:
			path.WriteString("…")
		case n-1-i < most || i < most || n <= 2*most:
			path.WriteString(step)
		}
	}
	return "at " + path.String() + ": " + e.err.Error()
}
func (e *partError) Unwrap() error { return e.err }

// at says that an error happened in the part of a value that step leads to.
func at(step string, err error) error {
	if err == nil {
		return nil
	}
	if part, ok := err.(*partError); ok {
		part.steps = append(part.steps, step)
		return err
	}
	return &partError{[]string{step}, err}
}

// place is what a pointer points to: an object and its first field have one address.
type place struct {
	address unsafe.Pointer
	t       reflect.Type
}

// encoder writes values by their static types, so that a reader needs the same types and nothing else. Integers are
// varints, floats little-endian bits; lengths are one more, 0 being nil. A pointer's target is written where it is
// met first and referred to by its number afterwards, so that shared targets and rings of pointers come back as such.
type encoder struct {
	w        *bufio.Writer
	layouts  layouts
	targets  map[place]uint64 // numbers of what was written, from 2
	under    map[place]bool   // maps and slices being written
	depth    int
	scratch  []byte
	ordinary bool // little-endian, as files are
}

func newEncoder(w *bufio.Writer) *encoder {
	return &encoder{w: w, layouts: layouts{}, targets: map[place]uint64{}, under: map[place]bool{}, ordinary: littleEndian()}
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

func (e *encoder) uvarint(n uint64) error {
	e.scratch = binary.AppendUvarint(e.scratch[:0], n)
	_, err := e.w.Write(e.scratch)
	return err
}

func (e *encoder) fixed(bits uint64, bytes int) error {
	e.scratch = binary.LittleEndian.AppendUint64(e.scratch[:0], bits)
	_, err := e.w.Write(e.scratch[:bytes])
	return err
}

func (e *encoder) bytes(b []byte) error {
	if err := e.uvarint(uint64(len(b))); err != nil {
		return err
	}
	_, err := e.w.Write(b)
	return err
}

// value writes v, which must be addressable: then its unexported fields can be read whole.
func (e *encoder) value(v reflect.Value) error {
	if e.depth++; e.depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	defer func() { e.depth-- }()
	l := e.layouts.of(v.Type())
	switch l.form {
	case byParts:
		return e.parts(v, l)
	case byTensor:
		return e.pointer(v, func() error { return e.tensor(v.Interface().(*tensors.Tensor)) })
	case closed:
		if !v.IsZero() {
			return fmt.Errorf("a %s has unexported fields, which only its own package may set", v.Type())
		}
		return e.w.WriteByte(0)
	}
	b, err := marshal(l.form, v.Addr().Interface())
	if err != nil {
		return fmt.Errorf("a %s refused to be written: %w", v.Type(), err)
	}
	return e.bytes(b)
}

func marshal(f form, p any) ([]byte, error) {
	switch f {
	case byBinary:
		return p.(encoding.BinaryMarshaler).MarshalBinary()
	case byGob:
		return p.(gob.GobEncoder).GobEncode()
	case byText:
		return p.(encoding.TextMarshaler).MarshalText()
	default:
		return p.(json.Marshaler).MarshalJSON()
	}
}

func (e *encoder) parts(v reflect.Value, l *layout) error {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return e.w.WriteByte(1)
		}
		return e.w.WriteByte(0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return e.uvarint(zigzag(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return e.uvarint(v.Uint())
	case reflect.Float32:
		return e.fixed(uint64(math.Float32bits(*(*float32)(v.Addr().UnsafePointer()))), 4) // Float() would quiet a NaN
	case reflect.Float64:
		return e.fixed(math.Float64bits(v.Float()), 8)
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		return errors.Join(e.fixed(math.Float64bits(real(c)), 8), e.fixed(math.Float64bits(imag(c)), 8))
	case reflect.String:
		return e.bytes(unsafe.Slice(unsafe.StringData(v.String()), v.Len()))
	case reflect.Array:
		return e.elements(v)
	case reflect.Slice:
		return e.slice(v)
	case reflect.Map:
		return e.mapping(v)
	case reflect.Pointer:
		return e.pointer(v, func() error { return e.value(v.Elem()) })
	case reflect.Interface:
		return e.dynamic(v)
	case reflect.Struct:
		for _, f := range l.fields {
			if err := at("."+f.Name, e.value(open(v, f))); err != nil {
				return err
			}
		}
		return nil
	}
	if v.IsZero() { // nil
		return e.w.WriteByte(0)
	}
	return fmt.Errorf("a %s cannot be kept (nor can other %s values): keep what it is made from, or leave it nil",
		v.Type(), kindName(v.Kind()))
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Func:
		return "function"
	case reflect.Chan:
		return "channel"
	}
	return "unsafe pointer"
}

func zigzag(n int64) uint64   { return uint64(n)<<1 ^ uint64(n>>63) }
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// open is a field as if it were exported. Only fields of the notebook's own types come here unexported.
func open(v reflect.Value, f reflect.StructField) reflect.Value {
	field := v.FieldByIndex(f.Index)
	if f.PkgPath == "" {
		return field
	}
	return reflect.NewAt(f.Type, field.Addr().UnsafePointer()).Elem()
}

// raw is the memory of a slice's or an array's elements, n numbers of fixed width.
func raw(first unsafe.Pointer, n, width int) []byte { return unsafe.Slice((*byte)(first), n*width) }

func (e *encoder) elements(v reflect.Value) error {
	n := v.Len()
	if v.Type().Elem().Size() == 0 {
		return nil
	}
	if w := e.layouts.of(v.Type().Elem()).width; w > 0 && e.ordinary && n > 0 {
		_, err := e.w.Write(raw(v.Index(0).Addr().UnsafePointer(), n, w))
		return err
	}
	for i := range n {
		if err := e.value(v.Index(i)); err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (e *encoder) slice(v reflect.Value) error {
	if v.IsNil() {
		return e.uvarint(0)
	}
	if err := e.uvarint(uint64(v.Len()) + 1); err != nil || v.Len() == 0 {
		return err
	}
	leave, err := e.enter(place{v.UnsafePointer(), v.Type()})
	if err != nil {
		return err
	}
	defer leave()
	return e.elements(v)
}

func (e *encoder) mapping(v reflect.Value) error {
	if v.IsNil() {
		return e.uvarint(0)
	}
	if err := e.uvarint(uint64(v.Len()) + 1); err != nil {
		return err
	}
	leave, err := e.enter(place{v.UnsafePointer(), v.Type()})
	if err != nil {
		return err
	}
	defer leave()
	type pair struct {
		key   reflect.Value
		order []byte
		value reflect.Value
	}
	var pairs []pair
	for iter := v.MapRange(); iter.Next(); {
		p := pair{key: movable(iter.Key()), value: movable(iter.Value())}
		if p.order, err = sortKey(p.key); err != nil {
			return at(fmt.Sprintf("[%v]", iter.Key()), err)
		}
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return slices.Compare(a.order, b.order) }) // equal maps, equal bytes
	for _, p := range pairs {
		if err := e.value(p.key); err != nil {
			return at(fmt.Sprintf("[%v]", p.key), err)
		}
		if err := e.value(p.value); err != nil {
			return at(fmt.Sprintf("[%v]", p.key), err)
		}
	}
	return nil
}

// sortKey is a map's key in bytes. Pointers in keys come in any order.
func sortKey(key reflect.Value) ([]byte, error) {
	switch key.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.BigEndian.AppendUint64(nil, uint64(key.Int())^1<<63), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.BigEndian.AppendUint64(nil, key.Uint()), nil
	case reflect.String:
		return []byte(key.String()), nil
	}
	var b sliceWriter
	w := bufio.NewWriter(&b)
	err := errors.Join(newEncoder(w).value(key), w.Flush())
	return b, err
}

type sliceWriter []byte

func (w *sliceWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// movable is a copy that is addressable.
func movable(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// enter refuses a map or slice that contains itself.
func (e *encoder) enter(p place) (leave func(), err error) {
	if e.under[p] {
		return nil, fmt.Errorf("a %s contains itself", p.t)
	}
	e.under[p] = true
	return func() { delete(e.under, p) }, nil
}

// pointer writes 0 for nil, 1 before a target that is written here, or the number of one that was.
func (e *encoder) pointer(v reflect.Value, target func() error) error {
	if v.IsNil() {
		return e.uvarint(0)
	}
	p := place{v.UnsafePointer(), v.Type()}
	if number, met := e.targets[p]; met {
		return e.uvarint(number)
	}
	e.targets[p] = uint64(len(e.targets)) + 2
	if err := e.uvarint(1); err != nil {
		return err
	}
	return target()
}
