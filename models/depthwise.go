package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// depthwise convolves each channel of x [B, H, W, C] with its own slice of kernel [k, k, 1, C], "same"
// padding, stride 1: [B, H, W, C]. As in Keras, an even kernel looks one place further right and down.
//
// Where there is one, one of the pass's kernels does it. Else it is the sum over the k*k taps of x, shifted, times
// the tap's weights, which XLA fuses into one pass; the gradient of x is another such sum. XLA's own grouped convolution
// runs slowly on a CPU and its gradient compiles slowly; the gradient that would follow from the sum has a pass over the
// table for each tap (results/speed-log.md).
func (n *network) depthwise(x, kernel *graph.Node) *graph.Node {
	kernel.AssertDims(-1, -1, 1, x.Shape().Dim(-1))
	side := kernel.Shape().Dim(0)
	before, after := (side-1)/2, side/2
	if n.pass.Kernels != nil {
		convolve := func(name string, a, b *graph.Node, before int, result shapes.Shape) *graph.Node {
			margin := graph.Scalar(x.Graph(), dtypes.Int32, before) // zeros before rows and columns
			return n.pass.Kernels(name, []*graph.Node{a, b, margin}, result)[0]
		}
		return withGradient(func(inputs []*graph.Node) *graph.Node {
			return linked(convolve("depthwise", inputs[0], inputs[1], before, x.Shape()), inputs...)
		}, func(dy *graph.Node) []*graph.Node {
			return []*graph.Node{
				convolve("depthwise", dy, graph.Reverse(kernel, 0, 1), after, x.Shape()),
				convolve("depthwise_gradient", x, dy, before, kernel.Shape()),
			}
		}, x, kernel)
	}
	forward := func(inputs []*graph.Node) *graph.Node {
		return shiftedSum(surround(inputs[0], before, after), inputs[1])
	}
	backward := func(dy *graph.Node) []*graph.Node {
		dx := shiftedSum(surround(dy, after, before), graph.Reverse(kernel, 0, 1))
		return []*graph.Node{dx, kernelGradient(surround(x, before, after), dy)}
	}
	return withGradient(forward, backward, x, kernel)
}

// surround puts zeros before and after the rows and columns of x: [B, H, W, C] -> [B, H+n, W+n, C], n being
// before + after. GoMLX's Pad has no gradient, and XLA would repeat its test of the border for each tap.
func surround(x *graph.Node, before, after int) *graph.Node {
	for axis := 1; axis <= 2; axis++ {
		zeros := func(thickness int) *graph.Node {
			shape := shapes.Make(dtypes.Float32, x.Shape().Dimensions...)
			shape.Dimensions[axis] = thickness
			return graph.Zeros(x.Graph(), shape)
		}
		parts := []*graph.Node{x}
		if before > 0 {
			parts = []*graph.Node{zeros(before), x}
		}
		if after > 0 {
			parts = append(parts, zeros(after))
		}
		if len(parts) > 1 {
			x = graph.Concatenate(parts, axis)
		}
	}
	return x
}

// shifted returns the view [B, H, W, C] of a surrounded x [B, H+k-1, W+k-1, C] that a tap sees.
func shifted(x *graph.Node, row, column, height, width int) *graph.Node {
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(row, row+height), graph.AxisRange(column, column+width))
}

// shiftedSum is the sum over the taps of a surrounded x [B, H+k-1, W+k-1, C], shifted, times the tap's
// weights in kernel [k, k, 1, C]: [B, H, W, C].
func shiftedSum(x, kernel *graph.Node) *graph.Node {
	side := kernel.Shape().Dim(0)
	height, width := x.Shape().Dim(1)-side+1, x.Shape().Dim(2)-side+1
	var sum *graph.Node
	for row := range side {
		for column := range side {
			tap := graph.Mul(shifted(x, row, column, height, width), graph.Slice(kernel, graph.AxisElem(row), graph.AxisElem(column)))
			if sum == nil {
				sum = tap
			} else {
				sum = graph.Add(sum, tap)
			}
		}
	}
	return sum
}

// kernelGradient is for each tap the sum over batch and places of the surrounded x [B, H+k-1, W+k-1, C], shifted,
// times y [B, H, W, C]: [k, k, 1, C].
func kernelGradient(x, y *graph.Node) *graph.Node {
	// On few and narrow channels matrix products are as quick, and compile in a third less time; elsewhere they
	// lose a fifth and more of a step.
	if y.Shape().Dim(2) <= 16 && y.Shape().Dim(3) <= 16 {
		return diagonals(x, y)
	}
	return shiftedProducts(x, y)
}

// shiftedProducts is the same as a product and a sum for each tap. Summing over batch and rows first keeps the
// inner loop long: W*C numbers beside each other.
func shiftedProducts(x, y *graph.Node) *graph.Node {
	height, width, dim := y.Shape().Dim(1), y.Shape().Dim(2), y.Shape().Dim(3)
	side := x.Shape().Dim(1) - height + 1
	var taps []*graph.Node
	for row := range side {
		for column := range side {
			product := graph.Mul(shifted(x, row, column, height, width), y)
			taps = append(taps, graph.ReduceSum(graph.ReduceSum(product, 0, 1), 0)) // [W, C], [C]
		}
	}
	return graph.Reshape(graph.Stack(taps, 0), side, side, 1, dim)
}

// diagonals is the same as one matrix product for each channel and row of taps, which sums over batch and rows: a
// tap is one of the diagonals of its result, [W+k-1, W].
func diagonals(x, y *graph.Node) *graph.Node {
	batch, height, width, dim := y.Shape().Dim(0), y.Shape().Dim(1), y.Shape().Dim(2), y.Shape().Dim(3)
	side := x.Shape().Dim(1) - height + 1
	wide := width + side - 1
	diagonal := graph.InsertAxes(graph.ConvertDType(graph.Diagonal(x.Graph(), width), x.DType()), 0) // [1, W, W]
	x = graph.TransposeAllAxes(x, 3, 1, 0, 2)                                                        // [C, H+k-1, B, W+k-1]
	y = graph.Reshape(graph.TransposeAllAxes(y, 3, 1, 0, 2), dim, height*batch, width)
	var rows []*graph.Node
	for row := range side {
		part := graph.Reshape(graph.Slice(x, graph.AxisRange(), graph.AxisRange(row, row+height)), dim, height*batch, wide)
		products := graph.Einsum("cnw,cnv->cwv", part, y) // [C, W+k-1, W]
		var taps []*graph.Node
		for column := range side {
			square := graph.Slice(products, graph.AxisRange(), graph.AxisRange(column, column+width))
			taps = append(taps, graph.ReduceSum(graph.Mul(square, diagonal), 1, 2)) // [C]
		}
		rows = append(rows, graph.Stack(taps, 0))
	}
	return graph.Reshape(graph.Stack(rows, 0), side, side, 1, dim)
}
