package experiments_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/experiments"
	"patchlab/models"
)

// TestInspect: the intermediates belong to the images and blocks that they
// claim, and looking changes nothing.
func TestInspect(t *testing.T) {
	eachBackend(t, func(t *testing.T, b compute.Backend, _ string) {
		config := tiny().Model
		config.Blocks = models.Stack{models.ConvMixer{}, models.ViT{}, models.Mixer{TokenHidden: 5}, models.ViT{Heads: 2}}
		n, err := experiments.NewNetwork(b, config, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		d := shapes(t, 10, 3)
		before, err := n.Logits(t.Context(), d.Test.Images, d.Height, d.Width, 3)
		if err != nil {
			t.Fatal(err)
		}
		in, err := n.Inspect(t.Context(), d.Test.Images, d.Height, d.Width)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range in.Logits {
			if math.Abs(float64(v-before[i])) > 1e-4 {
				t.Fatalf("logit %d is %v, without taps %v", i, v, before[i])
			}
		}
		if len(in.Attention) != 2 || len(in.TokenHidden) != 1 {
			t.Fatalf("%d layers of attention, %d of hidden units; want 2, 1", len(in.Attention), len(in.TokenHidden))
		}
		for i, want := range []struct {
			got   experiments.Layer
			block int
			dims  []int
		}{{in.Attention[0], 1, []int{3, 4, 16, 16}}, {in.Attention[1], 3, []int{3, 2, 16, 16}}, {in.TokenHidden[0], 2, []int{3, 8, 5}}} {
			if want.got.Block != want.block || !slices.Equal(want.got.Dims, want.dims) {
				t.Errorf("layer %d: block %d, %v; want %d, %v", i, want.got.Block, want.got.Dims, want.block, want.dims)
			}
		}
		alone, err := n.Inspect(t.Context(), d.Test.Image(2), d.Height, d.Width)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range in.Attention[1].Image(2) {
			if math.Abs(float64(v-alone.Attention[1].Values[i])) > 1e-5 {
				t.Fatalf("score %d of image 2 is %v among others, %v alone", i, v, alone.Attention[1].Values[i])
			}
		}

		kernel, dims, err := n.Weight("block_0/depthwise/kernel")
		if err != nil || !slices.Equal(dims, []int{5, 5, 1, 8}) || len(kernel) != 200 {
			t.Errorf("the kernel is %d values, %v, %v; want 200, [5 5 1 8]", len(kernel), dims, err)
		}
		kernel[0] = 99
		if again, _, err := n.Weight("block_0/depthwise/kernel"); err != nil || again[0] == 99 {
			t.Errorf("the caller changed the network's weights (%v)", err)
		}
		if _, _, err := n.Weight("optimizer/step"); err == nil {
			t.Error("a variable that is no model's was given")
		}
		for _, bytes := range []int{0, 5} {
			if _, err := n.Inspect(t.Context(), make([]uint8, bytes), d.Height, d.Width); err == nil {
				t.Errorf("%d bytes were taken for images", bytes)
			}
		}
	})
}
