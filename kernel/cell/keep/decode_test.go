package keep

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"
	"time"
)

// FuzzDecode decodes bytes behind the checksum that keeps damage from the decoder: it returns an error or a value that
// can be encoded, and asks for no more memory than the bytes account for.
func FuzzDecode(f *testing.F) {
	one := 1.0
	for _, v := range []any{
		1, "a", []any{nil, 1.5, map[string]any{"x": true}}, [][]float32{{1}}, &one, [2]*float64{&one, &one}, time.Unix(1, 2),
		map[int8][]byte{1: []byte("b")}, []complex64{1i},
	} {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		p := reflect.ValueOf(&v).Elem()
		if err := newEncoder(w).value(p); err != nil {
			f.Fatal(err)
		}
		w.Flush()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		p := reflect.ValueOf(&v).Elem()
		if err := newDecoder(bufio.NewReader(bytes.NewReader(b)), int64(len(b)), known(p.Type(), nil)).value(p); err != nil {
			return
		}
		if err := newEncoder(bufio.NewWriter(&bytes.Buffer{})).value(p); err != nil {
			t.Errorf("%v was decoded and cannot be encoded: %v", v, err)
		}
	})
}
