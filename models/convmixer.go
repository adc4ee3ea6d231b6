package models

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// ConvMixer is one block of ConvMixer (Trockman & Kolter 2022, "Patches Are All You Need?", section
// 2, equations 2 and 3):
//
//	U = X + norm(gelu(depthwise k x k convolution(X)))    mixes places
//	Y = norm(gelu(1 x 1 convolution(U)))                  mixes channels
//
// with BatchNorm for norm, and Config.ReLU for GELU where that is set. As in Keras's example "Image classification using ConvMixer".
type ConvMixer struct {
	Kernel int `json:"kernel,omitempty"` // side k of the depthwise kernel; 0: 5
}

// Kind returns "convmixer".
func (ConvMixer) Kind() string { return "convmixer" }

func (c ConvMixer) validate() error {
	if c.Kernel < 0 || c.Kernel > maxSize {
		return fmt.Errorf("kernel is %d, but must be 1 to %d, or 0 for 5", c.Kernel, maxSize)
	}
	return nil
}

func (c ConvMixer) side() int { return orDefault(c.Kernel, 5) }

func (c ConvMixer) build(n *network, path string, x *graph.Node) *graph.Node {
	batch, tokens, dim := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	grid := n.Grid()

	kernel := n.weight(path+"/depthwise/kernel", depthwiseGlorot, c.side(), c.side(), 1, dim).NodeValue(x)
	bias := n.weight(path+"/depthwise/bias", zeros, dim).NodeValue(x)
	fused := n.wholeLayers(x) && !n.ReLU && inCaches(dim, dim)
	before := graph.Scalar(x.Graph(), dtypes.Int32, (c.side()-1)/2) // zeros before rows and columns
	if fused && n.pass.Training {
		x = graph.Reshape(x, batch, grid, grid, dim)
		x = n.depthwiseNorm(path+"/depthwise/norm", x, kernel, bias, before)
		pointwise, bias1 := n.denseWeights(path+"/pointwise", x, dim, dim)
		return n.pointwiseNorm(path+"/pointwise/norm", graph.Reshape(x, batch, tokens, dim), pointwise, bias1, false)
	}
	if fused {
		scale, offset := n.movingNorm(path+"/depthwise/norm", dim, x)
		pointwise, bias1 := n.denseWeights(path+"/pointwise", x, dim, dim)
		scale1, offset1 := n.movingNorm(path+"/pointwise/norm", dim, x)
		x = graph.Reshape(x, batch, grid, grid, dim)
		inputs := []*graph.Node{x, kernel, bias, scale, offset, pointwise, bias1, scale1, offset1}
		y := n.wholeLayer("convmixer", x.Shape(), inputs, before)
		return graph.Reshape(y, batch, tokens, dim)
	}
	y := graph.Reshape(x, batch, grid, grid, dim)
	y = n.depthwise(y, kernel)
	y.AssertDims(batch, grid, grid, dim)
	y = n.biasedConv(graph.Reshape(y, batch, tokens, dim), bias)
	x = n.skip(x, n.batchNorm(path+"/depthwise/norm", y)) // [B, T, C]

	// A 1 x 1 convolution is Dense over each token.
	kernel, bias = n.denseWeights(path+"/pointwise", x, dim, dim)
	return n.batchNorm(path+"/pointwise/norm", n.linearConv(x, kernel, bias))
}

// depthwiseGlorot is glorot of Keras's depthwise kernel, whose axes are [k, k, C, 1] where ours are
// [k, k, 1, C]: its fan-in is k*k*C, its fan-out k*k.
func depthwiseGlorot(random generator, dims []int, values []float32) {
	glorot(random, []int{dims[0], dims[1], dims[3], dims[2]}, values)
}

func (c ConvMixer) flops(tokens, dim int) int64 {
	return products(tokens, c.side()*c.side(), dim) + products(tokens, dim, dim)
}
