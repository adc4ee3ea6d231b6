package keep_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"testing"

	"patchlab/kernel/cell/keep"
)

// BenchmarkRoundTrip writes and reads values by this package's format and by gob, side by side.
func BenchmarkRoundTrip(b *testing.B) {
	weights := make([]float32, 4<<20)
	for i := range weights {
		weights[i] = float32(i) * 1.1
	}
	rows := make([]record, 50_000)
	for i := range rows {
		rows[i] = record{Name: fmt.Sprint("row ", i), Scores: []float64{float64(i), 1.5}, Tags: map[string]int{"a": i}}
	}
	compare(b, "weights", weights)
	compare(b, "rows", rows)
}

// record is a row of a table.
type record struct {
	Name   string
	Scores []float64
	Tags   map[string]int
}

func compare[T any](b *testing.B, name string, value T) {
	b.Run(name+"/keep", func(b *testing.B) {
		for b.Loop() {
			var buffer bytes.Buffer
			if err := keep.Write(&buffer, "v", value); err != nil {
				b.Fatal(err)
			}
			if _, err := keep.Read[T](bytes.NewReader(buffer.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/gob", func(b *testing.B) {
		for b.Loop() {
			var buffer bytes.Buffer
			if err := gob.NewEncoder(&buffer).Encode(value); err != nil {
				b.Fatal(err)
			}
			var got T
			if err := gob.NewDecoder(&buffer).Decode(&got); err != nil {
				b.Fatal(err)
			}
		}
	})
}
