package experiments

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// The expected rates were worked out by hand from Keras's ReduceLROnPlateau:
// a fall of less than MinDelta is no fall, and the count starts again after a cut.
func TestPlateauAndEarlyStopping(t *testing.T) {
	r := Recipe{Epochs: 100, Plateau: &Plateau{Factor: .5, Patience: 2, MinDelta: 1e-4}, EarlyStopping: &EarlyStopping{Patience: 4}}
	s := state{LearningRate: 1}
	for i, step := range []struct {
		loss, rate float64
		done       bool
	}{
		{1, 1, false},
		{.99995, 1, false}, // plateau waits 1; a new low for early stopping
		{.99994, .5, false},
		{.99993, .5, false},
		{.9, .5, false},
		{.9, .5, false}, {.9, .25, false}, {.9, .25, false},
		{.9, .125, true}, // four epochs without a lower loss
	} {
		s.Epochs++
		s.schedule(r, step.loss)
		if s.LearningRate != step.rate || s.Done != step.done {
			t.Fatalf("epoch %d: learning rate %v, done %v; want %v, %v", i+1, s.LearningRate, s.Done, step.rate, step.done)
		}
	}
}

func TestKeep(t *testing.T) {
	low, high := Evaluation{Loss: 1, Top1: .5}, Evaluation{Loss: 2, Top1: .6}
	for k, want := range map[Keep][2]bool{KeepLoss: {true, false}, KeepAccuracy: {false, true}, KeepLast: {true, true}} {
		if got := [2]bool{k.Better(low, high), k.Better(high, low)}; got != want {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
	}
}

// AdamW against the same formulas in float64, for both kinds of decay.
func TestAdamW(t *testing.T) {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	for _, kind := range []Decay{DecayPlain, DecayScaled} {
		o := DefaultAdamW(.01)
		o.Decay, o.WeightDecay = kind, .1
		store := model.NewStore()
		exec := model.MustNewExec(backend, store, func(scope *model.Scope, rates *graph.Node) *graph.Node {
			w := scope.VariableWithValue("w", []float32{1, -2, 3}).NodeValue(rates.Graph())
			loss := graph.ReduceAllSum(graph.MulScalar(graph.Mul(w, graph.Square(w)), .5)) // gradient 1.5 w²
			o.Update(scope.Store(), loss, rates)
			return loss
		})
		w, m, v := []float64{1, -2, 3}, make([]float64, 3), make([]float64, 3)
		for step := int64(1); step <= 5; step++ {
			if _, err := exec.Exec(o.Rates(.01, step)); err != nil {
				t.Fatal(err)
			}
			decay := o.WeightDecay
			if kind == DecayScaled {
				decay *= .01
			}
			for i := range w {
				g := 1.5 * w[i] * w[i]
				m[i] += (1 - o.Beta1) * (g - m[i])
				v[i] += (1 - o.Beta2) * (g*g - v[i])
				alpha := .01 * math.Sqrt(1-math.Pow(o.Beta2, float64(step))) / (1 - math.Pow(o.Beta1, float64(step)))
				w[i] -= decay * w[i]
				w[i] -= alpha * m[i] / (math.Sqrt(v[i]) + o.Epsilon)
			}
		}
		got := tensors.MustCopyFlatData[float32](store.GetVariable("/w").MustValue())
		for i := range w {
			if math.Abs(float64(got[i])-w[i]) > 1e-5 {
				t.Errorf("%s: w[%d] = %v after five steps, want %v", kind, i, got[i], w[i])
			}
		}
	}
}

func TestRankAndLoss(t *testing.T) {
	logits := []float32{0, 3, 1, 2, -1, 700, 700}
	p := rank(logits)
	if p.Classes[0] != 5 || p.Classes[1] != 6 || p.Classes[2] != 1 || math.Abs(p.Probabilities[0]-.5) > 1e-9 {
		t.Errorf("ranked %v with %v", p.Classes, p.Probabilities)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0, 1}, {.5, 2.5}, {.95, 3.85}, {1, 4}} {
		if got := quantile([]float32{4, 1, 3, 2}, c.q); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
	if !math.IsNaN(quantile(nil, .5)) {
		t.Error("the quantile of nothing should be NaN")
	}
}

func TestDropoutSeedsDiffer(t *testing.T) {
	seen := map[uint32]bool{}
	const runs, steps = 20, 5000
	for run := range int64(runs) {
		for step := range int64(steps) {
			seen[dropoutSeed(run, step)] = true
		}
	}
	// 100,000 draws of 32 bits collide 1.2 times on average.
	if missing := runs*steps - len(seen); missing > 12 {
		t.Errorf("%d of %d seeds collide", missing, runs*steps)
	}
}

// Of a product, a call of one result and one of two, by hand.
func TestTraffic(t *testing.T) {
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	g := graph.NewGraph(b, "traffic")
	x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 8, 4))
	w := graph.Parameter(g, "w", shapes.Make(dtypes.Float32, 4, 2))
	y := graph.Dot(x, w).Product() // [8, 2]
	bias := graph.Const(g, []float32{1, 2})
	y = graph.AddScalar(backend.Call("gelu", []*graph.Node{y, bias}, y.Shape())[0], 1)
	backend.Call("gelu_gradient", []*graph.Node{y, bias, y}, y.Shape(), bias.Shape())
	numbers := (32 + 8) + (32 + 8 + 16) + (16 + 2 + 16) + (16 + 2 + 16 + 16 + 2)
	if got := traffic(g); got != int64(4*numbers) {
		t.Errorf("%d bytes, want %d", got, 4*numbers)
	}
}
