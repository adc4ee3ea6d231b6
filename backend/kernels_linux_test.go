//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/nn"
)

// TestKernels compiles and runs testdata/kernels.c for each set of instructions that the kernels are compiled for.
func TestKernels(t *testing.T) {
	has := func(features ...string) bool {
		said, err := os.ReadFile("/proc/cpuinfo")
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Fields(string(said))
		return !slices.ContainsFunc(features, func(f string) bool { return !slices.Contains(all, f) })
	}
	for name, set := range map[string]struct {
		flags []string
		here  bool
	}{
		"avx512": {[]string{"-DLANES=16", "-mavx512f", "-mfma"}, has("avx512f", "fma")},
		"avx2":   {[]string{"-DLANES=8", "-mavx2", "-mfma"}, has("avx2", "fma")},
		"any":    {[]string{"-DLANES=4"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if !set.here {
				t.Skip("this processor has no such instructions")
			}
			program := filepath.Join(t.TempDir(), "kernels")
			compileC(t, program, append(set.flags, "-O2", "-fbuiltin", "testdata/kernels.c", "-lm")...) // as cgo does
			if said, err := exec.Command(program).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
		})
	}
}

// TestXLACallsKernels tells by the programs that are kept whether XLA's call the kernels, and demands of one that is
// loaded what it computed when it was compiled.
func TestXLACallsKernels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	x := [][]float32{{-1e30, -6, -1, 0}, {.5, 1, 6, 1e30}, {float32(math.NaN()), 0, 0, 0}}
	var outputs [2][]float32
	for i := range outputs {
		b := openNeeded(t)
		if !Native(graph.NewGraph(b, "any")) {
			t.Skip("XLA calls no kernels here")
		}
		exec, err := graph.NewExec(b, func(x, bias *graph.Node) []*graph.Node {
			y := Call("gelu", []*graph.Node{x, bias}, x.Shape())[0]
			return append(Call("gelu_gradient", []*graph.Node{x, bias, graph.OnesLike(x)}, x.Shape(), bias.Shape()), y)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(x, []float32{0, 0, 0, .5})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			outputs[i] = append(outputs[i], tensors.MustCopyFlatData[float32](o)...)
		}
	}
	for i, want := range []float64{
		0, 0, -.08331547, .86749464, .86749464, 1.08331547, 1, 1, math.NaN(), .5, .5, .86749464, // of x
		math.NaN(), 1.58331547, 1.41668453, 2.73498928, // of the bias
		0, 0, -.15865525, .34573123, .34573123, .84134475, 6, 1e30, math.NaN(), 0, 0, .34573123,
	} {
		if got := float64(outputs[0][i]); math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("number %d is %v, want %v", i, got, want)
		}
		if math.Float32bits(outputs[0][i]) != math.Float32bits(outputs[1][i]) {
			t.Errorf("number %d of a loaded program is %v, want %v", i, outputs[1][i], outputs[0][i])
		}
	}
	kept := keptProgram(t, dir)
	for _, target := range []string{`patchlab_gelu\b`, `patchlab_gelu_gradient\b`} {
		if !regexp.MustCompile(target).Match(kept) {
			t.Errorf("the program does not call %s", target)
		}
	}
}

// TestUnknownKernel calls one that there is not: compiling fails, and tells its name.
func TestUnknownKernel(t *testing.T) {
	t.Setenv(ProgramsEnv, "off")
	b := openNeeded(t)
	if !Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node { return Call("nothing", []*graph.Node{x}, x.Shape())[0] })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Call([]float32{1}); err == nil || !strings.Contains(err.Error(), "patchlab_nothing") {
		t.Errorf("an unknown kernel: %v", err)
	}
}

// TestRefusedCalls calls kernels with arguments that do not go together: running fails, and reads nothing beyond them.
func TestRefusedCalls(t *testing.T) {
	b := openNeeded(t)
	if !Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	table := func(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }
	// These are inputs that go together, but for number wrong, which has that shape.
	but := func(inputs []shapes.Shape, wrong int, shape shapes.Shape) []shapes.Shape {
		inputs[wrong] = shape
		return inputs
	}
	mixer := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{
			table(2, 3, 4), table(4), table(4), table(4), table(4),
			table(3, 2), table(2), table(2, 3), table(3), table(4, 5), table(5), table(5, 4), table(4), table(),
		}, wrong, shape)
	}
	convmixer := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{
			table(2, 4, 4, 3), table(2, 2, 1, 3), table(3), table(3), table(3),
			table(3, 3), table(3), table(3), table(3), shapes.Make(dtypes.Int32),
		}, wrong, shape)
	}
	pointwise := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{table(2, 3), table(3, 4), table(4), table(4), table(4)}, wrong, shape)
	}
	pointwiseNorm := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{table(2, 3), table(3, 4), table(4), table(4), table(4), table()}, wrong, shape)
	}
	pointwiseNormGradient := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{
			table(2, 3), table(3, 4), table(4), table(2, 4), table(2, 4), table(4), table(4), table(4), table(2, 4), table(),
		}, wrong, shape)
	}
	depthwiseNorm := func(wrong int, shape shapes.Shape) []shapes.Shape {
		return but([]shapes.Shape{
			table(2, 4, 4, 3), table(2, 2, 1, 3), table(3), table(3), table(3), table(), shapes.Make(dtypes.Int32),
		}, wrong, shape)
	}
	depthwiseNormGradient := func(wrong int, shape shapes.Shape) []shapes.Shape {
		image := table(2, 4, 4, 3)
		return but([]shapes.Shape{
			image, table(2, 2, 1, 3), table(3), image, image, table(3), table(3), table(3), image, table(), shapes.Make(dtypes.Int32),
		}, wrong, shape)
	}
	depthwiseGradients := func(x shapes.Shape) []shapes.Shape {
		return []shapes.Shape{table(2, 2, 1, 3), table(3), table(3), table(3), x}
	}
	five := func(y, moment shapes.Shape) []shapes.Shape { return []shapes.Shape{y, y, y, moment, moment} }
	for _, c := range []struct {
		kernel  string
		inputs  []shapes.Shape
		results []shapes.Shape
	}{
		{"mlp", []shapes.Shape{table(), table(1, 2), table(2), table(2, 1), table(1)}, []shapes.Shape{table(1)}},
		{"mlp", []shapes.Shape{table(3, 4), table(4, 2), table(3), table(2, 4), table(4)}, []shapes.Shape{table(3, 4)}},
		{"mlp", []shapes.Shape{table(3, 4), table(4, 2), table(2), table(3, 4), table(4)}, []shapes.Shape{table(3, 4)}},
		{"mlp", []shapes.Shape{table(3, 4), table(4, 2), table(2), table(2, 4), table(4)}, []shapes.Shape{table(3, 5)}},
		{"mlp_gradient", []shapes.Shape{table(3, 4), table(4, 2), table(2), table(2, 4), table(3, 5)}, []shapes.Shape{table(3, 4), table(4, 2), table(2), table(2, 4), table(4)}},
		{"mixer", mixer(0, table(2, 3, 4)), []shapes.Shape{table(2, 3, 5)}},
		{"mixer", mixer(0, table(6, 4)), []shapes.Shape{table(6, 4)}},
		{"mixer", mixer(1, table(5)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(4, table(3)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(5, table(4, 2)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(6, table(1)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(7, table(3, 3)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(8, table(4)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(9, table(3, 5)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(11, table(5, 3)), []shapes.Shape{table(2, 3, 4)}},
		{"mixer", mixer(13, table(1)), []shapes.Shape{table(2, 3, 4)}},
		{"pointwise", pointwise(0, table(3, 3)), []shapes.Shape{table(2, 4)}},
		{"pointwise", pointwise(1, table(3, 5)), []shapes.Shape{table(2, 4)}},
		{"pointwise", pointwise(2, table(3)), []shapes.Shape{table(2, 4)}},
		{"pointwise", pointwise(3, table(5)), []shapes.Shape{table(2, 4)}},
		{"pointwise", pointwise(4, table(5)), []shapes.Shape{table(2, 4)}},
		{"pointwise", []shapes.Shape{table(), table(1, 1), table(1), table(1), table(1)}, []shapes.Shape{table()}},
		{"convmixer", convmixer(0, table(2, 4, 4, 3)), []shapes.Shape{table(2, 4, 5, 3)}},
		{"convmixer", convmixer(0, table(2, 4, 5, 3)), []shapes.Shape{table(2, 4, 4, 3)}},
		{"convmixer", convmixer(1, table(2, 3, 1, 3)), []shapes.Shape{table(2, 4, 4, 3)}},
		{"convmixer", convmixer(1, table(1, 1, 1, 3)), []shapes.Shape{table(2, 4, 4, 3)}}, // before is 1
		{"convmixer", convmixer(3, table(2)), []shapes.Shape{table(2, 4, 4, 3)}},
		{"convmixer", convmixer(5, table(2, 3)), []shapes.Shape{table(2, 4, 4, 3)}},
		{"convmixer", convmixer(8, table(2)), []shapes.Shape{table(2, 4, 4, 3)}},
		{"pointwise_norm", pointwiseNorm(0, table(3, 3)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(1, table(3, 5)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(2, table(5)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(3, table(3)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(4, table(3)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(5, table(1)), five(table(2, 4), table(4))},
		{"pointwise_norm", pointwiseNorm(0, table(2, 3)), five(table(2, 4), table(3))},
		{"pointwise_norm", pointwiseNorm(0, table(2, 3)), five(table(3, 4), table(4))},
		{"pointwise_norm_gradient", pointwiseNormGradient(3, table(3, 4)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(6, table(2)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(8, table(3, 4)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(8, table(2, 4)), []shapes.Shape{table(3, 4), table(4), table(4), table(3)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(8, table(2, 4)), []shapes.Shape{table(3, 4), table(4), table(4), table(4), table(3, 3)}},
		{"depthwise_norm", depthwiseNorm(0, table(2, 4, 5, 3)), five(table(2, 4, 4, 3), table(3))},
		{"depthwise_norm", depthwiseNorm(1, table(1, 1, 1, 3)), five(table(2, 4, 4, 3), table(3))}, // before is 1
		{"depthwise_norm", depthwiseNorm(2, table(2)), five(table(2, 4, 4, 3), table(3))},
		{"depthwise_norm", depthwiseNorm(5, table(3)), five(table(2, 4, 4, 3), table(3))},
		{"pointwise_norm", pointwiseNorm(0, table(2, 3)), []shapes.Shape{table(2, 4), table(2, 3), table(2, 4), table(4), table(4)}},
		{"pointwise_norm", pointwiseNorm(0, table(2, 3)), []shapes.Shape{table(2, 4), table(2, 4), table(8), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(0, table(3, 3)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(2, table(3)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"pointwise_norm_gradient", pointwiseNormGradient(5, table(3)), []shapes.Shape{table(3, 4), table(4), table(4), table(4)}},
		{"depthwise_norm_gradient", depthwiseNormGradient(0, table(2, 4, 5, 3)), depthwiseGradients(table(2, 4, 4, 3))},
		{"depthwise_norm_gradient", depthwiseNormGradient(1, table(1, 1, 1, 3)), depthwiseGradients(table(2, 4, 4, 3))}, // before is 1
		{"depthwise_norm_gradient", depthwiseNormGradient(4, table(2, 4, 4, 2)), depthwiseGradients(table(2, 4, 4, 3))},
		{"depthwise_norm_gradient", depthwiseNormGradient(9, table(1)), depthwiseGradients(table(2, 4, 4, 3))},
		{"depthwise_norm_gradient", depthwiseNormGradient(0, table(2, 4, 4, 3)), depthwiseGradients(table(2, 4, 4, 3))[:4]},
		{"average", []shapes.Shape{table(2, 3)}, []shapes.Shape{table(2, 3)}},
		{"average", []shapes.Shape{table(2, 3, 4)}, []shapes.Shape{table(2, 3)}},
		{"dense", []shapes.Shape{table(), table(1, 2), table(2)}, []shapes.Shape{table(2)}},
		{"gelu", []shapes.Shape{table(), table(1)}, []shapes.Shape{table(1)}},
		{"attention", []shapes.Shape{table(1, 2, 3, 4), table(1, 2, 3, 4), table(1, 2, 3, 5), table(), table(), table(), table()}, []shapes.Shape{table(1, 2, 3, 4)}},
	} {
		exec, err := graph.NewExec(b, func(one *graph.Node) []*graph.Node {
			inputs := make([]*graph.Node, len(c.inputs))
			for i, shape := range c.inputs {
				inputs[i] = graph.ConvertDType(graph.BroadcastToShape(one, shape), shape.DType)
			}
			return Call(c.kernel, inputs, c.results...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.Call(float32(1)); err == nil || !strings.Contains(err.Error(), "other arguments") {
			t.Errorf("%s of %v: error %v", c.kernel, c.inputs, err)
		}
		exec.Finalize()
	}
}

// TestNoStubs: a program in which a function was not replaced is none that compiles, since it would compute nothing.
func TestNoStubs(t *testing.T) {
	if got := string(rewritten([]byte(calling), false)); !strings.HasPrefix(got, "patchlab: ") {
		t.Errorf("a program with functions became\n%s", got)
	}
	if got := string(rewritten([]byte(calling), true)); !strings.HasPrefix(got, "module @step_1 {") {
		t.Errorf("a program with calls became\n%s", got)
	}
	if got := rewritten([]byte("module @other {}"), true); got != nil {
		t.Errorf("a program without any became\n%s", got)
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
	// Four layers and attention's two products, and the two gradients of each.
	if calls := bytes.Count(keptProgram(t, dir), []byte("patchlab_product")); calls == 0 || calls%18 != 0 { // each may be said more than once
		t.Errorf("the program says product %d times, want 18 or a multiple", calls)
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
