package keep

import (
	"bufio"
	"encoding"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
)

// errDamaged is behind every error of bytes that no encoder writes.
var errDamaged = errors.New("the stored bytes are damaged")

// decoder reads what encoder wrote.
type decoder struct {
	r        *bufio.Reader
	left     int64 // bytes that may still come: no length is believed beyond it
	layouts  layouts
	targets  []reflect.Value // pointers, in the order in which their targets came
	known    named
	depth    int
	ordinary bool
}

func newDecoder(r *bufio.Reader, size int64, n named) *decoder {
	return &decoder{r: r, left: size, layouts: layouts{}, known: n, ordinary: littleEndian()}
}

func (d *decoder) uvarint() (uint64, error) {
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		return 0, errDamaged
	}
	return n, nil
}

// length reads a length of things of which each takes so many bytes at least.
func (d *decoder) length(least int) (int, error) {
	n, err := d.uvarint()
	if err != nil || !d.plausible(n, least) {
		return 0, errDamaged
	}
	return int(n), nil
}

func (d *decoder) plausible(n uint64, least int) bool {
	if least == 0 { // empty structs, which take no memory either
		return n <= math.MaxInt32
	}
	return n <= uint64(d.left)/uint64(least)
}

// nilOrLength reads a length of which 0 is nil, and which is one more otherwise.
func (d *decoder) nilOrLength(least int) (n int, isNil bool, err error) {
	m, err := d.uvarint()
	if err != nil || m > 0 && !d.plausible(m-1, least) {
		return 0, false, errDamaged
	}
	return int(m) - 1, m == 0, nil
}

func (d *decoder) fill(b []byte) error {
	if _, err := io.ReadFull(d.r, b); err != nil {
		return errDamaged
	}
	return nil
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.length(1)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, d.fill(b)
}

func (d *decoder) fixed(bytes int) (uint64, error) {
	var b [8]byte
	err := d.fill(b[:bytes])
	return binary.LittleEndian.Uint64(b[:]), err
}

// value reads into v, which must be addressable.
func (d *decoder) value(v reflect.Value) error {
	if d.depth++; d.depth > maxDepth+1 {
		return errDamaged
	}
	defer func() { d.depth-- }()
	l := d.layouts.of(v.Type())
	switch l.form {
	case byParts:
		return d.parts(v, l)
	case byTensor:
		return d.pointer(v, func() (reflect.Value, error) {
			t, err := d.tensor()
			return reflect.ValueOf(t), err
		}, nil)
	case closed:
		return d.nothing()
	}
	b, err := d.bytes()
	if err != nil {
		return err
	}
	if err := unmarshal(l.form, v.Addr().Interface(), b); err != nil {
		return fmt.Errorf("a %s refused to be read: %w", v.Type(), err)
	}
	return nil
}

func unmarshal(f form, p any, b []byte) error {
	switch f {
	case byBinary:
		return p.(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
	case byGob:
		return p.(gob.GobDecoder).GobDecode(b)
	case byText:
		return p.(encoding.TextUnmarshaler).UnmarshalText(b)
	default:
		return p.(json.Unmarshaler).UnmarshalJSON(b)
	}
}

func (d *decoder) parts(v reflect.Value, l *layout) error {
	switch v.Kind() {
	case reflect.Bool:
		b, err := d.r.ReadByte()
		v.SetBool(b != 0)
		if err != nil {
			return errDamaged
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := d.uvarint()
		if err != nil || v.OverflowInt(unzigzag(n)) {
			return errDamaged
		}
		v.SetInt(unzigzag(n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, err := d.uvarint()
		if err != nil || v.OverflowUint(n) {
			return errDamaged
		}
		v.SetUint(n)
	case reflect.Float32:
		bits, err := d.fixed(4)
		*(*float32)(v.Addr().UnsafePointer()) = math.Float32frombits(uint32(bits))
		return err
	case reflect.Float64:
		bits, err := d.fixed(8)
		v.SetFloat(math.Float64frombits(bits))
		return err
	case reflect.Complex64, reflect.Complex128:
		re, err := d.fixed(8)
		im, err2 := d.fixed(8)
		v.SetComplex(complex(math.Float64frombits(re), math.Float64frombits(im)))
		return errors.Join(err, err2)
	case reflect.String:
		b, err := d.bytes()
		v.SetString(string(b))
		return err
	case reflect.Array:
		return d.elements(v)
	case reflect.Slice:
		return d.slice(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Pointer:
		return d.pointer(v, func() (reflect.Value, error) { return reflect.New(v.Type().Elem()), nil },
			func(p reflect.Value) error { return d.value(p.Elem()) })
	case reflect.Interface:
		return d.dynamic(v)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return d.nothing()
	case reflect.Struct:
		for _, f := range l.fields {
			if err := at("."+f.Name, d.value(open(v, f))); err != nil {
				return err
			}
		}
	}
	return nil
}

// nothing reads what stands for a value that is zero.
func (d *decoder) nothing() error {
	if b, err := d.r.ReadByte(); err != nil || b != 0 {
		return errDamaged
	}
	return nil
}

func (d *decoder) elements(v reflect.Value) error {
	n := v.Len()
	if v.Type().Elem().Size() == 0 {
		return nil
	}
	if w := d.layouts.of(v.Type().Elem()).width; w > 0 && d.ordinary && n > 0 {
		return d.fill(raw(v.Index(0).Addr().UnsafePointer(), n, w))
	}
	for i := range n {
		if err := d.value(v.Index(i)); err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (d *decoder) slice(v reflect.Value) error {
	element := d.layouts.of(v.Type().Elem())
	n, isNil, err := d.nilOrLength(max(element.width, element.least))
	if err != nil || isNil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	return d.elements(v)
}

func (d *decoder) mapping(v reflect.Value) error {
	t := v.Type()
	n, isNil, err := d.nilOrLength(d.layouts.of(t.Key()).least)
	if err != nil || isNil {
		return err
	}
	if t.Key().Size() == 0 && n > 1 {
		return errDamaged
	}
	v.Set(reflect.MakeMap(t))
	for range n {
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := d.value(key); err != nil {
			return err
		}
		if err := d.value(value); err != nil {
			return at(fmt.Sprintf("[%v]", key), err)
		}
		if !key.Comparable() {
			return errDamaged
		}
		v.SetMapIndex(key, value)
	}
	return nil
}

// pointer reads a pointer; one that is made is known to the pointers below it before its target is filled.
func (d *decoder) pointer(v reflect.Value, make func() (reflect.Value, error), fill func(reflect.Value) error) error {
	n, err := d.uvarint()
	switch {
	case err != nil || n == 0:
		return err
	case n > 1:
		if n-2 >= uint64(len(d.targets)) || !d.targets[n-2].IsValid() || d.targets[n-2].Type() != v.Type() {
			return errDamaged
		}
		v.Set(d.targets[n-2])
		return nil
	}
	number := len(d.targets)
	d.targets = append(d.targets, reflect.Value{})
	p, err := make()
	if err != nil {
		return err
	}
	p = p.Convert(v.Type())
	d.targets[number] = p
	v.Set(p)
	if fill == nil {
		return nil
	}
	return fill(p)
}
