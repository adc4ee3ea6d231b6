package keep_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/kernel/cell/keep"
)

// again writes a value and reads it back.
func again[T any](t *testing.T, value T, examples ...any) T {
	t.Helper()
	var b bytes.Buffer
	if err := keep.Write(&b, "value", value); err != nil {
		t.Fatalf("writing %v: %v", value, err)
	}
	got, err := keep.Read[T](bytes.NewReader(b.Bytes()), examples...)
	if err != nil {
		t.Fatalf("reading %v: %v", value, err)
	}
	return got
}

func check[T any](t *testing.T, value T, examples ...any) {
	t.Helper()
	if got := again(t, value, examples...); !reflect.DeepEqual(got, value) {
		t.Errorf("%T: %#v came back as %#v", value, value, got)
	}
}

type Shape interface{ Area() float64 }
type Square struct{ Side float64 }
type Circle struct{ Radius float64 }

func (s Square) Area() float64  { return s.Side * s.Side }
func (c *Circle) Area() float64 { return math.Pi * c.Radius * c.Radius }

type Celsius float64

type Nested struct {
	Bool     bool
	Ints     [3]int16
	Bytes    []byte
	Empty    []string
	Nil      []string
	Zero     *int
	Pointers []*float64
	Names    map[string]map[int][]Celsius
	When     time.Time
	For      time.Duration
	Any      any
	Complex  complex64
	Unnamed  struct{ A, B uint8 }
	Func     func()
	Lock     sync.Mutex
	_        int
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		check(t, n)
	}
	check(t, uint64(math.MaxUint64))
	check(t, int8(-128))
	check(t, math.Inf(-1))
	check(t, math.Copysign(0, -1))
	check(t, "a\x00b\xff✓")
	check(t, []float32{1, 2, 3})
	check(t, [][]float64{{1}, nil, {}, {2, 3}})
	check(t, []bool{true, false})
	check(t, []struct{}{{}, {}})
	check(t, map[float64]string{1.5: "a", -2: "b"})
	check(t, map[[2]string]int{{"a", "b"}: 1})
	check(t, map[any]any{"a": 1, 2: []any{nil, "x", int8(3)}, 2.5: map[string]any{}})
	check(t, map[string]error{"none": nil})
	check[any](t, nil)
	check(t, Celsius(21.5))
	zero, one := 0, 1.0
	check(t, Nested{
		Bool: true, Ints: [3]int16{-1, 0, 1}, Bytes: []byte("bytes"), Empty: []string{}, Zero: &zero,
		Pointers: []*float64{nil, &one}, Names: map[string]map[int][]Celsius{"a": {1: {2}}, "b": nil},
		When: time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC), For: time.Second, Any: []any{Celsius(1), time.Minute},
		Complex: 1 + 2i, Unnamed: struct{ A, B uint8 }{1, 2},
	})
	check(t, big.NewInt(0).Exp(big.NewInt(7), big.NewInt(99), nil))
	check(t, netip.MustParseAddr("::1"))
	check(t, image.Rect(1, 2, 3, 4))
	picture := image.NewRGBA(image.Rect(0, 0, 2, 2))
	picture.Set(1, 1, color.RGBA{1, 2, 3, 255})
	check(t, picture)
	check[image.Image](t, picture, &image.RGBA{})
	check(t, []Shape{Square{2}, &Circle{1}, nil}, Square{}, &Circle{})
}

func TestNaNKeepsItsBits(t *testing.T) {
	wide, narrow := math.Float64frombits(0x7ff4000000000123), math.Float32frombits(0x7fa00001)
	if got := again(t, wide); math.Float64bits(got) != math.Float64bits(wide) {
		t.Errorf("%x came back as %x", math.Float64bits(wide), math.Float64bits(got))
	}
	if got := again(t, narrow); math.Float32bits(got) != math.Float32bits(narrow) {
		t.Errorf("%x came back as %x", math.Float32bits(narrow), math.Float32bits(got))
	}
	m := again(t, map[float64]int{math.NaN(): 1, 2: 2})
	if len(m) != 2 || m[2] != 2 {
		t.Errorf("a map with NaN as a key came back as %v", m)
	}
}

type node struct { // its fields are hidden where this package reads it: the tests of child processes have such a type in main
	Next  *node
	Value int
}

func TestSharedTargetsAndRings(t *testing.T) {
	ring := &node{Value: 1}
	ring.Next = &node{Value: 2, Next: ring}
	if got := again(t, ring); got.Next.Next != got || got.Value != 1 || got.Next.Value != 2 {
		t.Errorf("a ring came back as %+v", got)
	}
	shared := new(int)
	pair := again(t, [2]*int{shared, shared})
	if pair[0] != pair[1] {
		t.Error("two pointers to one target came back with a target each")
	}
	type first struct{ Head struct{ N int } }
	both := struct {
		Whole *first
		Part  *struct{ N int }
	}{Whole: &first{}}
	both.Part = &both.Whole.Head // one address, two types
	both.Part.N = 7
	if got := again(t, both); got.Whole.Head.N != 7 || got.Part.N != 7 {
		t.Errorf("a pointer to a first field came back as %+v", got)
	}
	long := &node{}
	for i := range 50_000 {
		long = &node{Next: long, Value: i}
	}
	length := 0
	for n := again(t, long); n != nil; n = n.Next {
		length++
	}
	if length != 50_001 {
		t.Errorf("a list of 50,001 came back with %d", length)
	}
}

func TestEqualMapsAreEqualBytes(t *testing.T) {
	var first []byte
	for range 5 {
		m := map[string]any{}
		for _, k := range strings.Split("the quick brown fox jumps over a lazy dog", " ") {
			m[k] = map[int]string{1: k, 2: k}
		}
		var b bytes.Buffer
		if err := keep.Write(&b, "m", m); err != nil {
			t.Fatal(err)
		}
		_, body, _ := bytes.Cut(b.Bytes(), []byte("}\n"))
		body = body[:len(body)-4] // without the checksum, which covers the time in the header
		if first == nil {
			first = body
		}
		if !bytes.Equal(first, body) {
			t.Fatal("the same map was written as other bytes")
		}
	}
}

func TestTensors(t *testing.T) {
	type batch struct {
		Images, Labels *tensors.Tensor
		Again          *tensors.Tensor
		Missing        *tensors.Tensor
	}
	images := tensors.FromFlatDataAndDimensions([]float32{1, float32(math.Inf(1)), 3, 4, 5, 6}, 2, 3)
	got := again(t, batch{Images: images, Labels: tensors.FromScalar(int64(-7)), Again: images})
	if !got.Images.Equal(images) || got.Again != got.Images || got.Missing != nil || got.Labels.Value().(int64) != -7 {
		t.Errorf("tensors came back as %v", got)
	}
	if empty := again(t, tensors.FromShape(images.Shape().Clone())); !empty.Shape().Equal(images.Shape()) {
		t.Errorf("a tensor of zeros came back as %s", empty.Shape())
	}
	none := tensors.FromFlatDataAndDimensions([]uint8{}, 0, 4)
	if got := again(t, none); !got.Shape().Equal(none.Shape()) {
		t.Errorf("a tensor without elements came back as %s", got.Shape())
	}
	for _, example := range []any{[]bool{true}, []int8{1}, []uint16{1}, []float64{1}, []complex64{1i}} {
		tensor, err := tensors.FromAnyValue(example)
		if err != nil {
			t.Fatal(err)
		}
		if got := again(t, tensor); !got.Equal(tensor) {
			t.Errorf("%v came back as %v", tensor, got)
		}
	}
	if got := again[any](t, images); !got.(*tensors.Tensor).Equal(images) {
		t.Errorf("a tensor in an interface came back as %v", got)
	}
	gone := tensors.FromScalar(1.0)
	gone.MustFinalizeAll()
	if err := keep.Save("gone", gone); err == nil {
		t.Error("a finalized tensor was kept")
	}
}

func TestRefusals(t *testing.T) {
	type holder struct{ Held any }
	type selfMap map[string]any
	ownMap := selfMap{}
	ownMap["me"] = ownMap
	ownSlice := make([]any, 1)
	ownSlice[0] = ownSlice
	locked := struct{ Locks map[string]*sync.Mutex }{map[string]*sync.Mutex{"a": {}}}
	locked.Locks["a"].Lock()
	deep := &node{}
	for range 200_000 {
		deep = &node{Next: deep}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{keep.Save("x", make(chan int)), `a chan int cannot be kept (nor can other channel values)`},
		{keep.Save("x", func() {}), `a func() cannot be kept`},
		{keep.Save("x", holder{[]any{1, func() {}}}), `at .Held[1]: a func() cannot be kept`},
		{keep.Save("x", map[string]any{"a": make(chan<- bool)}), `at [a]: a chan<- bool cannot be kept`},
		{keep.Save("x", ownMap), "at [me]: a keep_test.selfMap contains itself"},
		{keep.Save("x", ownSlice), "at [0]: a []interface {} contains itself"},
		{keep.Save("x", locked), "at .Locks[a]: a sync.Mutex has unexported fields, which only its own package may set"},
		{keep.Save("x", errors.New("no")), "an errors.errorString has unexported fields"},
		{keep.Save("x", deep), ".Next….Next.Next.Next.Next.Next.Next.Next.Next.Next.Next: nested more than 200000 deep"},
		{keep.Save("", 1), "the name is empty"},
	} {
		want := strings.Replace(c.want, "an errors", "a errors", 1)
		if c.err == nil || !strings.Contains(c.err.Error(), want) {
			t.Errorf("error %v, want one with %q", c.err, want)
		}
	}
	if keep.Has("x") {
		t.Error("something was kept all the same")
	}
	keep.Value("shapes", []Shape{Square{1}})
	if _, err := keep.Load[[]Shape]("shapes"); err == nil || !strings.Contains(err.Error(), "holds a keep_test.Square: give Get an example") {
		t.Errorf("without an example: %v", err)
	}
}
