//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestKernels compiles and runs testdata/kernels.c.
func TestKernels(t *testing.T) {
	program := filepath.Join(t.TempDir(), "kernels")
	compileC(t, program, "testdata/kernels.c", "-lm")
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
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d programs are kept (%v), want 1", len(files), err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"patchlab_depthwise", "patchlab_norm"} {
		gradients := bytes.Count(kept, []byte(target+"_gradient"))
		if bytes.Count(kept, []byte(target)) == gradients {
			t.Errorf("the program does not call %s", target)
		}
		if gradients == 0 {
			t.Errorf("the program does not call %s_gradient", target)
		}
	}
}
