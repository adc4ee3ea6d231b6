package models

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Taps collects intermediates of a network while Logits builds its graph: give an empty one in
// Pass.Taps, then return its nodes from the graph function, together with the logits: the pure-Go
// backend (compute v0.1.2) fails on a graph whose last node is not among its outputs. Entry i of
// Attention belongs to the i-th ViT block of the stack; entry i of TokenHidden and TokenWeights to the
// i-th Mixer block.
type Taps struct {
	// Attention scores [B, heads, T, T] before dropout: row q says how much the query token q takes
	// from each token, and sums to 1. A class token is token 0.
	Attention []*graph.Node
	// TokenHidden units [B, C, hidden] of each token-mixing MLP, after GELU.
	TokenHidden []*graph.Node
	// TokenWeights [T, hidden], the first layer of each token-mixing MLP: column j, laid out as the
	// grid of patches, is what hidden unit j looks for (Tolstikhin et al. 2021, figure 5).
	TokenWeights []*graph.Node
}

func (n *network) tapAttention(scores *graph.Node) {
	if n.pass.Taps != nil {
		n.pass.Taps.Attention = append(n.pass.Taps.Attention, scores)
	}
}

func (n *network) tapTokenMLP(kernel string, hidden *graph.Node) {
	if n.pass.Taps == nil {
		return
	}
	weights := n.scope.Store().GetVariable(model.JoinPath(n.scope.Scope(), kernel)).NodeValue(hidden)
	n.pass.Taps.TokenHidden = append(n.pass.Taps.TokenHidden, hidden)
	n.pass.Taps.TokenWeights = append(n.pass.Taps.TokenWeights, weights)
}
