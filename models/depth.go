package models

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// skip adds a residual branch y to the tokens x that it started from, both [B, T, C]. In training with
// Config.StochasticDepth each image passes the branch by with a probability, and the branches that are
// taken are divided by one minus it, so that their expectation is y:
//
//	x + b/(1−p)·y     b is 0 with probability p, else 1, one for each image and branch
//
// (Huang et al. 2016, "Deep Networks with Stochastic Depth", section 3.) By that paper's linear decay rule
// p grows from 0 at the first block to StochasticDepth at the last. Deviations: the paper draws once a
// batch and scales the branches when testing; the choice by image and the scale in training are DeiT's
// (Touvron et al. 2021, section 6). A block's branches are drawn apart.
func (n *network) skip(x, y *graph.Node) *graph.Node {
	if !n.passesBy() {
		return graph.Add(x, y)
	}
	rate := n.depthRate()
	site := depthSites + n.branches
	n.branches++
	batch := x.Shape().Dim(0)
	taken := graph.ConvertDType(n.keepMask(site, []int{batch, 1, 1}, rate), dtypes.Float32)
	return graph.Add(x, graph.Mul(y, graph.MulScalar(taken, 1/(1-rate))))
}

// depthSites is where the sites of skip begin, beyond those of dropout, whose masks it leaves alone.
const depthSites = 1 << 16

// passesBy reports whether images may pass branches of the block under way by.
func (n *network) passesBy() bool {
	return n.pass.Training && n.pass.Seed != nil && n.depthRate() > 0
}

// depthRate is the probability with which the branches of the block under way are passed by.
func (n *network) depthRate() float64 {
	if len(n.Blocks) < 2 {
		return n.StochasticDepth
	}
	return n.StochasticDepth * float64(n.block) / float64(len(n.Blocks)-1)
}
