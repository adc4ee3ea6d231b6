package models

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// small is a network with every kind of block and layer, cheap enough to differentiate in pure Go.
func small() Config {
	return Config{
		ID: "small", ImageSize: 12, PatchSize: 3, Dim: 8, Channels: 3, Classes: 4, Normalize: true, Stem: ConvStem,
		Position: true,
		Blocks:   Stack{ConvMixer{Kernel: 3}, Mixer{SeparateNorms: true, TokenHidden: 6}, ViT{Heads: 2, KeyDim: 3, Hidden: 5}},
		Head:     Head{Norm: true, Dropout: 0.3, Hidden: []int{7}},
		Dropout:  0.2,
	}
}

// differentiate returns the mean cross-entropy of a training pass on labels 0, 1, 2, … and its gradient
// by each trainable variable.
func differentiate(t testing.TB, b compute.Backend, store *model.Store, c Config, images *tensors.Tensor, seeded bool) (float32, map[string][]float32) {
	t.Helper()
	var paths []string
	exec, err := model.NewExec(b, store, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		pass := Pass{Training: true, Kernels: backend.Kernels(images.Graph())}
		if seeded {
			pass.Seed = graph.Scalar(images.Graph(), dtypes.Uint32, 11)
		}
		loss := entropy(c.Logits(scope, images, pass))
		var nodes []*graph.Node
		for v := range scope.IterVariables() {
			if v.Trainable {
				paths = append(paths, v.Path())
				nodes = append(nodes, v.NodeValue(loss))
			}
		}
		return append([]*graph.Node{loss}, graph.Gradient(loss, nodes...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	local, err := images.LocalClone()
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := exec.Call(local)
	if err != nil {
		t.Fatal(err)
	}
	gradients := map[string][]float32{}
	for i, path := range paths {
		gradients[path] = tensors.MustCopyFlatData[float32](outputs[i+1])
	}
	return tensors.ToScalar[float32](outputs[0]), gradients
}

// entropy is the mean cross-entropy of logits [B, K] with the labels 0, 1, 2, … modulo K.
func entropy(logits *graph.Node) *graph.Node {
	g, batch, classes := logits.Graph(), logits.Shape().Dim(0), logits.Shape().Dim(1)
	labels := make([]int32, batch)
	for i := range labels {
		labels[i] = int32(i % classes)
	}
	truth := graph.OneHot(graph.Const(g, labels), classes, dtypes.Float32)
	return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(truth, graph.LogSoftmax(logits, -1)), -1)))
}

// TestGradientsReachEveryVariable differentiates every configuration once.
func TestGradientsReachEveryVariable(t *testing.T) {
	backend := goBackend(t)
	configs := []Config{small()}
	for _, entry := range Named() {
		configs = append(configs, entry.Config)
	}
	for _, c := range configs {
		if c.ID == "vit-vis" {
			c.Head.Hidden = []int{64, 32} // the full head takes pure Go half a minute
		}
		counts, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		loss, gradients := differentiate(t, backend, ready(t, c, 1), c, pictures(2, 32, 3), true)
		if math.IsNaN(float64(loss)) || loss <= 0 {
			t.Errorf("%s: loss is %v", c.ID, loss)
		}
		var differentiated int64
		for path, gradient := range gradients {
			differentiated += int64(len(gradient))
			if slices.ContainsFunc(gradient, func(v float32) bool { return math.IsNaN(float64(v)) }) {
				t.Errorf("%s: gradient of %s has NaN", c.ID, path)
			}
			// Softmax does not see what all keys share, so a key's bias has no gradient but rounding.
			if !slices.ContainsFunc(gradient, func(v float32) bool { return v != 0 }) && !strings.HasSuffix(path, "/key/bias") {
				t.Errorf("%s: gradient of %s is 0", c.ID, path)
			}
		}
		if differentiated != counts.Trainable {
			t.Errorf("%s: %d weights have a gradient, %d are trainable", c.ID, differentiated, counts.Trainable)
		}
	}
}

// TestGradientIsTheSlope compares gradients, BatchNorm's through the batch's statistics included, with
// differences of the loss.
func TestGradientIsTheSlope(t *testing.T) {
	backend, c, images := goBackend(t), small(), pictures(4, 12, 3)
	store := ready(t, c, 1)
	_, gradients := differentiate(t, backend, store, c, images, false)
	loss := model.MustNewExec(backend, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		return entropy(c.Logits(scope, images, Pass{Training: true}))
	})
	defer loss.Finalize()
	for path, gradient := range gradients {
		at := 0 // the steepest weight of each variable
		for i, v := range gradient {
			if math.Abs(float64(v)) > math.Abs(float64(gradient[at])) {
				at = i
			}
		}
		v := store.GetVariable(path)
		start := values(t, store, path)
		const step = 1e-2
		var ends [2]float64
		for i, sign := range []float32{-1, 1} {
			moved := slices.Clone(start)
			moved[at] += sign * step
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
				t.Fatal(err)
			}
			local, err := images.LocalClone()
			if err != nil {
				t.Fatal(err)
			}
			value, err := loss.Call1(local)
			if err != nil {
				t.Fatal(err)
			}
			ends[i] = float64(tensors.ToScalar[float32](value))
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(start, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
		slope := (ends[1] - ends[0]) / (2 * step)
		if want := float64(gradient[at]); math.Abs(slope-want) > 2e-4+0.02*math.Abs(want) {
			t.Errorf("%s: the loss changes by %g a unit of weight %d, its gradient is %g", path, slope, at, want)
		}
	}
}

// TestGradientsAgreeOnBothBackends includes dropout and stochastic depth, whose masks must be the same, a table wider than a
// vector register, batches for which kernels do layers as a whole, and the moving statistics.
func TestGradientsAgreeOnBothBackends(t *testing.T) {
	fast, pure := xlaBackend(t), goBackend(t)
	wide, even, deep, relu := small(), small(), small(), small()
	wide.ID, wide.Dim = "wide", 20
	even.ID, even.Blocks = "even", Stack{ConvMixer{Kernel: 4}, ConvMixer{Kernel: 1}}
	deep.ID, deep.StochasticDepth = "deep", .5
	deep.Blocks = Stack{Mixer{}, ConvMixer{Kernel: 3}, Mixer{}}
	relu.ID, relu.ReLU = "ReLU", true
	for _, c := range []Config{small(), wide, even, deep, relu} {
		for _, count := range []int{4, 9} {
			images := pictures(count, 16, 3)
			storeA, storeB := ready(t, c, 1), ready(t, c, 1)
			lossA, a := differentiate(t, fast, storeA, c, images, true)
			lossB, b := differentiate(t, pure, storeB, c, images, true)
			if math.Abs(float64(lossA-lossB)) > 1e-4 {
				t.Errorf("%s, %d images: losses %v and %v", c.ID, count, lossA, lossB)
			}
			for v := range storeA.IterVariables() {
				if path := v.Path(); strings.Contains(path, "/moving_") {
					a[path] = tensors.MustCopyFlatData[float32](v.MustValue())
					b[path] = tensors.MustCopyFlatData[float32](storeB.GetVariable(path).MustValue())
				}
			}
			for path := range a {
				if d := furthest(t, a[path], b[path]); !(d <= 1e-4) {
					t.Errorf("%s, %d images: gradients or statistics of %s differ by %g", c.ID, count, path, d)
				}
			}
		}
	}
}

// descend takes a step of plain gradient descent.
func descend(scope *model.Scope, loss *graph.Node, rate float64) {
	var trained []*model.Variable
	var nodes []*graph.Node
	for v := range scope.IterVariables() {
		if v.Trainable {
			trained, nodes = append(trained, v), append(nodes, v.NodeValue(loss))
		}
	}
	for i, gradient := range graph.Gradient(loss, nodes...) {
		trained[i].SetNodeValue(graph.Sub(nodes[i], graph.MulScalar(gradient, rate)))
	}
}

// TestTinyBatchIsOverfitted: gradient descent on 8 images brings the loss near 0, with each kind of block
// alone and with all.
func TestTinyBatchIsOverfitted(t *testing.T) {
	backend := goBackend(t)
	vit := ViT{Heads: 2, KeyDim: 3, Hidden: 5, Dropout: -1}
	for _, stack := range []Stack{{Mixer{}}, {vit}, {ConvMixer{Kernel: 3}}, {ConvMixer{Kernel: 3}, Mixer{}, vit}} {
		c := small()
		c.Dropout, c.Head.Dropout, c.Blocks = 0, 0, stack
		step := model.MustNewExec(backend, ready(t, c, 1), func(scope *model.Scope, images *graph.Node) *graph.Node {
			loss := entropy(c.Logits(scope, images, Pass{Training: true}))
			descend(scope, loss, 0.1)
			return loss
		})
		defer step.Finalize()
		images := pictures(8, 12, 3)
		const steps = 300
		var first, last float32
		for i := range steps {
			loss, err := step.Call1(images)
			if err != nil {
				t.Fatal(err)
			}
			last = tensors.ToScalar[float32](loss)
			if i == 0 {
				first = last
			}
			if last < 0.05 {
				break
			}
		}
		if !(last < 0.05) {
			t.Errorf("%s: loss was %v at the start and is %v after %d steps, want below .05", stack, first, last, steps)
		}
	}
}

// TestStacks builds stacks that nobody listed, of grey and oddly sized images too, and counts them.
func TestStacks(t *testing.T) {
	backend := goBackend(t)
	for _, spec := range []string{"mixer:1,convmixer:1,vit:1", "vit:1,mixer:1,vit:1", "convmixer:2,vit:1"} {
		c, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		c.ImageSize, c.PatchSize, c.Dim, c.Channels, c.Classes = 12, 3, 8, 1, 7
		store := model.NewStore()
		logits := infer(t, backend, store, c, tensors.FromFlatDataAndDimensions(make([]uint8, 3*28*20), 3, 28, 20, 1))
		if len(logits) != 3*7 {
			t.Errorf("%s: %d logits", spec, len(logits))
		}
		counts, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		if int64(store.NumParameters()) != counts.Total {
			t.Errorf("%s: store holds %d parameters, Count says %d", spec, store.NumParameters(), counts.Total)
		}
	}
}

// TestLogitsIgnoreTheRestOfTheBatch: outside training an image's logits are its own.
func TestLogitsIgnoreTheRestOfTheBatch(t *testing.T) {
	backend, c := goBackend(t), small()
	store := ready(t, c, 1)
	images := pictures(3, 16, 3)
	all := infer(t, backend, store, c, images)
	pixels := tensors.MustCopyFlatData[uint8](images)
	last := infer(t, backend, store, c, tensors.FromFlatDataAndDimensions(pixels[2*16*16*3:], 1, 16, 16, 3))
	if d := furthest(t, all[2*c.Classes:], last); d > 1e-5 {
		t.Errorf("logits of an image alone differ by %g from those in a batch", d)
	}
}

// TestMismatchedStore: a store that holds another network's variables is refused with both shapes.
func TestMismatchedStore(t *testing.T) {
	c := small()
	store := ready(t, c, 1)
	c.Dim = 16
	err := c.Init(store)
	if err == nil || !strings.Contains(err.Error(), "/embedding/kernel has shape (Float32)[3, 3, 3, 8] in the store, the network needs (Float32)[3, 3, 3, 16]") {
		t.Errorf("got %v", err)
	}
}

// TestPermutedPatches: without a position embedding a ViT sees a set of patches; Mixer, and a ViT with
// positions, see their places.
func TestPermutedPatches(t *testing.T) {
	backend := goBackend(t)
	const size, patch = 12, 3
	original := pictures(2, size, 3)
	pixels := tensors.MustCopyFlatData[uint8](original)
	moved := make([]uint8, len(pixels))
	grid := size / patch
	for image := range 2 {
		for p := range grid * grid {
			q := (p*5 + 3) % (grid * grid) // where patch p goes
			for y := range patch {
				from := ((image*size+p/grid*patch+y)*size + p%grid*patch) * 3
				to := ((image*size+q/grid*patch+y)*size + q%grid*patch) * 3
				copy(moved[to:to+patch*3], pixels[from:from+patch*3])
			}
		}
	}
	for _, test := range []struct {
		blocks   Stack
		position bool
		blind    bool
	}{
		{Stack{ViT{}, ViT{}}, false, true},
		{Stack{ViT{}, ViT{}}, true, false},
		{Stack{Mixer{}, ViT{}}, false, false},
		{Stack{ConvMixer{}, ViT{}}, false, false},
	} {
		c := Config{ImageSize: size, PatchSize: patch, Dim: 16, Channels: 3, Classes: 10, Normalize: true, Blocks: test.blocks, Position: test.position}
		store := ready(t, c, 1)
		d := furthest(t, infer(t, backend, store, c, original),
			infer(t, backend, store, c, tensors.FromFlatDataAndDimensions(moved, 2, size, size, 3)))
		if test.blind != (d < 1e-5) {
			t.Errorf("%s, position embedding %v: permuting patches moves logits by %g", test.blocks, test.position, d)
		}
	}
}

// TestTaps checks what the taps hold, and that they change nothing.
func TestTaps(t *testing.T) {
	backend := goBackend(t)
	c, err := Parse("mixer:1,vit:1,mixer:1,vit:1")
	if err != nil {
		t.Fatal(err)
	}
	c.ImageSize, c.PatchSize, c.Dim = 12, 3, 8
	c.Blocks[2] = Mixer{TokenHidden: 5}
	store := ready(t, c, 1)
	images := pictures(2, 12, 3)
	exec := model.MustNewExec(backend, store, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		var taps Taps
		logits := c.Logits(scope, images, Pass{Taps: &taps})
		if len(taps.Attention) != 2 || len(taps.TokenHidden) != 2 || len(taps.TokenWeights) != 2 {
			panic(fmt.Errorf("taps hold %d, %d, %d nodes, want 2 each", len(taps.Attention), len(taps.TokenHidden), len(taps.TokenWeights)))
		}
		return slices.Concat([]*graph.Node{logits}, taps.Attention, taps.TokenHidden, taps.TokenWeights)
	})
	defer exec.Finalize()
	local, err := images.LocalClone()
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := exec.Call(local)
	if err != nil {
		t.Fatal(err)
	}
	if d := furthest(t, tensors.MustCopyFlatData[float32](outputs[0]), infer(t, backend, store, c, images)); d != 0 {
		t.Errorf("taps change logits by %g", d)
	}
	for i, want := range [][]int{{2, 10}, {2, 4, 16, 16}, {2, 4, 16, 16}, {2, 8, 16}, {2, 8, 5}, {16, 16}, {16, 5}} {
		if got := outputs[i].Shape().Dimensions; !slices.Equal(got, want) {
			t.Errorf("output %d has shape %v, want %v", i, got, want)
		}
	}
	for _, scores := range outputs[1:3] {
		flat := tensors.MustCopyFlatData[float32](scores)
		for row := range slices.Chunk(flat, 16) {
			var sum float64
			for _, v := range row {
				sum += float64(v)
				if v < 0 {
					t.Fatalf("an attention score is %v", v)
				}
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Fatalf("a row of attention sums to %v", sum)
			}
		}
	}
	weights := tensors.MustCopyFlatData[float32](outputs[6])
	if !slices.Equal(weights, values(t, store, "/block_2/token_mlp/dense_0/kernel")) {
		t.Error("the tapped weights are not the kernel's")
	}
}

// TestClassToken: one more token, C values of its own, a position of its own, and the logits come
// from it alone.
func TestClassToken(t *testing.T) {
	c, err := Parse("vit(heads=2,key_dim=4):2")
	if err != nil {
		t.Fatal(err)
	}
	c.ImageSize, c.PatchSize, c.Dim, c.Position = 12, 4, 8, true
	average, err := c.Count()
	if err != nil {
		t.Fatal(err)
	}
	c.Head.Pool = ClassPool
	class, err := c.Count()
	if err != nil {
		t.Fatal(err)
	}
	if class.Total != average.Total+8+8 {
		t.Errorf("%d parameters with a class token, %d without: the token and its position should be 16 more", class.Total, average.Total)
	}
	if c.Tokens() != 3*3+1 {
		t.Errorf("%d tokens, want 10", c.Tokens())
	}
	backend := goBackend(t)
	store := ready(t, c, 1)
	exec := model.MustNewExec(backend, store, func(scope *model.Scope, images *graph.Node) []*graph.Node {
		var taps Taps
		logits := c.Logits(scope, images, Pass{Taps: &taps})
		taps.Attention[1].AssertDims(2, 2, 10, 10)
		return []*graph.Node{taps.Attention[1], logits}
	})
	defer exec.Finalize()
	if _, err := exec.Call(pictures(2, 12, 3)); err != nil {
		t.Error(err)
	}
	_, gradients := differentiate(t, backend, store, c, pictures(2, 12, 3), false)
	for _, name := range []string{"class_token", "position/embedding"} {
		found := false
		for path, gradient := range gradients {
			if strings.HasSuffix(path, name) {
				for _, v := range gradient {
					found = found || v != 0
				}
			}
		}
		if !found {
			t.Errorf("no gradient reaches %s", name)
		}
	}
	c.Blocks = Stack{ViT{}, Mixer{}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "block 1 is a mixer, but a class token goes through ViT blocks only") {
		t.Errorf("a class token in a Mixer: %v", err)
	}
}
