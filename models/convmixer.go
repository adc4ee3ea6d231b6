package models

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
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

	y := graph.Reshape(x, batch, grid, grid, dim)
	kernel := n.weight(path+"/depthwise/kernel", depthwiseGlorot, c.side(), c.side(), 1, dim).NodeValue(x)
	bias := n.weight(path+"/depthwise/bias", zeros, dim).NodeValue(x)
	y = graph.Add(depthwise(y, kernel, n.pass.Training), graph.Reshape(bias, 1, 1, 1, dim))
	y.AssertDims(batch, grid, grid, dim)
	y = graph.Reshape(y, batch, tokens, dim)
	x = n.skip(x, n.batchNorm(path+"/depthwise/norm", n.convActivation(y))) // [B, T, C]

	y = n.convActivation(n.dense(path+"/pointwise", x, dim)) // a 1 x 1 convolution is Dense over each token
	return n.batchNorm(path+"/pointwise/norm", y)
}

// depthwiseGlorot is glorot of Keras's depthwise kernel, whose axes are [k, k, C, 1] where ours are
// [k, k, 1, C]: its fan-in is k*k*C, its fan-out k*k.
func depthwiseGlorot(random generator, dims []int, values []float32) {
	glorot(random, []int{dims[0], dims[1], dims[3], dims[2]}, values)
}

// maskedWidth is the number of channels up to which a depthwise convolution is trained as a dense one.
const maskedWidth = 16

// depthwise convolves each channel of x [B, H, W, C] with its own slice of kernel [k, k, 1, C],
// "same" padding, stride 1: [B, H, W, C].
//
// XLA's CPU compiler runs a grouped convolution slowly and compiles its gradient slowly. On 2 cores,
// 16 x 16 tokens and kernel 5, a training pass took it 92 ms of processor time at 16 channels (batch
// 128) and 44 ms at 256 (batch 4); the two formulations here took 23 and 31 ms (masked, shifted) at 16,
// 28 and 20 at 32 (batch 64), and shifted 10 ms at 256. Without gradients shifted is the quicker at any
// width (results/speed-log.md).
func depthwise(x, kernel *graph.Node, training bool) *graph.Node {
	kernel.AssertDims(-1, -1, 1, x.Shape().Dim(-1))
	if training && x.Shape().Dim(-1) <= maskedWidth {
		return depthwiseMasked(x, kernel)
	}
	return depthwiseShifted(x, kernel)
}

// depthwiseMasked is a convolution with a dense kernel [k, k, C, C] that is zero off its diagonal. Its
// cost grows with the square of the channels.
func depthwiseMasked(x, kernel *graph.Node) *graph.Node {
	dim := x.Shape().Dim(-1)
	diagonal := graph.ConvertDType(graph.Diagonal(x.Graph(), dim), dtypes.Float32) // [C, C]
	kernel = graph.Mul(kernel, graph.Reshape(diagonal, 1, 1, dim, dim))            // [k, k, C, C]
	return graph.Convolve(x, kernel).PadSame().Done()
}

// depthwiseShifted is the sum over the k*k taps of the kernel of x, shifted, times the tap's weights [C],
// which XLA fuses into one pass. As in Keras, an even kernel looks one place further right and down.
func depthwiseShifted(x, kernel *graph.Node) *graph.Node {
	dims, side := x.Shape().Dimensions, kernel.Shape().Dim(0)
	batch, height, width, dim := dims[0], dims[1], dims[2], dims[3]
	before, after := (side-1)/2, side/2
	pad := func(axis int, padded ...int) { // with zeros (GoMLX's Pad has no gradient)
		var parts []*graph.Node
		for _, thickness := range []int{before, after} {
			padded[axis] = thickness
			parts = append(parts, graph.Zeros(x.Graph(), shapes.Make(dtypes.Float32, padded...)))
		}
		if before > 0 {
			x = graph.Concatenate([]*graph.Node{parts[0], x}, axis)
		}
		if after > 0 {
			x = graph.Concatenate([]*graph.Node{x, parts[1]}, axis)
		}
	}
	pad(1, batch, 0, width, dim)
	pad(2, batch, height+side-1, 0, dim)

	var sum *graph.Node
	for row := range side {
		for column := range side {
			shifted := graph.Slice(x, graph.AxisRange(), graph.AxisRange(row, row+height), graph.AxisRange(column, column+width))
			tap := graph.Mul(shifted, graph.Slice(kernel, graph.AxisElem(row), graph.AxisElem(column))) // [1, 1, 1, C]
			if sum == nil {
				sum = tap
			} else {
				sum = graph.Add(sum, tap)
			}
		}
	}
	sum.AssertDims(batch, height, width, dim)
	return sum
}

func (c ConvMixer) flops(tokens, dim int) int64 {
	return products(tokens, c.side()*c.side(), dim) + products(tokens, dim, dim)
}
