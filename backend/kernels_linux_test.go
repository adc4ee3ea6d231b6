//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/nn"
)

// TestKernels compiles and runs testdata/kernels.c.
func TestKernels(t *testing.T) {
	program := filepath.Join(t.TempDir(), "kernels")
	compileC(t, program, "-O2", "-fbuiltin", "testdata/kernels.c", "-lm") // as cgo does
	if said, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// TestXLACallsKernels tells by the programs that are kept whether XLA's call the kernels, and demands of one that is
// loaded what it computed when it was compiled.
func TestXLACallsKernels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	const batch, size, dim = 4, 9, 20
	x, kernel := make([]float32, batch*size*size*dim), make([]float32, 3*3*dim)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	for i := range kernel {
		kernel[i] = float32(i%5) - 2
	}
	axes := graph.ConvolveAxesConfig{
		InputSpatial: []int{1, 2}, InputChannels: 3, KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}
	var outputs [2][]float32
	for i := range outputs {
		b := openNeeded(t)
		if !Native(b) {
			t.Fatal("the plugin takes no calls")
		}
		exec, err := graph.NewExec(b, func(x, kernel *graph.Node) []*graph.Node {
			scale := graph.ReduceSum(kernel, 0, 1, 2)
			y, _, _ := graph.InternalBatchNormForTraining(x, scale, scale, 1e-3, -1)
			y = graph.ConvGeneral(y, kernel, axes, nil, [][2]int{{1, 1}, {1, 1}}, nil, nil, dim, 0)
			// The gradient by the kernel, as GoMLX does not write it itself.
			flipped := axes
			flipped.InputBatch, flipped.InputChannels, flipped.KernelSpatial, flipped.KernelInputChannels = 3, 0, []int{1, 2}, 0
			flipped.OutputBatch, flipped.OutputSpatial = 2, []int{0, 1}
			dkernel := graph.ConvGeneral(x, y, flipped, nil, [][2]int{{1, 1}, {1, 1}}, nil, nil, 0, dim)
			return []*graph.Node{y, dkernel, graph.Gradient(graph.ReduceAllSum(graph.Square(y)), scale)[0]}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, batch, size, size, dim), tensors.FromFlatDataAndDimensions(kernel, 3, 3, 1, dim))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			outputs[i] = append(outputs[i], tensors.MustCopyFlatData[float32](o)...)
		}
	}
	if !slices.Equal(outputs[0], outputs[1]) {
		t.Error("a loaded program computes something else")
	}
	kept := keptProgram(t, dir)
	for _, target := range []string{"patchlab_depthwise", "patchlab_batch_norm"} {
		gradients := bytes.Count(kept, []byte(target+"_gradient"))
		if bytes.Count(kept, []byte(target)) == gradients {
			t.Errorf("the program does not call %s", target)
		}
		if gradients == 0 {
			t.Errorf("the program does not call %s_gradient", target)
		}
	}
}

// TestXLAProducts demands of products that call kernels what the Go backend computes.
func TestXLAProducts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	const batch, tokens, dim, heads = 24, 52, 128, 2
	layers := func(x, w, v, bias *graph.Node) *graph.Node {
		y := activation.Gelu(nn.Dense(x, w, bias, compute.DenseLayoutInputOutputs)) // [B, T, C]
		y = graph.Transpose(nn.Dense(graph.Transpose(y, 1, 2), v, graph.ReduceSum(v, 0), compute.DenseLayoutInputOutputs), 1, 2)
		x = graph.Add(x, y)
		head := func(x *graph.Node) *graph.Node { return graph.Reshape(x, batch, tokens, heads, dim/heads) }
		q, k := head(nn.Dense(x, w, nil, compute.DenseLayoutInputOutputs)), head(graph.Square(x))
		scores := graph.Softmax(graph.Einsum("bqhk,bthk->bhqt", q, k), -1)
		y = graph.Reshape(graph.Einsum("bhqt,bthk->bqhk", scores, k), batch, tokens, dim)
		return graph.Add(nn.Dense(y, w, bias, compute.DenseLayoutInputOutputs), x)
	}
	run := func(b compute.Backend) (outputs [][]float32) {
		var arguments []any
		for _, dims := range [][]int{{batch, tokens, dim}, {dim, dim}, {tokens, tokens}, {dim}} {
			n := 1
			for _, d := range dims {
				n *= d
			}
			numbers := make([]float32, n)
			for i := range numbers {
				numbers[i] = float32(math.Sin(float64(i*i))) / 16
			}
			arguments = append(arguments, tensors.FromFlatDataAndDimensions(numbers, dims...))
		}
		exec, err := graph.NewExec(b, func(x, w, v, bias *graph.Node) []*graph.Node {
			y := layers(x, w, v, bias)
			return append(graph.Gradient(graph.ReduceAllSum(graph.Square(y)), x, w, v, bias), y)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(arguments...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			outputs = append(outputs, tensors.MustCopyFlatData[float32](o))
		}
		return outputs
	}
	plain, _, err := Open(t.Context(), Go, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Finalize()
	want, got := run(plain), run(openNeeded(t))
	for i := range want {
		var most, off float64
		for k := range want[i] {
			most = max(most, math.Abs(float64(want[i][k])))
			off = max(off, math.Abs(float64(want[i][k]-got[i][k])))
		}
		if !(off <= 1e-5*most) {
			t.Errorf("result %d: %g off at most, where numbers are up to %g", i, off, most)
		}
	}
	// Attention's two products and their four gradients, layers' gradients by tables, and by weights.
	if calls := bytes.Count(keptProgram(t, dir), []byte("patchlab_product")); calls < 10 {
		t.Errorf("the program calls %d products, want 10 or more", calls)
	}
}

// keptProgram reads the one program that is kept in a folder.
func keptProgram(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d programs are kept (%v), want 1", len(files), err)
	}
	program, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return program
}
