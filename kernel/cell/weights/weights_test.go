package weights_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/kernel/cell"
	"patchlab/kernel/cell/weights"
)

// step trains a little: gradient descent with momentum on a sum of fourth powers.
func step(scope *model.Scope, rate *graph.Node) *graph.Node {
	g := rate.Graph()
	scope = scope.In("layer")
	w := scope.VariableWithValue("w", []float32{1, -2, 3})
	momentum := scope.VariableWithValue("momentum", []float32{0, 0, 0}).SetTrainable(false)
	x := w.NodeValue(g)
	loss := graph.ReduceAllSum(graph.Square(graph.Square(x)))
	m := graph.Add(graph.MulScalar(momentum.NodeValue(g), .9), graph.Gradient(loss, x)[0])
	momentum.SetNodeValue(m)
	w.SetNodeValue(graph.Sub(x, graph.Mul(rate, m)))
	return loss
}

func train(t *testing.T, backend compute.Backend, store *model.Store, steps int) (losses []float32) {
	t.Helper()
	exec := model.MustNewExec(backend, store, step)
	for range steps {
		out, err := exec.Exec(float32(.001))
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, tensors.ToScalar[float32](out[0]))
	}
	return losses
}

// TestResumedEqualsUninterrupted trains, keeps, gets and trains on: every loss is that of training without a break.
func TestResumedEqualsUninterrupted(t *testing.T) {
	t.Setenv(cell.Session, t.TempDir())
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	want := train(t, backend, model.NewStore(), 8)

	store := model.NewStore()
	store.SetParam("/layer/units", 3)
	got := train(t, backend, store, 4)
	weights.Keep("model", store)

	again := weights.Get("model")
	got = append(got, train(t, backend, again, 4)...)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("losses %v, want %v", got, want)
	}
	if units, ok := again.GetParam("/layer/units"); !ok || units != 3 {
		t.Errorf("the parameter came back as %v", units)
	}
	if again.GetVariable("/layer/momentum").Trainable || !again.GetVariable("/layer/w").Trainable {
		t.Error("what can be trained has changed")
	}

	// Into a store that has the variables already.
	weights.Restore("model", again)
	if got := train(t, backend, again, 1); got[0] != want[4] {
		t.Errorf("after restoring, the loss is %v, want %v", got[0], want[4])
	}
}

func TestRefusals(t *testing.T) {
	t.Setenv(cell.Session, t.TempDir())
	stops := func(want string, do func()) {
		t.Helper()
		defer func() {
			if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("stopped with %v, want %q", err, want)
			}
		}()
		do()
	}
	stops("nothing is kept", func() { weights.Get("model") })
	store := model.NewStore()
	store.SetParam("/activation", func() {})
	stops("at .Params[/activation]: a func() cannot be kept", func() { weights.Keep("model", store) })

	store = model.NewStore()
	store.VariableWithValue("/w", []float32{1})
	weights.Keep("model", store)
	other := model.NewStore()
	other.VariableWithValue("/w", []float32{1, 2})
	stops("variable /w: it is (Float32)[2] here and was kept as (Float32)[1]", func() { weights.Restore("model", other) })
}
