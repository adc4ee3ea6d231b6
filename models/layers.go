package models

import (
	"cmp"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/nn"
)

// Constants of the reference's layers, all Keras's defaults but the first, which the reference sets.
const (
	layerNormEpsilon  = 1e-6
	batchNormEpsilon  = 1e-3
	batchNormMomentum = 0.99
)

// weight returns the trainable variable at path (below the network's scope), made on first use.
func (n *network) weight(path string, fill filler, dims ...int) *model.Variable {
	return n.variable(path, fill, true, dims)
}

// fixed returns a variable that the optimiser leaves alone: a statistic of data.
func (n *network) fixed(path string, fill filler, dims ...int) *model.Variable {
	return n.variable(path, fill, false, dims)
}

func (n *network) variable(path string, fill filler, trainable bool, dims []int) *model.Variable {
	full := model.JoinPath(n.scope.Scope(), path)
	shape := shapes.Make(dtypes.Float32, dims...)
	store := n.scope.Store()
	v := store.GetVariable(full)
	switch {
	case v != nil && !v.Shape().Equal(shape):
		panic(fmt.Errorf("variable %s has shape %s in the store, the network needs %s", full, v.Shape(), shape))
	case v != nil:
	case n.dry:
		v = store.VariableWithShape(full, shape, n.scope.Initializer())
	default:
		values := make([]float32, shape.Size())
		fill(stream(model.GetParamOr(n.scope, ParamSeed, int64(0)), path), dims, values)
		v = store.VariableWithValue(full, tensors.FromFlatDataAndDimensions(values, dims...))
	}
	v.SetTrainable(trainable && !n.frozen)
	if n.meet != nil {
		n.meet(path, VariableInfo{Path: path, Dims: dims, Trainable: trainable})
	}
	return v
}

// dense is y = x W + b over the last axis: [..., in] -> [..., out].
func (n *network) dense(path string, x *graph.Node, out int) *graph.Node {
	kernel, bias := n.denseWeights(path, x, x.Shape().Dim(-1), out)
	return n.linear(x, kernel, bias)
}

// denseWeights are a kernel [in, out] and a bias [out].
func (n *network) denseWeights(path string, x *graph.Node, in, out int) (kernel, bias *graph.Node) {
	kernel = n.weight(path+"/kernel", glorot, in, out).NodeValue(x)
	bias = n.weight(path+"/bias", zeros, out).NodeValue(x)
	return kernel, bias
}

// linear is x [..., in] times kernel [in, out] plus bias [out], unless that is nil.
func (n *network) linear(x, kernel, bias *graph.Node) *graph.Node {
	if !n.pass.BFloat16 {
		if bias != nil && n.pass.Kernels != nil && worthwhile(x.Shape(), kernel.Shape()) {
			return n.nativeLinear(x, kernel, bias)
		}
		return nn.Dense(x, kernel, bias, compute.DenseLayoutInputOutputs)
	}
	y := n.product(x, kernel, func(x, kernel *graph.Node) *graph.Node {
		return nn.Dense(x, kernel, nil, compute.DenseLayoutInputOutputs)
	})
	if bias != nil {
		y = graph.Add(y, graph.ExpandLeftToRank(bias, y.Rank()))
	}
	return y
}

// product multiplies a and b, in the pass's precision.
func (n *network) product(a, b *graph.Node, multiply func(a, b *graph.Node) *graph.Node) *graph.Node {
	if !n.pass.BFloat16 {
		return multiply(a, b)
	}
	narrow := func(x *graph.Node) *graph.Node { return graph.ConvertDType(x, dtypes.BFloat16) }
	return graph.ConvertDType(multiply(narrow(a), narrow(b)), dtypes.Float32)
}

// einsum is graph.Einsum in the pass's precision.
func (n *network) einsum(equation string, a, b *graph.Node) *graph.Node {
	return n.product(a, b, func(a, b *graph.Node) *graph.Node { return graph.Einsum(equation, a, b) })
}

// gelu is the exact GELU, x Φ(x) with the normal distribution Φ(x) = (1 + erf(x/√2))/2
// (Hendrycks & Gimpel 2016), not its tanh approximation.
func gelu(x *graph.Node) *graph.Node { return activation.Gelu(x) }

// denseGELU is gelu of [network.dense].
func (n *network) denseGELU(path string, x *graph.Node, out int) *graph.Node {
	kernel, bias := n.denseWeights(path, x, x.Shape().Dim(-1), out)
	return n.linearGELU(x, kernel, bias)
}

// linearGELU is gelu of [network.linear].
func (n *network) linearGELU(x, kernel, bias *graph.Node) *graph.Node {
	if n.pass.Kernels != nil {
		return n.nativeGELU(n.linear(x, kernel, nil), bias)
	}
	return gelu(n.linear(x, kernel, bias))
}

// mlp is two layers with GELU between them, over the last axis, as wide as before: [B, T, C] -> [B, T, C]. tap, unless nil,
// is shown what lies between, [B, T, hidden], which one kernel for both would not make.
func (n *network) mlp(path string, x *graph.Node, hidden int, tap func(hidden *graph.Node)) *graph.Node {
	batch, tokens, width := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	weights := n.mlpWeights(path, x, width, hidden)
	if n.hides() && n.fuses(width, hidden) {
		return n.nativeMLP(x, weights)
	}
	kernel0, bias0, kernel1, bias1 := weights[0], weights[1], weights[2], weights[3]
	y := n.linearGELU(x, kernel0, bias0)
	y.AssertDims(batch, tokens, hidden)
	if tap != nil {
		tap(y)
	}
	y = n.linear(y, kernel1, bias1)
	y.AssertDims(batch, tokens, width)
	return y
}

// mlpWeights are the kernel and bias of both layers of an MLP.
func (n *network) mlpWeights(path string, x *graph.Node, width, hidden int) []*graph.Node {
	kernel0, bias0 := n.denseWeights(path+"/dense_0", x, width, hidden)
	kernel1, bias1 := n.denseWeights(path+"/dense_1", x, hidden, width)
	return []*graph.Node{kernel0, bias0, kernel1, bias1}
}

// linearConv is a convolution whose kernel sees each place once, [network.linear], and what follows a convolution: GELU,
// or max(x, 0).
func (n *network) linearConv(x, kernel, bias *graph.Node) *graph.Node {
	if n.nativeConv() {
		return n.nativeGELU(n.linear(x, kernel, nil), bias)
	}
	return n.convActivation(n.linear(x, kernel, bias))
}

// biasedConv is what follows a convolution x [B, T, C] of which the bias [C] is still to be added.
func (n *network) biasedConv(x, bias *graph.Node) *graph.Node {
	if n.nativeConv() {
		return n.nativeGELU(x, bias)
	}
	return n.convActivation(graph.Add(x, channels(bias)))
}

func (n *network) convActivation(x *graph.Node) *graph.Node {
	if n.ReLU {
		return activation.Relu(x)
	}
	return gelu(x)
}

// layerNorm is γ (x - mean)/sqrt(variance + ε) + β over the channels of each token: [B, T, C] -> [B, T, C]
// (Ba, Kiros & Hinton 2016).
func (n *network) layerNorm(path string, x *graph.Node) *graph.Node {
	width := x.Shape().Dim(-1)
	x.AssertDims(-1, -1, width)
	gamma, beta := n.normWeights(path, width, x)
	if n.pass.Kernels != nil {
		y, _, _ := n.nativeNorm("layer_norm", x, gamma, beta, layerNormEpsilon, shapes.Make(dtypes.Float32, x.Shape().Dimensions[:2]...))
		return y
	}
	return withGradient(func(inputs []*graph.Node) *graph.Node {
		return nn.LayerNorm(inputs[0], []int{-1}, layerNormEpsilon, inputs[1], inputs[2], nil)
	}, func(dy *graph.Node) []*graph.Node {
		// With unit = (x - mean)/deviation, dx is (g - mean(g) - unit mean(g unit))/deviation, where g = dy gamma: two
		// sums over each token, where deriving mean and variance one by one has four.
		mean := func(x *graph.Node) *graph.Node { return graph.ReduceAndKeep(x, graph.ReduceMean, -1) }
		centred := graph.Sub(x, mean(x))
		deviation := graph.Sqrt(graph.AddScalar(mean(graph.Square(centred)), layerNormEpsilon)) // [B, T, 1]
		unit, g := graph.Div(centred, deviation), graph.Mul(dy, channels(gamma))
		dx := graph.Div(graph.Sub(graph.Sub(g, mean(g)), graph.Mul(unit, mean(graph.Mul(g, unit)))), deviation)
		return []*graph.Node{dx, graph.ReduceSum(graph.Mul(dy, unit), 0, 1), graph.ReduceSum(dy, 0, 1)}
	}, x, gamma, beta)
}

// normWeights are γ and β of so many channels, in x's graph.
func (n *network) normWeights(path string, width int, x *graph.Node) (gamma, beta *graph.Node) {
	return n.weight(path+"/gamma", ones, width).NodeValue(x), n.weight(path+"/beta", zeros, width).NodeValue(x)
}

// batchNorm is γ (x - mean)/sqrt(variance + ε) + β for each channel over batch and tokens:
// [B, T, C] -> [B, T, C] (Ioffe & Szegedy 2015). As in Keras 3 the batch's variance is the biased
// one (divided by B*T) for normalising and for the moving statistics alike, and the gradient flows
// through the batch's statistics. Outside training the moving statistics are used.
//
// Deviation from the reference as it ran: Keras 2's fused kernel fed the moving variance the unbiased
// estimate, larger by a factor 1 + 1/(B*T-1), 1.00003 for 128 images of 256 patches.
func (n *network) batchNorm(path string, x *graph.Node) *graph.Node {
	width := x.Shape().Dim(-1)
	x.AssertDims(-1, -1, width)
	gamma, beta := n.normWeights(path, width, x)
	movingMean, movingVariance := n.movingMoments(path, width)

	normalise := func(mean, variance *graph.Node) *graph.Node { // both [C]
		return graph.Add(graph.Mul(graph.Sub(x, channels(mean)), channels(n.batchNormScale(gamma, variance))), channels(beta))
	}
	if !n.pass.Training {
		return normalise(movingMean.NodeValue(x), movingVariance.NodeValue(x))
	}
	var y, mean, variance *graph.Node
	if n.pass.Kernels != nil {
		y, mean, variance = n.nativeNorm("batch_norm", x, gamma, beta, n.batchNormEpsilon(), gamma.Shape())
	} else {
		mean, variance = moments(x)
		y = normalise(mean, variance)
	}
	move(movingMean, mean)
	move(movingVariance, variance)
	return y
}

// move brings a moving statistic nearer to a batch's.
func move(v *model.Variable, batch *graph.Node) {
	old := v.NodeValue(batch)
	v.SetNodeValue(graph.StopGradient(graph.Add(graph.MulScalar(old, batchNormMomentum), graph.MulScalar(batch, 1-batchNormMomentum))))
}

// batchNormScale is what a batchNorm multiplies each channel by, [C].
func (n *network) batchNormScale(gamma, variance *graph.Node) *graph.Node {
	return graph.Div(gamma, graph.Sqrt(graph.AddScalar(variance, n.batchNormEpsilon())))
}

// movingMoments are the statistics of a batchNorm, both [C].
func (n *network) movingMoments(path string, width int) (mean, variance *model.Variable) {
	return n.fixed(path+"/moving_mean", zeros, width), n.fixed(path+"/moving_variance", ones, width)
}

// movingNorm is [network.batchNorm] outside training as x scale + offset, both [C].
func (n *network) movingNorm(path string, width int, x *graph.Node) (scale, offset *graph.Node) {
	gamma, beta := n.normWeights(path, width, x)
	mean, variance := n.movingMoments(path, width)
	scale = n.batchNormScale(gamma, variance.NodeValue(x))
	return scale, graph.Sub(beta, graph.Mul(mean.NodeValue(x), scale))
}

// channels gives a vector [C] the rank of a table: [1, 1, C].
func channels(v *graph.Node) *graph.Node { return graph.Reshape(v, 1, 1, v.Shape().Dim(0)) }

func (c Config) batchNormEpsilon() float64 { return cmp.Or(c.BatchNormEpsilon, batchNormEpsilon) }

// moments returns mean and biased variance [C] of [B, T, C] over batch and tokens.
func moments(x *graph.Node) (mean, variance *graph.Node) {
	mean = graph.ReduceMean(x, 0, 1)
	centred := graph.Sub(x, graph.Reshape(mean, 1, 1, x.Shape().Dim(-1)))
	return mean, graph.ReduceMean(graph.Square(centred), 0, 1)
}

// average is the mean over the tokens: [B, T, C] -> [B, C].
func (n *network) average(x *graph.Node) *graph.Node {
	switch {
	case n.pass.Kernels != nil:
		return n.nativeAverage(x)
	case !n.pass.Training:
		x = opaque(x)
	}
	return graph.ReduceMean(x, 1)
}

// opaque returns x, NaN included, in a way that the compiler does not see through. Before a reduction
// XLA's CPU compiler else hands the whole chain of elementwise operations that leads there to a library
// (YNNPACK), which runs it more slowly than XLA's own loops do; an OptimizationBarrier does not keep it
// from that. It costs a pass over x, and is of no use in training, where gradients break the chain.
func opaque(x *graph.Node) *graph.Node {
	nan := graph.BroadcastToShape(graph.Scalar(x.Graph(), x.DType(), math.NaN()), x.Shape())
	return graph.Where(graph.Equal(x, x), x, nan)
}
