package models

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// dropout zeroes each element with probability rate and divides the rest by 1-rate
// (Srivastava et al. 2014), in training only. Each call is a site of its own.
//
// The mask is a pure function of (Pass.Seed, site, element index), computed by integer arithmetic on
// 32 bits, hence the same on every backend and every machine, and cheaper than a general generator.
func (n *network) dropout(x *graph.Node, rate float64) *graph.Node {
	site, ok := n.site(rate)
	if !ok {
		return x
	}
	keep := n.keepMask(site, x.Shape().Dimensions, rate)
	return graph.Where(keep, graph.MulScalar(x, 1/(1-rate)), graph.ZerosLike(x))
}

// site numbers a call of dropout, and tells whether it does anything.
func (n *network) site(rate float64) (site int, ok bool) {
	site = n.sites
	n.sites++
	return site, n.pass.Training && n.pass.Seed != nil && rate > 0
}

// keepMask returns booleans of the given dimensions, each true with probability 1-rate.
func (n *network) keepMask(site int, dims []int, rate float64) *graph.Node {
	bits := n.randomBits(site, dims)
	return graph.LessThan(bits, u32(bits.Graph(), keepBelow(rate)))
}

// keepBelow is what the random bits of an element that is kept are below.
func keepBelow(rate float64) uint32 { return uint32(min(math.Round((1-rate)*(1<<32)), math.MaxUint32)) }

// randomBits hashes (seed, site, element index) to uint32 of the given dimensions.
//
// Two keys come from seed and site; the index i takes them in at two places of a two-round
// multiply-xorshift finaliser of the murmur3 family (constants by Wellons, "Prospecting for hash
// functions", 2018, found by search for least bias). Because the second key enters after the first
// round, two streams are not shifted copies of each other, as they would be if i+key were hashed.
func (n *network) randomBits(site int, dims []int) *graph.Node {
	g := n.pass.Seed.Graph()
	shape := shapes.Make(dtypes.Uint32, dims...)
	first, second := n.keys(site, shape)
	x := graph.IotaFull(g, shape)
	x = graph.Add(graph.Mul(x, u32(g, 0x9e3779b1)), first)
	x = graph.Mul(shiftXor(x, 16), u32(g, 0x7feb352d))
	x = graph.BitwiseXor(shiftXor(x, 15), second)
	x = graph.Mul(x, u32(g, 0x846ca68b))
	return shiftXor(x, 16)
}

// keys are two words, uint32, of a site whose elements are of this shape. Where they can they come from a kernel: XLA, which
// cannot look into it, compiles one loop for all sites of like shape, where it else has one for each, with the site's number
// in it.
func (n *network) keys(site int, shape shapes.Shape) (first, second *graph.Node) {
	if uint64(shape.Size()) > math.MaxUint32 {
		panic(fmt.Errorf("dropout over %d elements, at most %d can be numbered", shape.Size(), uint32(math.MaxUint32)))
	}
	g := n.pass.Seed.Graph()
	low, high := words(n.pass.Seed)
	number := u32(g, 0x9e3779b9*uint32(site+1))
	if n.pass.Kernels != nil {
		both := n.pass.Kernels("dropout_keys", []*graph.Node{low, high, number}, low.Shape(), low.Shape())
		return both[0], both[1]
	}
	first = finalise(graph.Add(finalise(graph.Add(low, number)), high))
	return first, finalise(graph.Add(first, u32(g, 0x85ebca6b)))
}

// words splits a scalar seed into two uint32.
func words(seed *graph.Node) (low, high *graph.Node) {
	seed.AssertScalar()
	if seed.DType() == dtypes.Uint64 {
		high = graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(seed, uint64(32)), dtypes.Uint32)
		low = graph.ConvertDType(graph.BitwiseAnd(seed, graph.Scalar(seed.Graph(), dtypes.Uint64, uint64(math.MaxUint32))), dtypes.Uint32)
		return low, high
	}
	if seed.DType() != dtypes.Uint32 {
		panic(fmt.Errorf("dropout seed has type %s, allowed are Uint32 and Uint64", seed.DType()))
	}
	return seed, u32(seed.Graph(), 0)
}

// finalise is the full mixing function on its own: every output bit depends on every input bit.
func finalise(x *graph.Node) *graph.Node {
	g := x.Graph()
	x = graph.Mul(shiftXor(x, 16), u32(g, 0x7feb352d))
	x = graph.Mul(shiftXor(x, 15), u32(g, 0x846ca68b))
	return shiftXor(x, 16)
}

// shiftXor is x ^ (x >> bits).
func shiftXor(x *graph.Node, bits uint32) *graph.Node {
	return graph.BitwiseXor(x, graph.BitwiseShiftRightLogicalScalar(x, bits))
}

func u32(g *graph.Graph, value uint32) *graph.Node { return graph.Scalar(g, dtypes.Uint32, value) }
