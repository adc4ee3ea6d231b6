package models

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Padding fills the places after a sequence's end. Its symbol is 0, so that
// real ones count from 1.
const Padding = 0

// Seq2Seq turns one sequence of symbols into another: a GRU reads the source,
// another writes the target, symbol by symbol. Without attention all that the
// writer knows of the source is the reader's last state (Sutskever, Vinyals &
// Le 2014, "Sequence to Sequence Learning with Neural Networks"): the
// bottleneck. With attention it looks at every state of the reader at each
// step (Bahdanau, Cho & Bengio 2015, "Neural Machine Translation by Jointly
// Learning to Align and Translate", section 3.1 and appendix A.1.2):
//
//	e_ij = vᵀ tanh(W s_{i-1} + U h_j)      query s_{i-1}, keys and values h_j
//	a_ij = softmax_j(e_ij)
//	c_i  = Σ_j a_ij h_j
//
// Deviations from the paper: the reader goes one way only, which leaves the
// bottleneck of both networks the same; the writer has no maxout layer.
type Seq2Seq struct {
	Symbols   int  `json:"symbols"` // how many real symbols there are; they are 1 to Symbols
	Embed     int  `json:"embed"`   // width of a symbol's embedding
	Hidden    int  `json:"hidden"`  // width of both GRUs' states
	Attention bool `json:"attention"`
}

// Validate returns nil if the network can be built.
func (s Seq2Seq) Validate() error {
	for _, field := range []struct {
		name  string
		value int
	}{{"number of symbols", s.Symbols}, {"embed", s.Embed}, {"hidden", s.Hidden}} {
		if field.value < 1 || field.value > maxSize {
			return fmt.Errorf("the %s is %d, but must be 1 to %d", field.name, field.value, maxSize)
		}
	}
	return nil
}

// Logits builds the network's graph. Source [B, S] and written [B, T] (int32)
// hold symbols, padded at their ends; written is the target as far as it is
// known (all of it in training, which is called teacher forcing). It returns
// logits [B, T, Symbols+1]: row i tells the i-th symbol of the target from
// those written before it. Alignment [B, T, S] holds the weights a_ij, each
// row of which sums to 1; nil without attention.
func (s Seq2Seq) Logits(scope *model.Scope, source, written *graph.Node) (logits, alignment *graph.Node) {
	if err := s.Validate(); err != nil {
		panic(err)
	}
	n := &network{scope: scope}
	batch, steps := source.Shape().Dim(0), written.Shape().Dim(1)
	states, last := s.read(n, source) // [B, S, H], [B, H]

	// The i-th step's input is the symbol before it; Padding stands for the start.
	before := graph.Concatenate([]*graph.Node{graph.Zeros(written.Graph(), shapes.Make(dtypes.Int32, batch, 1)),
		graph.Slice(written, graph.AxisRange(), graph.AxisRange(0, steps-1))}, 1)
	inputs := s.embed(n, "writer/embedding", before) // [B, T, E]

	var attend func(query *graph.Node) (context, weights *graph.Node)
	if s.Attention {
		attend = s.attention(n, states, source)
	}
	state := last
	var outputs, rows []*graph.Node
	for i := range steps {
		x := graph.Squeeze(graph.Slice(inputs, graph.AxisRange(), graph.AxisElem(i)), 1) // [B, E]
		features := []*graph.Node{nil}
		if attend != nil {
			context, weights := attend(state) // [B, H], [B, S]
			x = graph.Concatenate([]*graph.Node{x, context}, -1)
			features = append(features, context)
			rows = append(rows, weights)
		}
		state = n.gru("writer/gru", x, state)
		features[0] = state
		outputs = append(outputs, graph.Concatenate(features, -1))
	}
	logits = n.dense("writer/output", graph.Stack(outputs, 1), s.Symbols+1)
	logits.AssertDims(batch, steps, s.Symbols+1)
	if rows != nil {
		alignment = graph.Stack(rows, 1) // [B, T, S]
	}
	return logits, alignment
}

// read returns the reader's states after each symbol, [B, S, H], and after the
// last real one, [B, H].
func (s Seq2Seq) read(n *network, source *graph.Node) (states, last *graph.Node) {
	batch, steps := source.Shape().Dim(0), source.Shape().Dim(1)
	inputs := s.embed(n, "reader/embedding", source)                                 // [B, S, E]
	last = graph.Zeros(source.Graph(), shapes.Make(dtypes.Float32, batch, s.Hidden)) // [B, H]
	real := realSymbols(source)                                                      // [B, S]
	var all []*graph.Node
	for i := range steps {
		x := graph.Squeeze(graph.Slice(inputs, graph.AxisRange(), graph.AxisElem(i)), 1)
		here := graph.BroadcastToDims(graph.Slice(real, graph.AxisRange(), graph.AxisElem(i)), batch, s.Hidden)
		last = graph.Where(here, n.gru("reader/gru", x, last), last)
		all = append(all, last)
	}
	return graph.Stack(all, 1), last
}

// realSymbols tells symbols [B, S] from padding.
func realSymbols(source *graph.Node) *graph.Node {
	return graph.NotEqual(source, graph.Scalar(source.Graph(), source.DType(), int32(Padding)))
}

// embed looks symbols [B, L] up: [B, L, E].
func (s Seq2Seq) embed(n *network, path string, symbols *graph.Node) *graph.Node {
	table := n.weight(path, uniform(0.05), s.Symbols+1, s.Embed).NodeValue(symbols)
	return graph.Einsum("bls,se->ble", graph.OneHot(symbols, s.Symbols+1, dtypes.Float32), table)
}

// attention returns the function from a query [B, H] to the context [B, H] and
// the weights [B, S] that it gives to the states [B, S, H] of real symbols.
func (s Seq2Seq) attention(n *network, states, source *graph.Node) func(query *graph.Node) (context, weights *graph.Node) {
	keys := n.dense("attention/keys", states, s.Hidden) // U h_j
	real := realSymbols(source)                         // [B, S]
	return func(query *graph.Node) (context, weights *graph.Node) {
		q := graph.ExpandAxes(n.dense("attention/query", query, s.Hidden), 1)    // [B, 1, H]
		scores := n.dense("attention/scores", graph.Tanh(graph.Add(keys, q)), 1) // [B, S, 1]
		weights = graph.MaskedSoftmax(graph.Squeeze(scores, -1), real, -1)       // [B, S]
		return graph.Einsum("bs,bsh->bh", weights, states), weights
	}
}

// gru is one step of a gated recurrent unit (Cho et al. 2014, "Learning Phrase
// Representations using RNN Encoder–Decoder", section 2.3), with the gates laid
// out and the reset applied after the product as in Keras: x [B, in], state
// [B, H] -> [B, H].
//
//	z = σ(x Wz + h Uz + bz)    update
//	r = σ(x Wr + h Ur + br)    reset
//	c = tanh(x Wc + bc + r ∘ (h Uc + b'c))
//	h ← z ∘ h + (1 − z) ∘ c
//
// Deviation from Keras: the recurrent kernel is Glorot uniform, not orthogonal.
func (n *network) gru(path string, x, state *graph.Node) *graph.Node {
	width := state.Shape().Dim(-1)
	in := n.dense(path+"/input", x, 3*width)
	recurrent := n.dense(path+"/recurrent", state, 3*width)
	part := func(y *graph.Node, i int) *graph.Node {
		return graph.Slice(y, graph.AxisRange(), graph.AxisRange(i*width, (i+1)*width))
	}
	update := graph.Sigmoid(graph.Add(part(in, 0), part(recurrent, 0)))
	reset := graph.Sigmoid(graph.Add(part(in, 1), part(recurrent, 1)))
	candidate := graph.Tanh(graph.Add(part(in, 2), graph.Mul(reset, part(recurrent, 2))))
	return graph.Add(graph.Mul(update, state), graph.Mul(graph.OneMinus(update), candidate))
}
