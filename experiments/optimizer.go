package experiments

import (
	"fmt"
	"math"
	"path"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// Decay says how weight decay λ enters an update at learning rate η.
type Decay string

const (
	// DecayPlain subtracts λ·w, whatever the learning rate: TensorFlow
	// Addons' AdamW, and so the course's.
	DecayPlain Decay = "plain"
	// DecayScaled subtracts η·λ·w: today's convention (PyTorch, Keras 3, Optax).
	DecayScaled Decay = "scaled"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019,
// algorithm 2), with the bias correction folded into the step size as in
// Kingma and Ba 2015, section 2, end: with αₜ = η·√(1−β₂ᵗ)/(1−β₁ᵗ),
//
//	w ← w − decay·w
//	m ← m + (1−β₁)(g − m)
//	v ← v + (1−β₂)(g² − v)
//	w ← w − αₜ·m / (√v + ε)
//
// Every trainable variable decays, biases and norm gains included, as the
// reference's do, unless KernelsOnly.
type AdamW struct {
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
	Decay        Decay   `json:"decay"`
	Beta1        float64 `json:"beta1"`
	Beta2        float64 `json:"beta2"`
	Epsilon      float64 `json:"epsilon"`
	// KernelsOnly leaves biases, norm gains, the position embedding and the class
	// token without decay (as in timm; He et al. 2019, "Bag of Tricks for Image
	// Classification", section 3.1, "no bias decay").
	KernelsOnly bool `json:"kernels_only,omitempty"`
	// ClipNorm scales gradients down whose norm, over all variables together,
	// exceeds it (Pascanu et al. 2013, "On the difficulty of training recurrent
	// neural networks", algorithm 1); 0 leaves them as they are.
	ClipNorm float64 `json:"clip_norm,omitempty"`
}

// DefaultAdamW is the reference's optimiser: Keras's β and ε, and TensorFlow
// Addons' plain decay of 1e-4.
func DefaultAdamW(learningRate float64) AdamW {
	return AdamW{LearningRate: learningRate, WeightDecay: 1e-4, Decay: DecayPlain, Beta1: .9, Beta2: .999, Epsilon: 1e-7}
}

func (o AdamW) validate() error {
	switch {
	case !positive(o.LearningRate):
		return fmt.Errorf("learning rate %g; allowed: more than 0", o.LearningRate)
	case !(o.WeightDecay >= 0 && o.WeightDecay < 1):
		return fmt.Errorf("weight decay %g; allowed: 0 or more, less than 1", o.WeightDecay)
	case o.Decay != DecayPlain && o.Decay != DecayScaled:
		return fmt.Errorf("decay %q; allowed: %s, %s", o.Decay, DecayPlain, DecayScaled)
	case !(o.Beta1 >= 0 && o.Beta1 < 1) || !(o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("betas %g and %g; allowed: 0 or more, less than 1", o.Beta1, o.Beta2)
	case !positive(o.Epsilon):
		return fmt.Errorf("epsilon %g; allowed: more than 0", o.Epsilon)
	case o.ClipNorm != 0 && !positive(o.ClipNorm):
		return fmt.Errorf("clip norm %g; allowed: more than 0, or 0 for no clipping", o.ClipNorm)
	}
	return nil
}

// Rates returns the two numbers that [AdamW.Update] takes at a step, counted
// from 1: the step size αₜ and the decay, as float32 because the graph is.
func (o AdamW) Rates(learningRate float64, step int64) []float32 {
	t := float64(step)
	alpha := learningRate * math.Sqrt(1-math.Pow(o.Beta2, t)) / (1 - math.Pow(o.Beta1, t))
	decay := o.WeightDecay
	if o.Decay == DecayScaled {
		decay *= learningRate
	}
	return []float32{float32(alpha), float32(decay)}
}

// optimizerScope holds the moments, beside and never among the model's variables.
const optimizerScope = "optimizer"

// Update adds to the graph of a scalar loss one step on every trainable
// variable of the store. Rates, [2], come from [AdamW.Rates]. Where there is
// one, a kernel of package backend does it.
func (o AdamW) Update(store *model.Store, loss, rates *graph.Node) {
	rates.AssertDims(2)
	g := loss.Graph()
	alpha := graph.Squeeze(graph.Slice(rates, graph.AxisElem(0)))
	decay := graph.Squeeze(graph.Slice(rates, graph.AxisElem(1)))

	var weights []*model.Variable
	var nodes []*graph.Node
	for v := range store.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			weights = append(weights, v)
			nodes = append(nodes, v.NodeValue(g))
		}
	}
	gradients := graph.Gradient(loss, nodes...)
	if o.ClipNorm > 0 {
		gradients = clip(gradients, o.ClipNorm)
	}
	number := func(value float64) *graph.Node { return graph.Scalar(g, rates.DType(), value) }
	meanRate, squareRate, epsilon := number(1-o.Beta1), number(1-o.Beta2), number(o.Epsilon)
	for i, grad := range gradients {
		v, w := weights[i], nodes[i]
		m := moment(store, "m", v)
		s := moment(store, "v", v)
		decays := !o.KernelsOnly || path.Base(v.Path()) == "kernel"
		if backend.Native(g) {
			inputs := []*graph.Node{w, grad, m.NodeValue(g), s.NodeValue(g), meanRate, squareRate, alpha, epsilon}
			if decays {
				inputs = append(inputs, decay)
			}
			results := backend.Call("adamw", inputs, w.Shape(), w.Shape(), w.Shape())
			v.SetNodeValue(results[0])
			m.SetNodeValue(results[1])
			s.SetNodeValue(results[2])
			continue
		}
		mean := graph.Add(m.NodeValue(g), graph.Mul(graph.Sub(grad, m.NodeValue(g)), meanRate))
		square := graph.Add(s.NodeValue(g), graph.Mul(graph.Sub(graph.Square(grad), s.NodeValue(g)), squareRate))
		m.SetNodeValue(mean)
		s.SetNodeValue(square)
		if decays {
			w = graph.Sub(w, graph.Mul(w, decay))
		}
		v.SetNodeValue(graph.Sub(w, graph.Div(graph.Mul(mean, alpha), graph.Add(graph.Sqrt(square), epsilon))))
	}
}

// clip scales gradients so that their common norm is at most limit.
func clip(gradients []*graph.Node, limit float64) []*graph.Node {
	var squares *graph.Node
	for _, g := range gradients {
		square := graph.ReduceAllSum(graph.Square(g))
		if squares == nil {
			squares = square
		} else {
			squares = graph.Add(squares, square)
		}
	}
	scale := graph.Div(graph.Scalar(squares.Graph(), squares.DType(), limit), graph.MaxScalar(graph.Sqrt(squares), limit))
	clipped := make([]*graph.Node, len(gradients))
	for i, g := range gradients {
		clipped[i] = graph.Mul(g, scale)
	}
	return clipped
}

// moment returns the zero-initialised moment of a variable, of its shape.
func moment(store *model.Store, name string, of *model.Variable) *model.Variable {
	full := model.JoinPath("/", optimizerScope, name, of.Path())
	if v := store.GetVariable(full); v != nil {
		return v
	}
	return store.VariableWithValue(full, tensors.FromShape(of.Shape())).SetTrainable(false)
}
