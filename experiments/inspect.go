package experiments

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
	"patchlab/models"
)

// Layer is what one block of the stack holds for some images.
type Layer struct {
	Block  int   // its place in the stack, from 0
	Dims   []int // of Values; the first counts the images
	Values []float32
}

// Image is the layer's values for image i, not a copy.
func (l Layer) Image(i int) []float32 {
	size := len(l.Values) / l.Dims[0]
	return l.Values[i*size : (i+1)*size]
}

// Inside is what a network holds for images, outside training.
type Inside struct {
	// Logits are [count][classes] flattened, as Network.Logits gives them.
	Logits []float32
	// Attention scores [count, heads, T, T] of each ViT block; rows sum to 1.
	Attention []Layer
	// TokenHidden units [count, C, hidden] of each Mixer block, after GELU.
	TokenHidden []Layer
}

// Inspect runs the network on count images of one size, each height × width ×
// channels bytes, and keeps its intermediates (models.Taps). All go through in
// one batch: ask for a few at a time, always as many, for each number compiles
// a graph of its own.
func (n *Network) Inspect(ctx context.Context, images []uint8, height, width int) (Inside, error) {
	size := height * width * n.Config.Channels
	if size == 0 || len(images) == 0 || len(images)%size != 0 {
		return Inside{}, fmt.Errorf("inspect: %d bytes are no whole number of %d×%d images with %d channels", len(images), height, width, n.Config.Channels)
	}
	if err := ctx.Err(); err != nil {
		return Inside{}, err
	}
	if n.inside == nil {
		if err := n.buildInside(); err != nil {
			return Inside{}, err
		}
	}
	input := tensors.FromFlatDataAndDimensions(slices.Clone(images), len(images)/size, height, width, n.Config.Channels)
	var out []*tensors.Tensor
	err := guard("inspect", func() (err error) {
		out, err = n.inside.Exec(input)
		return err
	})
	if err != nil {
		return Inside{}, err
	}
	layers := make([]Layer, len(out))
	for i, t := range out {
		layers[i].Dims = slices.Clone(t.Shape().Dimensions)
		if layers[i].Values, err = tensors.CopyFlatData[float32](t); err != nil {
			return Inside{}, fmt.Errorf("inspect: %w", err)
		}
	}
	if err := finalize(append(out, input)...); err != nil {
		return Inside{}, err
	}
	in := Inside{Logits: layers[0].Values}
	if err := checkLogits(in.Logits); err != nil {
		return Inside{}, err
	}
	layers = layers[1:]
	for block, b := range n.Config.Blocks { // attention first, as buildInside returns it
		if _, ok := b.(models.ViT); ok {
			layers[0].Block = block
			in.Attention, layers = append(in.Attention, layers[0]), layers[1:]
		}
	}
	for block, b := range n.Config.Blocks {
		if _, ok := b.(models.Mixer); ok {
			layers[0].Block = block
			in.TokenHidden, layers = append(in.TokenHidden, layers[0]), layers[1:]
		}
	}
	return in, nil
}

// buildInside makes the forward pass that returns its taps.
func (n *Network) buildInside() error {
	return guard("inspect", func() (err error) {
		n.inside, err = model.NewExec(n.backend, n.store, func(scope *model.Scope, images *graph.Node) []*graph.Node {
			var taps models.Taps
			logits := n.Config.Logits(scope, images, models.Pass{Taps: &taps, Kernels: backend.Kernels(images.Graph())})
			return slices.Concat([]*graph.Node{logits}, taps.Attention, taps.TokenHidden)
		})
		if err == nil {
			n.inside.WithName("inside").SetMaxCache(-1)
		}
		return err
	})
}

// Weight returns a copy of one of the model's variables and its dimensions, by
// the path that package models lists, such as "block_0/depthwise/kernel".
func (n *Network) Weight(path string) (values []float32, dims []int, err error) {
	if !slices.Contains(n.names, "/"+path) {
		return nil, nil, fmt.Errorf("the model has no weights %s", path)
	}
	t, err := n.store.GetVariable("/" + path).Value()
	if err != nil {
		return nil, nil, fmt.Errorf("weights %s: %w", path, err)
	}
	if values, err = tensors.CopyFlatData[float32](t); err != nil {
		return nil, nil, fmt.Errorf("weights %s: %w", path, err)
	}
	return values, slices.Clone(t.Shape().Dimensions), nil
}

// Probability is that of one class for an image's logits.
func Probability(logits []float32, class int) float64 {
	return math.Exp(float64(logits[class]) - logSumExp(logits))
}
