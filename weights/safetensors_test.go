package weights

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func sample() map[string]*tensors.Tensor {
	return map[string]*tensors.Tensor{
		"b/kernel": tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, float32(math.Inf(1))}, 2, 3),
		"a":        tensors.FromScalar(float32(-0.5)),
		"count":    tensors.FromFlatDataAndDimensions([]int64{1 << 40, -1}, 2),
	}
}

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for name, w := range want {
		if g := got[name]; g == nil || !g.Equal(w) {
			t.Errorf("%s: got %v, want %v", name, g, w)
		}
	}
	for n := range b.Len() {
		if _, err := Read(bytes.NewReader(b.Bytes()[:n])); err == nil {
			t.Fatalf("a file cut to %d of %d bytes was read", n, b.Len())
		}
	}
	if _, err := Read(bytes.NewReader(append(b.Bytes(), 0))); err == nil {
		t.Error("a file with a byte too many was read")
	}
}

// A description goes there and back, changes no value, and is not made up of what
// others keep in the same place.
func TestDescription(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDescribed(&b, sample(), "{\"as\": \"2 × <mixer>\"}"); err != nil {
		t.Fatal(err)
	}
	named, said, err := ReadDescribed(bytes.NewReader(b.Bytes()))
	if err != nil || said != "{\"as\": \"2 × <mixer>\"}" || len(named) != 3 || !named["a"].Equal(sample()["a"]) {
		t.Errorf("read %d tensors and %q: %v", len(named), said, err)
	}
	file := func(header string) *strings.Reader {
		return strings.NewReader(string([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}) + header)
	}
	if _, said, err := ReadDescribed(file(`{"__metadata__":{"format":"pt"}}`)); err != nil || said != "" {
		t.Errorf("PyTorch's file says %q: %v", said, err)
	}
	if _, err := Read(file(`{"__metadata__":[1]}`)); err == nil || !strings.Contains(err.Error(), "__metadata__") {
		t.Errorf("metadata that are no texts: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(b.Bytes()))
	b.Reset()
	if err := WriteDescribed(&b, sample(), "what it is"); err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(b.Bytes()))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\x46\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		named, err := Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := Write(&again, named); err != nil {
			t.Fatal(err)
		}
		if second, err := Read(&again); err != nil || len(second) != len(named) {
			t.Fatalf("what was read can't be read again: %v", err)
		}
	})
}
