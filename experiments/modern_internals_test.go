package experiments

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// Two epochs of warm-up and two of cosine, four steps each: by hand from the formula in Cosine's comment.
func TestCosine(t *testing.T) {
	c := Cosine{Warmup: 2, Final: .1}
	half := math.Sqrt2 / 2
	want := []float64{
		.25, .5, .75, 1, 1.25, 1.5, 1.75, 2, // η·s/8
		2, 0, 2 * (.1 + .9*(1+half)/2), 0, 2 * (.1 + .9*.5), 0, 2 * (.1 + .9*(1-half)/2), 0, // at 0, π/4, π/2, 3π/4
	}
	for i, w := range want {
		if got := c.Rate(2, int64(i+1), 16, 4); w != 0 && math.Abs(got-w) > 1e-12 {
			t.Errorf("step %d: %v, want %v", i+1, got, w)
		}
	}
	if got := (Cosine{}).Rate(2, 1, 10, 5); got != 2 {
		t.Errorf("without warm-up the first rate is %v, want 2", got)
	}
	for _, bad := range []Cosine{{Warmup: -1}, {Warmup: 4}, {Warmup: math.NaN()}, {Final: 1.1}} {
		if bad.validate(4) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// steps runs a graph of weights w [3] and b [2], called kernel and bias, whose loss is Σ w³/2 + Σ 3b.
func steps(t *testing.T, o AdamW, decay float64, count int64) (w, b, wMean []float32) {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	store := model.NewStore()
	names := []string{"/d/kernel", "/d/bias"}
	exec := model.MustNewExec(backend, store, func(scope *model.Scope, rates, rate *graph.Node) *graph.Node {
		d := scope.In("d")
		w := d.VariableWithValue("kernel", []float32{1, -2, 3}).NodeValue(rates.Graph())
		b := d.VariableWithValue("bias", []float32{1, 2}).NodeValue(rates.Graph())
		loss := graph.Add(graph.ReduceAllSum(graph.MulScalar(graph.Mul(w, graph.Square(w)), .5)), graph.ReduceAllSum(graph.MulScalar(b, 3)))
		o.Update(scope.Store(), loss, rates)
		average(scope.Store(), names, loss.Graph(), rate)
		return loss
	})
	for step := int64(1); step <= count; step++ {
		if _, err := exec.Exec(o.Rates(o.LearningRate, step), emaRate(decay, step)); err != nil {
			t.Fatal(err)
		}
	}
	value := func(path string) []float32 {
		return tensors.MustCopyFlatData[float32](store.GetVariable(path).MustValue())
	}
	return value(names[0]), value(names[1]), value(averagePath(names[0]))
}

// Clipping, decay of kernels alone and averages, against the same formulas in float64.
func TestClipDecayAndAverage(t *testing.T) {
	o := AdamW{LearningRate: .01, WeightDecay: .1, Decay: DecayPlain, Beta1: .9, Beta2: .999, Epsilon: 1e-3, KernelsOnly: true, ClipNorm: 2}
	const decay, count = .9, 100 // 1 − .9 is reached at step 81: (1+t)/(10+t) = .9
	gotW, gotB, gotMean := steps(t, o, decay, count)

	w, mean := []float64{1, -2, 3, 1, 2}, []float64{1, -2, 3, 1, 2}
	m, v := make([]float64, 5), make([]float64, 5)
	clipped := 0
	for step := 1.; step <= count; step++ {
		g := []float64{1.5 * w[0] * w[0], 1.5 * w[1] * w[1], 1.5 * w[2] * w[2], 3, 3}
		norm := 0.
		for _, x := range g {
			norm += x * x
		}
		if norm = math.Sqrt(norm); norm > 2 {
			clipped++
			for i := range g {
				g[i] *= 2 / norm
			}
		}
		alpha := .01 * math.Sqrt(1-math.Pow(.999, step)) / (1 - math.Pow(.9, step))
		for i := range w {
			m[i] += .1 * (g[i] - m[i])
			v[i] += .001 * (g[i]*g[i] - v[i])
			if i < 3 {
				w[i] -= .1 * w[i]
			}
			w[i] -= alpha * m[i] / (math.Sqrt(v[i]) + 1e-3)
			mean[i] += (1 - min(decay, (1+step)/(10+step))) * (w[i] - mean[i])
		}
	}
	if clipped == 0 {
		t.Error("the gradients were never longer than the limit")
	}
	for i, got := range slices.Concat(gotW, gotB) {
		if math.Abs(float64(got)-w[i]) > 2e-5 {
			t.Errorf("weight %d is %v after %d steps, want %v", i, got, count, w[i])
		}
	}
	for i, got := range gotMean {
		if math.Abs(float64(got)-mean[i]) > 2e-5 {
			t.Errorf("average %d is %v after %d steps, want %v", i, got, count, mean[i])
		}
	}
}

// Short gradients are left alone, bit for bit but for a factor of one.
func TestClipLeavesShortGradientsAlone(t *testing.T) {
	o := AdamW{LearningRate: .01, Decay: DecayPlain, Beta1: .9, Beta2: .999, Epsilon: 1e-3}
	free, _, _ := steps(t, o, .5, 5)
	o.ClipNorm = 1e6
	if loose, _, _ := steps(t, o, .5, 5); !slices.Equal(free, loose) {
		t.Errorf("weights %v, without clipping %v", loose, free)
	}
}

// Targets by hand: label 2 of 4 classes mixed by .75 with label 0, then smoothed by .2.
func TestTargets(t *testing.T) {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	truth := [][]float32{{0, 0, 1, 0}, {0, 1, 0, 0}, {1, 0, 0, 0}}
	logits := [][]float32{{1, 2, 3, 4}, {0, 0, 0, 0}, {5, 1, 1, 1}}
	out, err := graph.CallOnceN(backend, func(truth, logits, share *graph.Node) []*graph.Node {
		target := smooth(mixed(truth, share), .2)
		figures, loss := score(logits, truth, target)
		return []*graph.Node{target, loss, figures}
	}, truth, logits, float32(.75))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]float64{{.25, .05, .65, .05}, {.05, .85, .05, .05}, {.65, .05, .25, .05}}
	got, loss := out[0].Value().([][]float32), 0.
	for i, row := range want {
		for k, w := range row {
			if math.Abs(float64(got[i][k])-w) > 1e-6 {
				t.Errorf("target %d of class %d is %v, want %v", i, k, got[i][k], w)
			}
			loss += w * (logSumExp(logits[i]) - float64(logits[i][k])) / 3
		}
	}
	if l := tensors.ToScalar[float32](out[1]); math.Abs(float64(l)-loss) > 1e-6 {
		t.Errorf("loss %v, want %v", l, loss)
	}
	// Equal logits rank the truth first: one of three is wrong.
	if f := tensors.MustCopyFlatData[float32](out[2]); f[0] != tensors.ToScalar[float32](out[1]) || f[1] != 2 || f[2] != 3 {
		t.Errorf("%v are the loss and how many are ranked first and among five, want 2 and 3", f)
	}
}

// The kernel's loss, ranks and gradient beside those of GoMLX's operations on the Go backend.
func TestNativeScore(t *testing.T) {
	plain, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Finalize()
	t.Setenv(backend.OfflineEnv, "1")
	xla, _, err := backend.Open(t.Context(), backend.XLA, nil)
	if err != nil {
		t.Skipf("no XLA here: %v", err)
	}
	defer xla.Finalize()
	if !backend.Native(graph.NewGraph(xla, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	const batch, classes = 70, 10
	logits, labels := make([]float32, batch*classes), make([]int32, batch)
	for i := range logits {
		logits[i] = float32(math.Sin(float64(i*i)) * 3)
	}
	for i := range labels {
		labels[i] = int32(i * i % classes)
	}
	run := func(b compute.Backend, score func(logits, truth, target *graph.Node) (figures, loss *graph.Node)) (outputs [][]float32) {
		out, err := graph.CallOnceN(b, func(logits, labels, share *graph.Node) []*graph.Node {
			truth := graph.OneHot(labels, classes, dtypes.Float32)
			figures, loss := score(logits, truth, smooth(mixed(truth, share), .1))
			return []*graph.Node{figures, graph.Gradient(loss, logits)[0]}
		}, tensors.FromFlatDataAndDimensions(logits, batch, classes), labels, float32(.7))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			outputs = append(outputs, tensors.MustCopyFlatData[float32](o))
		}
		return outputs
	}
	want, got := run(plain, score), run(xla, nativeScore)
	for i := range want {
		for k, w := range want[i] {
			if math.Abs(float64(got[i][k]-w)) > 1e-6*max(1, math.Abs(float64(w))) {
				t.Errorf("result %d, number %d: %v, want %v", i, k, got[i][k], w)
			}
		}
	}
}
