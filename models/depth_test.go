package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// An image passes a branch by with the block's probability, and what is taken makes up for it: the mean over
// many images is that of the whole network.
func TestStochasticDepth(t *testing.T) {
	const images, rate = 20_000, .3
	b := goBackend(t)
	for block, want := range []float64{0, .15, .3} {
		exec, err := graph.NewExec(b, func(seed *graph.Node) []*graph.Node {
			n := &network{
				Config: Config{Blocks: Repeat(Mixer{}, 3), StochasticDepth: rate}, block: block,
				pass: Pass{Training: true, Seed: seed},
			}
			x := graph.Ones(seed.Graph(), shapes.Make(dtypes.Float32, images, 2, 3))
			y := graph.MulScalar(x, 5)
			return []*graph.Node{n.skip(x, y), n.skip(x, y)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(uint32(7))
		if err != nil {
			t.Fatal(err)
		}
		first, second := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		if block > 0 && slices.Equal(first, second) {
			t.Errorf("block %d: two branches are passed by for the same images", block)
		}
		passed, sum := 0, 0.
		for image := range slices.Chunk(first, 2*3) {
			if slices.Max(image) != slices.Min(image) {
				t.Fatalf("block %d: an image's branch is taken in part: %v", block, image)
			}
			taken := float32(1 + 5/(1-want))
			switch {
			case image[0] == 1:
				passed++
			case math.Abs(float64(image[0]-taken)) > 1e-5:
				t.Fatalf("block %d: a branch that is taken gives %v, want %v", block, image[0], taken)
			}
			sum += float64(image[0])
		}
		// Five standard deviations of a binomial proportion.
		if got, within := float64(passed)/images, 5*math.Sqrt(want*(1-want)/images); math.Abs(got-want) > within {
			t.Errorf("block %d: %.4f of the images pass by, want %.4f ± %.4f", block, got, want, within)
		}
		if mean, within := sum/images, 25*math.Sqrt(want/(1-want)/images)+1e-5; math.Abs(mean-6) > within {
			t.Errorf("block %d: mean %.3f, want 6 ± %.3f", block, mean, within)
		}
	}
}

// Stochastic depth changes nothing outside training, leaves dropout's masks alone, and gradients reach what
// is behind a branch.
func TestStochasticDepthInNetworks(t *testing.T) {
	b := goBackend(t)
	images := pictures(8, 12, 3)
	plain, deep := small(), small()
	deep.StochasticDepth = .5
	run := func(c Config, pass Pass) []float32 {
		store := model.NewStore()
		exec, err := model.NewExec(b, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
			if pass.Training {
				pass.Seed = graph.Scalar(images.Graph(), dtypes.Uint32, 3)
			}
			return c.Logits(scope, images, pass)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		local, err := images.LocalClone()
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](exec.MustCall(local)[0])
	}
	if !slices.Equal(run(plain, Pass{}), run(deep, Pass{})) {
		t.Error("outside training stochastic depth changes the logits")
	}
	if slices.Equal(run(plain, Pass{Training: true}), run(deep, Pass{Training: true})) {
		t.Error("in training stochastic depth changes nothing")
	}
	first := deep
	first.Blocks, first.StochasticDepth = deep.Blocks[:1], 0
	whole := first
	first.Blocks = append(first.Blocks[:1:1], first.Blocks[0])
	whole.Blocks = first.Blocks
	first.StochasticDepth = 1e-12 // drawn, but never passed by: the masks of dropout must be the same
	for i, v := range run(first, Pass{Training: true}) {
		if w := run(whole, Pass{Training: true})[i]; math.Abs(float64(v-w)) > 1e-4 {
			t.Fatalf("logit %d is %v, with dropout's own masks %v", i, v, w)
		}
	}
	store := model.NewStore()
	_, gradients := differentiate(t, b, store, deep, images, true)
	for path, g := range gradients {
		if slices.Max(g) == 0 && slices.Min(g) == 0 && !strings.HasSuffix(path, "/key/bias") {
			t.Errorf("no gradient reaches %s", path)
		}
	}
}
