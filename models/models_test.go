package models

import (
	"io"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// goBackend returns the pure-Go backend, with nodes one after the other: in parallel they can deadlock.
func goBackend(t testing.TB) compute.Backend {
	t.Helper()
	pure, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pure.Finalize)
	return pure
}

// xlaBackend returns XLA on the CPU, or skips the test where it is not installed.
func xlaBackend(t testing.TB) compute.Backend {
	t.Helper()
	xla, err := openXLA(t)
	if err != nil {
		t.Skipf("XLA is not installed here: %v", err)
	}
	return xla
}

// anyBackend returns XLA where it is installed, else the pure-Go backend: for tests that need speed more
// than a certain backend.
func anyBackend(t testing.TB) compute.Backend {
	t.Helper()
	if xla, err := openXLA(t); err == nil {
		return xla
	}
	return goBackend(t)
}

func openXLA(t testing.TB) (compute.Backend, error) {
	t.Helper()
	t.Setenv(backend.OfflineEnv, "1") // a test installs nothing
	xla, _, err := backend.Open(t.Context(), backend.XLA, io.Discard)
	if err == nil {
		t.Cleanup(xla.Finalize)
	}
	return xla, err
}

// pictures returns n deterministic images of size x size x channels with some structure and noise.
func pictures(n, size, channels int) *tensors.Tensor {
	pixels := make([]uint8, n*size*size*channels)
	random := stream(7, "pictures")
	for i := range pixels {
		place := i / channels
		x, y, image := place%size, place/size%size, place/size/size
		wave := 90 * math.Sin(float64(x*(image%3+1)+y*(image%5+1)*(i%channels+1))/5)
		pixels[i] = uint8(128 + wave + float64(mix(random.key+uint64(i))%60) - 30)
	}
	return tensors.FromFlatDataAndDimensions(pixels, n, size, size, channels)
}

func lookup(t testing.TB, id string) Config {
	t.Helper()
	entry, err := Lookup(id)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Config
}

// ready returns a store with the network's initial weights of a seed and pixel statistics of real images.
func ready(t testing.TB, c Config, seed int64) *model.Store {
	t.Helper()
	store := model.NewStore()
	store.SetParam(ParamSeed, seed)
	if err := c.Init(store); err != nil {
		t.Fatal(err)
	}
	if err := SetNormalization(store, []float32{125, 123, 114}, []float32{3970, 3880, 4470}); err != nil {
		t.Fatal(err)
	}
	return store
}

// infer runs a network on images and returns its logits, flat.
func infer(t testing.TB, b compute.Backend, store *model.Store, c Config, images *tensors.Tensor) []float32 {
	t.Helper()
	exec, err := model.NewExec(b, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		return c.Logits(scope, images, Pass{Kernels: backend.Kernels(images.Graph())})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	local, err := images.LocalClone() // a tensor belongs to one backend
	if err != nil {
		t.Fatal(err)
	}
	logits, err := exec.Call1(local)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{images.Shape().Dim(0), c.Classes}
	if got := logits.Shape().Dimensions; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Fatalf("logits of %s have shape %v, want %v", c.ID, got, want)
	}
	return tensors.MustCopyFlatData[float32](logits)
}

// furthest returns the largest absolute difference.
func furthest(t testing.TB, a, b []float32) float64 {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("comparing %d values with %d", len(a), len(b))
	}
	var worst float64
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if !(d <= worst) { // NaN counts as furthest
			worst = d
		}
	}
	return worst
}
