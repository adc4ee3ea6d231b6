package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Frozen, only the head is left to train, BatchNorm does not move, and but for
// dropout in the head the logits are those outside training.
func TestFrozen(t *testing.T) {
	config, err := Parse("convmixer:1,mixer:1,vit:1")
	if err != nil {
		t.Fatal(err)
	}
	config.Head.Hidden, config.Head.Norm = []int{5}, true
	store := ready(t, config, 3)
	images := pictures(4, 32, 3)
	pure := goBackend(t)
	outside := infer(t, pure, store, config, images)
	exec, err := model.NewExec(pure, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		return config.Logits(scope, images, Pass{Training: true, Frozen: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	logits, err := exec.Call1(images)
	if err != nil {
		t.Fatal(err)
	}
	if worst := furthest(t, tensors.MustCopyFlatData[float32](logits), outside); worst > 1e-6 {
		t.Errorf("frozen, the logits differ by %g", worst)
	}
	var trained []string
	for v := range store.IterVariables() {
		if v.Trainable {
			trained = append(trained, strings.TrimPrefix(v.Path(), "/"))
		}
	}
	slices.Sort(trained)
	if want := []string{"classifier/bias", "classifier/kernel", "head/dense_0/bias", "head/dense_0/kernel"}; !slices.Equal(trained, want) {
		t.Errorf("trained are %v, want %v", trained, want)
	}
}

func TestResizePositions(t *testing.T) {
	table := []float32{1, 10, 2, 20, 3, 30, 4, 40} // 2 x 2 patches of 2 channels
	if got := ResizePositions(table, 2, 2, 2); !slices.Equal(got, table) {
		t.Errorf("the same grid gives %v", got)
	}
	got := ResizePositions(table, 2, 4, 2) // corners keep their values, halfway points come in quarters
	for patch, want := range map[int]float32{0: 1, 3: 2, 12: 3, 15: 4, 1: 1.25, 2: 1.75, 4: 1.5, 5: 1.75} {
		if got[2*patch] != want || got[2*patch+1] != 10*want {
			t.Errorf("patch %d is %v, want %v and ten times that", patch, got[2*patch:2*patch+2], want)
		}
	}
	if got := ResizePositions(table, 2, 1, 2); !slices.Equal(got, []float32{2.5, 25}) {
		t.Errorf("one patch is %v, want the mean", got)
	}
}

// A ConvMixer of ReLUs follows torch's order: convolution, ReLU, BatchNorm.
func TestReLU(t *testing.T) {
	config := Config{ID: "relu", ImageSize: 2, PatchSize: 1, Dim: 1, Channels: 1, Classes: 2, Stem: ConvStem,
		Blocks: Stack{ConvMixer{Kernel: 1}}, ReLU: true, BatchNormEpsilon: 1e-5}
	store := model.NewStore()
	if err := config.Init(store); err != nil {
		t.Fatal(err)
	}
	for path, value := range map[string]float32{"/embedding/kernel": 1, "/block_0/depthwise/kernel": -1, "/block_0/pointwise/kernel": 1} {
		v := store.GetVariable(path)
		if err := v.SetValue(tensors.FromFlatDataAndDimensions([]float32{value}, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	exec, err := model.NewExec(goBackend(t), store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		n := &network{Config: config, scope: scope}
		x := n.embed(n.preprocess(graph.ConvertDType(images, dtypes.Float32)))
		return config.Blocks[0].build(n, "block_0", x)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call1(tensors.FromFlatDataAndDimensions([]uint8{0, 100, 200, 255}, 1, 2, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	// y = relu(x)/√(1+ε); relu(−y) = 0, + the skip y; relu(y)/√(1+ε).
	got := tensors.MustCopyFlatData[float32](out)
	for i, pixel := range []float64{0, 100, 200, 255} {
		if want := pixel / 255 / (1 + 1e-5); math.Abs(float64(got[i])-want) > 1e-7 {
			t.Errorf("pixel %g becomes %v, want %v", pixel, got[i], want)
		}
	}
}
