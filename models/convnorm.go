package models

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// pointwiseNorm is [network.batchNorm] of GELU of x [B, T, in] times kernel [in, C] plus bias [C], in training by one of the
// pass's kernels: [B, T, C]. Where x is made of images alone, it has no gradient by x.
func (n *network) pointwiseNorm(path string, x, kernel, bias *graph.Node, images bool) *graph.Node {
	return n.convNorm("pointwise_norm", path, x, kernel, bias, !images)
}

// depthwiseNorm is x [B, H, W, C] plus [network.batchNorm] of GELU of its [network.depthwise] convolution plus bias [C], in
// training by one of the pass's kernels: [B, H, W, C].
func (n *network) depthwiseNorm(path string, x, kernel, bias, before *graph.Node) *graph.Node {
	return n.convNorm("depthwise_norm", path, x, kernel, bias, true, before)
}

func (n *network) convNorm(name, path string, x, kernel, bias *graph.Node, derived bool, before ...*graph.Node) *graph.Node {
	width := bias.Shape().Dim(0)
	gamma, beta := n.normWeights(path, width, x)
	table := x.Shape().Clone()
	table.Dimensions[table.Rank()-1] = width
	numbers := append([]*graph.Node{graph.Scalar(x.Graph(), dtypes.Float32, n.batchNormEpsilon())}, before...)
	var linear, active, mean, variance *graph.Node
	y := withGradient(func(inputs []*graph.Node) *graph.Node {
		results := n.pass.Kernels(name, slices.Concat(inputs, numbers), table, table, table, bias.Shape(), bias.Shape())
		linear, active, mean, variance = results[1], results[2], results[3], results[4]
		return linked(results[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		given := slices.Concat([]*graph.Node{x, kernel, bias, linear, active, gamma, mean, variance, dy}, numbers)
		wanted := []shapes.Shape{kernel.Shape(), bias.Shape(), gamma.Shape(), beta.Shape()}
		if !derived {
			return append([]*graph.Node{nil}, n.pass.Kernels(name+"_gradient", given, wanted...)...)
		}
		gradients := n.pass.Kernels(name+"_gradient", given, append(wanted, x.Shape())...)
		return append(gradients[4:], gradients[:4]...)
	}, x, kernel, bias, gamma, beta)
	movingMean, movingVariance := n.movingMoments(path, width)
	move(movingMean, mean)
	move(movingVariance, variance)
	return y
}
