package models

import (
	"fmt"

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
	if y := c.whole(n, path, x); y != nil {
		return y
	}
	kernel, bias := c.depthwiseWeights(n, path, x, dim)
	y := n.depthwise(graph.Reshape(x, batch, grid, grid, dim), kernel)
	y.AssertDims(batch, grid, grid, dim)
	y = n.biasedConv(graph.Reshape(y, batch, tokens, dim), bias)
	x = n.skip(x, n.batchNorm(path+"/depthwise/norm", y)) // [B, T, C]

	// A 1 x 1 convolution is Dense over each token.
	kernel, bias = n.denseWeights(path+"/pointwise", x, dim, dim)
	return n.batchNorm(path+"/pointwise/norm", n.linearConv(x, kernel, bias))
}

// depthwiseWeights are a kernel [k, k, 1, C] and a bias [C].
func (c ConvMixer) depthwiseWeights(n *network, path string, x *graph.Node, dim int) (kernel, bias *graph.Node) {
	kernel = n.weight(path+"/depthwise/kernel", depthwiseGlorot, c.side(), c.side(), 1, dim).NodeValue(x)
	bias = n.weight(path+"/depthwise/bias", zeros, dim).NodeValue(x)
	return kernel, bias
}

// depthwiseGlorot is glorot of Keras's depthwise kernel, whose axes are [k, k, C, 1] where ours are
// [k, k, 1, C]: its fan-in is k*k*C, its fan-out k*k.
func depthwiseGlorot(random generator, dims []int, values []float32) {
	glorot(random, []int{dims[0], dims[1], dims[3], dims[2]}, values)
}

func (c ConvMixer) flops(tokens, dim int) int64 {
	return products(tokens, c.side()*c.side(), dim) + products(tokens, dim, dim)
}
