package experiments_test

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
	"patchlab/experiments"
)

// TestStepCallsKernels tells by the programs that are kept that a step of training calls the kernels of package backend:
// AdamW's update of each trainable variable, with weight decay and without, the stem's convolution with its GELU and
// norm, the other norms and GELUs, the MLPs, the attention, the head's average, the loss, and the keys of each dropout.
func TestStepCallsKernels(t *testing.T) {
	open(t, backend.XLA) // or skip
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(backend.ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	t.Setenv(backend.OfflineEnv, "1")
	b, _, err := backend.Open(t.Context(), backend.XLA, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	if !backend.Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	recipe := tiny()
	recipe.Epochs = 1
	calls(t, b, recipe, dir)
	recipe.Optimizer.KernelsOnly, recipe.Optimizer.ClipNorm = true, 1
	calls(t, b, recipe, dir)
}

// calls trains and counts the kernels that the step's program calls.
func calls(t *testing.T, b compute.Backend, recipe experiments.Recipe, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	trained(t, experiments.Job{Recipe: recipe, Dataset: shapes(t, 40, 20), Backend: b, BackendName: "xla:cpu"})
	variables, err := recipe.Model.Variables()
	if err != nil {
		t.Fatal(err)
	}
	trainable := 0
	for _, v := range variables {
		if v.Trainable {
			trainable++
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var step []byte // the program with most calls
	for _, f := range files {
		program, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(program, []byte("patchlab_")) > bytes.Count(step, []byte("patchlab_")) {
			step = program
		}
	}
	// A program that is kept may say each call's name more than once.
	for kernel, want := range map[string]int{
		"adamw": trainable, "layer_norm": 4, "layer_norm_gradient": 4, "gelu": 4, "gelu_gradient": 4, "pointwise_norm": 1, "pointwise_norm_gradient": 1, "average": 1, "mlp": 2, "mlp_gradient": 2, "attention": 1, "attention_gradient": 1, "score": 1, "dropout_keys": 5,
	} {
		if n := len(regexp.MustCompile(`patchlab_`+kernel+`\b`).FindAll(step, -1)); n == 0 || n%want != 0 {
			t.Errorf("the step's program says %s %d times, want %d or a multiple", kernel, n, want)
		}
	}
}

// TestUpdateInPlace holds AdamW's update on XLA, its moments written in place, to the Go backend's, where the old
// moment is still needed afterwards.
func TestUpdateInPlace(t *testing.T) {
	run := func(kind backend.Kind) (outputs [][]float32) {
		b, _ := open(t, kind)
		store := model.NewStore()
		w := store.VariableWithValue("/w", [][]float32{{1, -2, 3}, {.5, 0, -1}})
		moment := store.VariableWithValue("/optimizer/m/w", [][]float32{{0, 0, 0}, {0, 0, 0}}).SetTrainable(false)
		o := experiments.DefaultAdamW(.01)
		o.WeightDecay = .1
		exec := model.MustNewExec(b, store, func(scope *model.Scope, rates *graph.Node) *graph.Node {
			g := rates.Graph()
			old := moment.NodeValue(g)
			loss := graph.ReduceAllSum(graph.Mul(w.NodeValue(g), graph.Square(w.NodeValue(g))))
			o.Update(store, loss, rates)
			var changed []string
			for v := range store.IterVariables() {
				switch {
				case !v.ChangedInGraph(g):
				case v.Trainable:
					changed = append(changed, "")
				default:
					changed = append(changed, v.Path())
				}
			}
			backend.Donate(g.Name(), changed)
			return graph.Add(old, graph.MulScalar(moment.NodeValue(g), 1e-3))
		})
		defer exec.Finalize()
		for step := range int64(5) {
			out, err := exec.Exec(o.Rates(.01, step+1))
			if err != nil {
				t.Fatal(err)
			}
			outputs = append(outputs, tensors.MustCopyFlatData[float32](out[0]))
		}
		for _, path := range []string{"/w", "/optimizer/m/w", "/optimizer/v/w"} {
			outputs = append(outputs, tensors.MustCopyFlatData[float32](store.GetVariable(path).MustValue()))
		}
		return outputs
	}
	want, got := run(backend.Go), run(backend.XLA)
	for i := range want {
		for k, w := range want[i] {
			if math.Abs(float64(got[i][k]-w)) > 1e-5*math.Max(1, math.Abs(float64(w))) {
				t.Errorf("result %d: %v, want %v", i, got[i], want[i])
				break
			}
		}
	}
}
