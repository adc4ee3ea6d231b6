package models

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Mixer is one layer of MLP-Mixer (Tolstikhin et al. 2021, "MLP-Mixer: An all-MLP Architecture for
// Vision", section 2, equation 1). For a table X of T tokens (rows) with C channels (columns):
//
//	U = X + (W2 gelu(W1 norm(X)))      mixes tokens, the same for every channel
//	Y = U + gelu(norm(U) W3) W4        mixes channels, the same for every token
//
// The zero value is the reference's layer. Its deviations from the paper: both places share ONE
// LayerNorm; both hidden widths are the number of tokens; each MLP ends in dropout (Config.Dropout).
type Mixer struct {
	TokenHidden   int  `json:"token_hidden,omitempty"`   // 0: number of tokens
	ChannelHidden int  `json:"channel_hidden,omitempty"` // 0: number of tokens
	SeparateNorms bool `json:"separate_norms,omitempty"` // two LayerNorms, as in the paper
}

// Kind returns "mixer".
func (Mixer) Kind() string { return "mixer" }

func (m Mixer) validate() error {
	if m.TokenHidden < 0 || m.TokenHidden > maxSize {
		return fmt.Errorf("token_hidden is %d, but must be 1 to %d, or 0 for the number of tokens", m.TokenHidden, maxSize)
	}
	if m.ChannelHidden < 0 || m.ChannelHidden > maxSize {
		return fmt.Errorf("channel_hidden is %d, but must be 1 to %d, or 0 for the number of tokens", m.ChannelHidden, maxSize)
	}
	return nil
}

// widths returns the hidden widths of both MLPs.
func (m Mixer) widths(tokens int) (token, channel int) {
	return orDefault(m.TokenHidden, tokens), orDefault(m.ChannelHidden, tokens)
}

// norms returns where both norms' weights are.
func (m Mixer) norms(path string) (token, channel string) {
	if m.SeparateNorms {
		return path + "/token_norm", path + "/channel_norm"
	}
	return path + "/norm", path + "/norm"
}

func (m Mixer) build(n *network, path string, x *graph.Node) *graph.Node {
	batch, tokens, dim := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	tokenHidden, channelHidden := m.widths(tokens)
	tokenNorm, channelNorm := m.norms(path)
	if y := m.whole(n, path, x); y != nil {
		return y
	}
	y := n.layerNorm(tokenNorm, x)
	y = graph.Transpose(y, 1, 2)
	y.AssertDims(batch, dim, tokens) // [B, C, T]
	y = n.mlp(path+"/token_mlp", y, tokenHidden, func(hidden *graph.Node) { n.tapTokenMLP(path+"/token_mlp/dense_0/kernel", hidden) })
	y = n.dropout(y, n.Dropout)
	x = n.skip(x, graph.Transpose(y, 1, 2)) // [B, T, C]

	y = n.layerNorm(channelNorm, x)
	y = n.mlp(path+"/channel_mlp", y, channelHidden, nil)
	y = n.dropout(y, n.Dropout)
	return n.skip(x, y) // [B, T, C]
}

func (m Mixer) flops(tokens, dim int) int64 {
	tokenHidden, channelHidden := m.widths(tokens)
	return products(dim, tokens, tokenHidden) + products(dim, tokenHidden, tokens) +
		products(tokens, dim, channelHidden) + products(tokens, channelHidden, dim)
}
