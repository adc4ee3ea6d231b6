package models

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Where a pass has kernels, what is below does the work of the functions that layers.go has; whole.go has what kernels do for
// several of them at once. The limits are those that were measured (results/speed-log.md).
const (
	leastTerms    = 48      // of a product's sums, for which the kernel pays
	leastResults  = 32      // rows and columns of such a product
	leastChannels = 32      // of a Mixer that is one kernel: fewer do not fill vectors where tokens are mixed
	leastImages   = 8       // of a batch whose images are a kernel's units of work
	cached        = 1 << 16 // numbers of a table that stays in the caches
)

// worthwhile reports whether a layer's product with its bias is better done by a kernel: not a small one, which XLA does
// with what is around it. The limits are those of package backend for products without one.
func worthwhile(x, kernel shapes.Shape) bool {
	in, out := kernel.Dim(0), kernel.Dim(1)
	return in >= leastTerms && min(out, x.Size()/in) >= leastResults
}

// nativeLinear is [network.linear] by one of the pass's kernels.
func (n *network) nativeLinear(x, kernel, bias *graph.Node) *graph.Node {
	var rows []int // axes
	for axis := range x.Rank() - 1 {
		rows = append(rows, axis)
	}
	shape := shapes.Make(x.DType(), append(slices.Clone(x.Shape().Dimensions[:len(rows)]), kernel.Shape().Dim(1))...) // of y
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels("dense", inputs, shape)[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		dx := graph.DotGeneral(dy, []int{len(rows)}, nil, kernel, []int{1}, nil)
		return []*graph.Node{dx, graph.DotGeneral(x, rows, nil, dy, rows, nil), graph.ReduceSum(dy, rows...)}
	}, x, kernel, bias)
}

// nativeConv reports whether GELU after a convolution is the backend's own: outside training XLA does it in one pass with
// the BatchNorm that follows.
func (n *network) nativeConv() bool { return !n.ReLU && n.pass.Training && n.pass.Kernels != nil }

// nativeGELU is gelu(x + bias), the bias [C] being added to each row of x [..., C], by the pass's kernels.
func (n *network) nativeGELU(x, bias *graph.Node) *graph.Node {
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels("gelu", inputs, x.Shape())[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		return n.pass.Kernels("gelu_gradient", []*graph.Node{x, bias, dy}, x.Shape(), bias.Shape())
	}, x, bias)
}

// nativeMLP is [network.mlp] by one of the pass's kernels, which keeps nothing of what lies between.
func (n *network) nativeMLP(x *graph.Node, weights []*graph.Node) *graph.Node {
	all := append([]*graph.Node{x}, weights...)
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels("mlp", inputs, x.Shape())[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		var gradients []shapes.Shape
		for _, input := range all {
			gradients = append(gradients, input.Shape())
		}
		return n.pass.Kernels("mlp_gradient", append(slices.Clone(all[:4]), dy), gradients...)
	}, all...)
}

// fuses reports whether an MLP of weights [width, hidden] is better done by one kernel: in training, where its hidden units
// are made again for the gradient, only if they are so narrow that the kernel of products leaves them to XLA.
func (n *network) fuses(width, hidden int) bool {
	return inCaches(width, hidden) && (!n.pass.Training || min(width, hidden) < leastTerms)
}

// inCaches reports whether weights [width, hidden] stay in the caches: with more, a layer is not better done by one kernel
// with what is around it.
func inCaches(width, hidden int) bool { return width*hidden <= cached }

// nativeNorm is γ (x - mean)/sqrt(variance + ε) + β by the pass's kernels "layer_norm" or "batch_norm", with
// the moments, of the shape given, [B, T] or [C].
func (n *network) nativeNorm(kernel string, x, gamma, beta *graph.Node, epsilon float64, moments shapes.Shape) (y, mean, variance *graph.Node) {
	limit := graph.Scalar(x.Graph(), dtypes.Float32, epsilon)
	y = withGradient(func(inputs []*graph.Node) *graph.Node {
		results := n.pass.Kernels(kernel, append(slices.Clone(inputs), limit), x.Shape(), moments, moments)
		mean, variance = results[1], results[2]
		return linked(results[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		return n.pass.Kernels(kernel+"_gradient", []*graph.Node{x, gamma, mean, variance, dy, limit}, x.Shape(), gamma.Shape(), beta.Shape())
	}, x, gamma, beta)
	return y, mean, variance
}

// nativeAverage is [network.average] by one of the pass's kernels.
func (n *network) nativeAverage(x *graph.Node) *graph.Node {
	shape := shapes.Make(x.DType(), x.Shape().Dim(0), x.Shape().Dim(2))
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels("average", inputs, shape)[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		each := graph.ExpandAxes(graph.DivScalar(dy, float64(x.Shape().Dim(1))), 1) // [B, 1, C]
		return []*graph.Node{graph.BroadcastToShape(each, x.Shape())}
	}, x)
}
