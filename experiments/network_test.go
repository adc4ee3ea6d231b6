package experiments_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/experiments"
)

// TestLogits: batches that are computed at the same time stay apart, whatever is left for the last one.
func TestLogits(t *testing.T) {
	eachBackend(t, func(t *testing.T, b compute.Backend, _ string) {
		n, err := experiments.NewNetwork(b, tiny().Model, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		const batch = 4
		d := shapes(t, 10, 31)
		size := d.Test.ImageSize()
		var want []float32 // one batch a call
		for start := 0; start < d.Test.Len(); start += batch {
			logits, err := n.Logits(t.Context(), d.Test.Images[start*size:min(start+batch, d.Test.Len())*size], d.Height, d.Width, batch)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, logits...)
		}
		for range 5 {
			got, err := n.Logits(t.Context(), d.Test.Images, d.Height, d.Width, batch)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("together\n%v, one by one\n%v", got, want)
			}
		}
		if got, err := n.Logits(t.Context(), nil, d.Height, d.Width, batch); err != nil || len(got) != 0 {
			t.Errorf("no images: %v, %v", got, err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := n.Logits(ended, d.Test.Images, d.Height, d.Width, batch); !errors.Is(err, context.Canceled) {
			t.Errorf("after the context's end: %v", err)
		}
	})
}
