//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func compileC(t *testing.T, out string, args ...string) {
	t.Helper()
	args = append([]string{"-O1", "-fno-builtin", "-Wall", "-Werror", "-pthread", "-o", out}, args...)
	if said, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// TestPool compiles and runs testdata/pool.c, a program whose malloc is the pool; then one that preloads another
// allocator besides.
func TestPool(t *testing.T) {
	dir := t.TempDir()
	program, preloaded := filepath.Join(dir, "pool"), filepath.Join(dir, "preload.so")
	compileC(t, program, "testdata/pool.c", "-ldl")
	if said, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	compileC(t, preloaded, "-shared", "-fPIC", "testdata/preload.c")
	c := exec.Command(program, "preloaded")
	c.Env = append(os.Environ(), "LD_PRELOAD="+preloaded)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("preloaded: %v: %s", err, said)
	}
}

// TestXLATakesFromPool: the linker must let the pool's functions come before libc's for a plugin too.
func TestXLATakesFromPool(t *testing.T) {
	b := openNeeded(t)
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node { return graph.Add(x, x) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Call1(tensors.FromFlatDataAndDimensions(make([]float32, 1<<20), 1<<20)); err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x rw-p", &from, &to); err == nil && to-from >= 1<<38 {
			return
		}
	}
	t.Error("the process has not the pool's region of 256 GB: XLA's memory comes from elsewhere")
}

// TestXLADonates tells by the programs that are kept whether what [Donate] says reaches the compiler.
func TestXLADonates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	b := openNeeded(t)
	for i, donated := range []bool{false, true, true} {
		store := model.NewStore()
		sum := store.VariableWithValue("/sum", []float32{1, 2, 3})
		exec, err := model.NewExec(b, store, func(_ *model.Scope, x *graph.Node) *graph.Node {
			sum.SetNodeValue(graph.Add(sum.NodeValue(x), x))
			if donated {
				Donate(x.Graph().Name(), []string{sum.Path()})
			}
			return graph.ReduceAllSum(x)
		})
		if err != nil {
			t.Fatal(err)
		}
		exec.WithName("step")
		for range 10 {
			if _, err := exec.Exec([]float32{10, 20, 30}); err != nil {
				t.Fatal(err)
			}
		}
		if got := tensors.MustCopyFlatData[float32](sum.MustValue()); !slices.Equal(got, []float32{101, 202, 303}) {
			t.Errorf("donated %t: %v", donated, got)
		}
		exec.Finalize()
		programs, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(i+1, 2); len(programs) != want {
			t.Errorf("donated %t: %d programs were made, want %d", donated, len(programs), want)
		}
	}
}

// openNeeded opens XLA by the plugin that the tests need.
func openNeeded(t *testing.T) compute.Backend {
	t.Helper()
	t.Setenv(pluginPathEnv, filepath.Dir(needPlugin(t)))
	b, _, err := Open(t.Context(), XLA, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}
