package models

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Here are layers that one kernel does as a whole, and convolutions that one does in training with all that follows them.

// hides reports whether the pass's kernels may do several operations of the network at once, of which nothing is seen.
func (n *network) hides() bool {
	return n.pass.Kernels != nil && n.pass.Taps == nil && !n.pass.BFloat16
}

// wholeLayers reports whether a whole layer of tokens x [B, T, C], or in training a convolution with all that follows it, may
// be one of the pass's kernels, which have a unit of work for each image: not of few images, nor where an image's table does
// not stay in the caches.
func (n *network) wholeLayers(x *graph.Node) bool {
	batch := x.Shape().Dim(0)
	return n.hides() && batch >= leastImages && x.Shape().Size()/batch <= cached
}

// wholeLayer is a layer by one of the pass's kernels, outside training: of its tokens and weights, and numbers that are no
// such, it makes a table of that shape.
func (n *network) wholeLayer(kernel string, shape shapes.Shape, inputs []*graph.Node, numbers ...*graph.Node) *graph.Node {
	return withGradient(func(tied []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels(kernel, slices.Concat(tied, numbers), shape)[0], tied...)
	}, func(*graph.Node) []*graph.Node {
		panic(fmt.Errorf("a %s layer by a kernel has no gradient outside training: leave Pass.Kernels nil", kernel))
	}, inputs...)
}

// whole is the layer by one of the pass's kernels, nil where there is none for it.
func (m Mixer) whole(n *network, path string, x *graph.Node) *graph.Node {
	tokens, dim := x.Shape().Dim(1), x.Shape().Dim(2)
	tokenHidden, channelHidden := m.widths(tokens)
	if n.pass.Training || !n.wholeLayers(x) || dim < leastChannels || !inCaches(tokens, tokenHidden) || !inCaches(dim, channelHidden) {
		return nil
	}
	n.sites += 2 // of the dropouts that are not there: those behind keep their masks where all but the head is frozen
	tokenNorm, channelNorm := m.norms(path)
	inputs := []*graph.Node{x}
	for _, norm := range []string{tokenNorm, channelNorm} {
		gamma, beta := n.normWeights(norm, dim, x)
		inputs = append(inputs, gamma, beta)
	}
	inputs = append(inputs, n.mlpWeights(path+"/token_mlp", x, tokens, tokenHidden)...)
	inputs = append(inputs, n.mlpWeights(path+"/channel_mlp", x, dim, channelHidden)...)
	return n.wholeLayer("mixer", x.Shape(), inputs, graph.Scalar(x.Graph(), dtypes.Float32, layerNormEpsilon))
}

// whole is the layer by one of the pass's kernels, in training by two, nil where there are none for it.
func (c ConvMixer) whole(n *network, path string, x *graph.Node) *graph.Node {
	batch, tokens, dim := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	if n.ReLU || n.passesBy() || !n.wholeLayers(x) || !inCaches(dim, dim) {
		return nil
	}
	kernel, bias := c.depthwiseWeights(n, path, x, dim)
	pointwise, bias1 := n.denseWeights(path+"/pointwise", x, dim, dim)
	before := graph.Scalar(x.Graph(), dtypes.Int32, (c.side()-1)/2) // zeros before rows and columns
	x = graph.Reshape(x, batch, n.Grid(), n.Grid(), dim)
	if n.pass.Training {
		x = n.depthwiseNorm(path+"/depthwise/norm", x, kernel, bias, before)
		return n.pointwiseNorm(path+"/pointwise/norm", graph.Reshape(x, batch, tokens, dim), pointwise, bias1, false)
	}
	scale, offset := n.movingNorm(path+"/depthwise/norm", dim, x)
	scale1, offset1 := n.movingNorm(path+"/pointwise/norm", dim, x)
	y := n.wholeLayer("convmixer", x.Shape(), []*graph.Node{x, kernel, bias, scale, offset, pointwise, bias1, scale1, offset1}, before)
	return graph.Reshape(y, batch, tokens, dim)
}

// wholeStem is GELU-BatchNorm of a convolution of patches x [B, T, P] with kernel [P, C] and bias [C], by one of the pass's
// kernels, nil where there is none for it: [B, T, C].
func (n *network) wholeStem(norm string, x, kernel, bias *graph.Node) *graph.Node {
	switch {
	case n.ReLU || !n.wholeLayers(x) || !inCaches(kernel.Shape().Dim(0), n.Dim):
		return nil
	case n.pass.Training:
		return n.pointwiseNorm(norm, x, kernel, bias, true)
	}
	scale, offset := n.movingNorm(norm, n.Dim, x)
	shape := shapes.Make(dtypes.Float32, x.Shape().Dim(0), x.Shape().Dim(1), n.Dim)
	return n.wholeLayer("pointwise", shape, []*graph.Node{x, kernel, bias, scale, offset})
}

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
