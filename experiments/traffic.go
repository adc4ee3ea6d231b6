package experiments

import (
	"github.com/gomlx/gomlx/core/graph"
)

// traffic is the least that running a graph moves between processor and memory,
// in bytes, if every chain of elementwise operations is fused into what comes
// before or after it and the caches keep nothing: each product, convolution,
// reduction and kernel of package backend reads its operands and writes its
// results once, and so do the graph's inputs and weights go in. Fusions that the compiler misses add to it, caches
// that hold a whole operand take from it.
func traffic(g *graph.Graph) int64 {
	var bytes int64
	for _, n := range g.Nodes() {
		switch n.Type() {
		case graph.NodeTypeParameter: // of the graph, or of a function: what its call reads
			bytes += n.Shape().ByteSize()
		case graph.NodeTypeCall: // of several results each has a node of its own
			if n.NumOutputs() == 1 {
				bytes += n.Shape().ByteSize()
			}
		case graph.NodeTypeSplitNode:
			if n.Inputs()[0].Type() == graph.NodeTypeCall {
				bytes += n.Shape().ByteSize()
			}
		case graph.NodeTypeDotGeneral, graph.NodeTypeConvGeneral, graph.NodeTypeReduceSum, graph.NodeTypeReduceMax, graph.NodeTypeReduceMin:
			bytes += n.Shape().ByteSize()
			for _, operand := range n.Inputs() {
				bytes += operand.Shape().ByteSize()
			}
		}
	}
	return bytes
}
