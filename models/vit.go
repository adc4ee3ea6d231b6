package models

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ViT is one encoder layer of the Vision Transformer (Dosovitskiy et al. 2021, "An Image is Worth
// 16x16 Words", section 3.1, equations 2 and 3):
//
//	U = X + attention(norm(X))
//	Y = U + mlp(norm(U))
//
// The zero value is the layer of the reference's hybrids. Its deviations from the paper: the MLP has
// a GELU after its second Dense layer too, as in Keras's example "Image classification with Vision
// Transformer", unless it is Linear; heads are 64 wide whatever the number of channels; the MLP narrows
// instead of widening.
type ViT struct {
	Heads   int     `json:"heads,omitempty"`   // 0: 4
	KeyDim  int     `json:"key_dim,omitempty"` // width of a head's queries, keys, values; 0: 64
	Hidden  int     `json:"hidden,omitempty"`  // width of the MLP's hidden layer; 0: 64
	Dropout float64 `json:"dropout,omitempty"` // of attention scores and MLP; 0: 0.1; -1: none
	Linear  bool    `json:"linear,omitempty"`  // no GELU after the MLP's second Dense layer, as in the paper
	NoBias  bool    `json:"no_bias,omitempty"` // of queries, keys and values
}

// Kind returns "vit".
func (ViT) Kind() string { return "vit" }

func (v ViT) validate() error {
	for _, field := range []struct {
		name  string
		value int
	}{{"heads", v.Heads}, {"key_dim", v.KeyDim}, {"hidden", v.Hidden}} {
		if field.value < 0 || field.value > maxSize {
			return fmt.Errorf("%s is %d, but must be 1 to %d, or 0 for the reference's", field.name, field.value, maxSize)
		}
	}
	if !(v.Dropout == -1 || v.Dropout >= 0 && v.Dropout < 1) {
		return fmt.Errorf("dropout is %v, but must be above 0 and below 1, or 0 for the reference's, or -1 for none", v.Dropout)
	}
	return nil
}

// filled returns the layer with the reference's values for zero ones.
func (v ViT) filled() ViT {
	v.Heads, v.KeyDim, v.Hidden = orDefault(v.Heads, 4), orDefault(v.KeyDim, 64), orDefault(v.Hidden, 64)
	switch v.Dropout {
	case 0:
		v.Dropout = 0.1
	case -1:
		v.Dropout = 0
	}
	return v
}

func (v ViT) build(n *network, path string, x *graph.Node) *graph.Node {
	v = v.filled()
	batch, tokens, dim := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)

	y := n.layerNorm(path+"/norm_0", x)
	y = v.attention(n, path+"/attention", y)
	x = n.skip(x, y) // [B, T, C]

	y = n.layerNorm(path+"/norm_1", x)
	y = n.dropout(n.denseGELU(path+"/mlp/dense_0", y, v.Hidden), v.Dropout)
	y.AssertDims(batch, tokens, v.Hidden)
	if v.Linear {
		y = n.dense(path+"/mlp/dense_1", y, dim)
	} else {
		y = n.denseGELU(path+"/mlp/dense_1", y, dim)
	}
	return n.skip(x, n.dropout(y, v.Dropout)) // [B, T, C]
}

// attention is multi-head self-attention (Vaswani et al. 2017, "Attention Is All You Need", section
// 3.2): in each of h heads, of width k, softmax(Q Kᵀ/√k) V; the heads side by side are projected back
// to C channels. Q, K, V and the output all have biases, as in
// Keras, unless told otherwise. [B, T, C] -> [B, T, C].
func (v ViT) attention(n *network, path string, x *graph.Node) *graph.Node {
	batch, tokens, dim := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	heads, width := v.Heads, v.KeyDim

	project := func(name string, scale float64) *graph.Node { // [B, T, C] -> [B, T, h, k], times scale
		kernel := n.weight(path+"/"+name+"/kernel", glorot, dim, heads, width).NodeValue(x)
		var bias *graph.Node
		if !v.NoBias {
			bias = graph.Reshape(n.weight(path+"/"+name+"/bias", zeros, heads, width).NodeValue(x), heads*width)
		}
		kernel = graph.Reshape(kernel, dim, heads*width)
		if scale != 1 { // the weights, which are fewer
			kernel = graph.MulScalar(kernel, scale)
			if bias != nil {
				bias = graph.MulScalar(bias, scale)
			}
		}
		return graph.Reshape(n.linear(x, kernel, bias), batch, tokens, heads, width)
	}
	y := n.attend(project("query", 1/math.Sqrt(float64(width))), project("key", 1), project("value", 1), v.Dropout)
	y.AssertDims(batch, tokens, heads, width)

	kernel := n.weight(path+"/output/kernel", glorot, heads, width, dim).NodeValue(x)
	bias := n.weight(path+"/output/bias", zeros, dim).NodeValue(x)
	return n.linear(graph.Reshape(y, batch, tokens, heads*width), graph.Reshape(kernel, heads*width, dim), bias)
}

// attend is dropout(softmax(Q Kᵀ)) V for each head of queries, already divided by √k, keys and values: all of them and the
// result are [B, T, h, k].
func (n *network) attend(query, key, value *graph.Node, rate float64) *graph.Node {
	batch, tokens, heads, width := query.Shape().Dim(0), query.Shape().Dim(1), query.Shape().Dim(2), query.Shape().Dim(3)
	key.AssertDims(batch, tokens, heads, width)
	value.AssertDims(batch, tokens, heads, width)
	if n.pass.Kernels != nil && n.pass.Taps == nil && !n.pass.BFloat16 { // the kernel shows no scores, and multiplies float32
		return n.nativeAttend(query, key, value, rate)
	}
	scores := graph.Softmax(n.einsum("bqhk,bthk->bhqt", query, key), -1)
	scores.AssertDims(batch, heads, tokens, tokens)
	n.tapAttention(scores)
	return n.einsum("bhqt,bthk->bqhk", n.dropout(scores, rate), value)
}

// nativeAttend is attend by one of the pass's kernels, which keeps no scores.
func (n *network) nativeAttend(query, key, value *graph.Node, rate float64) *graph.Node {
	g, shape := query.Graph(), query.Shape()
	batch, tokens, heads := shape.Dim(0), shape.Dim(1), shape.Dim(2)
	first, second, threshold, scale := u32(g, 0), u32(g, 0), u32(g, math.MaxUint32), 1.
	if site, ok := n.site(rate); ok {
		first, second = n.keys(site, shapes.Make(shape.DType, batch, heads, tokens, tokens))
		threshold, scale = u32(g, keepBelow(rate)), 1/(1-rate)
	}
	dropout := []*graph.Node{first, second, threshold, graph.Scalar(g, shape.DType, scale)}
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return linked(n.pass.Kernels("attention", append(slices.Clone(inputs), dropout...), shape)[0], inputs...)
	}, func(dy *graph.Node) []*graph.Node {
		return n.pass.Kernels("attention_gradient", slices.Concat([]*graph.Node{query, key, value}, dropout, []*graph.Node{dy}), shape, shape, shape)
	}, query, key, value)
}

func (v ViT) flops(tokens, dim int) int64 {
	v = v.filled()
	inner := v.Heads * v.KeyDim
	return 3*products(tokens, dim, inner) + 2*products(tokens, inner, tokens) + products(tokens, inner, dim) +
		products(tokens, dim, v.Hidden) + products(tokens, v.Hidden, dim)
}
