package models

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// withGradient returns forward(inputs), whose gradient by each input is what backward makes of its own: for
// where the derivative of forward's graph, operation by operation, costs more than need be. Nil is for an input whose
// gradient nobody should ask for.
func withGradient(forward func(inputs []*graph.Node) *graph.Node, backward func(dy *graph.Node) []*graph.Node, inputs ...*graph.Node) *graph.Node {
	// The gradient comes to the output first, then to the inputs; what derivation makes in between is not used,
	// so the compiler drops it.
	var gradients []*graph.Node
	tied := make([]*graph.Node, len(inputs))
	for i, input := range inputs {
		tied[i] = graph.IdentityWithCustomGradient(input, func(_, _ *graph.Node) *graph.Node {
			if gradients[i] == nil {
				panic(fmt.Errorf("a layer by a kernel has no gradient by its input %d, %s: leave Pass.Kernels nil", i, input.Shape()))
			}
			return gradients[i]
		})
	}
	return graph.IdentityWithCustomGradient(forward(tied), func(_, dy *graph.Node) *graph.Node {
		gradients = backward(dy)
		return dy
	})
}

// linked returns y, which then depends on the inputs for derivation alone: XLA drops what is never chosen.
func linked(y *graph.Node, inputs ...*graph.Node) *graph.Node {
	g := y.Graph()
	never := graph.ScalarZero(g, y.DType())
	for _, input := range inputs {
		first := graph.Slice(graph.Reshape(input, input.Shape().Size()), graph.AxisElem(0))
		never = graph.Add(never, graph.Reshape(first))
	}
	return graph.Where(graph.BroadcastToShape(graph.Const(g, false), shapes.Make(dtypes.Bool, y.Shape().Dimensions...)), graph.BroadcastToShape(never, y.Shape()), y)
}
