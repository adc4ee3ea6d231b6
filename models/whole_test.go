package models

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// whole is a network whose stem and layers are kernels outside training, its moving statistics no longer those of the
// start, with these blocks or with each kind.
func whole(t *testing.T, blocks ...Block) (Config, *model.Store) {
	c := small()
	c.ID, c.Dim = "whole", 40
	c.Blocks = Stack{ConvMixer{Kernel: 4}, Mixer{SeparateNorms: true, TokenHidden: 6, ChannelHidden: 50}, ConvMixer{}, Mixer{}}
	if blocks != nil {
		c.Blocks = blocks
	}
	store := ready(t, c, 1)
	for v := range store.IterVariables() {
		if mean := strings.HasSuffix(v.Path(), "/moving_mean"); mean || strings.HasSuffix(v.Path(), "/moving_variance") {
			values := make([]float32, c.Dim)
			for i := range values {
				values[i] = .5 + float32(i%7)/5
			}
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, c.Dim)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c, store
}

// TestWholeLayers holds whole layers by kernels to the Go backend's, for images of the network's size and of half of it.
func TestWholeLayers(t *testing.T) {
	for _, size := range []int{12, 6} {
		var logits [2][]float32
		for i, b := range []func(testing.TB) compute.Backend{xlaBackend, goBackend} {
			c, store := whole(t)
			logits[i] = infer(t, b(t), store, c, pictures(9, size, 3))
		}
		if d := furthest(t, logits[0], logits[1]); !(d <= 1e-5) {
			t.Errorf("images of %d pixels a side: logits differ by %g", size, d)
		}
	}
}

// TestWholeLayersWhereFrozen demands the same masks of dropout behind whole layers on both backends.
func TestWholeLayersWhereFrozen(t *testing.T) {
	var logits [2][]float32
	for i, b := range []func(testing.TB) compute.Backend{xlaBackend, goBackend} {
		c, store := whole(t)
		exec, err := model.NewExec(b(t), store, func(scope *model.Scope, images *graph.Node) *graph.Node {
			g := images.Graph()
			return c.Logits(scope, images, Pass{Training: true, Frozen: true, Seed: graph.Scalar(g, dtypes.Uint32, 11), Kernels: backend.Kernels(g)})
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call1(pictures(9, 12, 3))
		if err != nil {
			t.Fatal(err)
		}
		logits[i] = tensors.MustCopyFlatData[float32](out)
	}
	if d := furthest(t, logits[0], logits[1]); !(d <= 1e-5) {
		t.Errorf("logits differ by %g", d)
	}
}

// TestWholeLayersHaveNoGradient: deriving by one fails, rather than giving none. It shows, too, that they are in use.
func TestWholeLayersHaveNoGradient(t *testing.T) {
	b := xlaBackend(t)
	if !backend.Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	for kernel, block := range map[string]Block{"pointwise": ViT{Heads: 2, KeyDim: 3, Hidden: 5}, "convmixer": ConvMixer{}, "mixer": Mixer{}} {
		c, store := whole(t, block)
		exec, err := model.NewExec(b, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
			logits := c.Logits(scope, images, Pass{Kernels: backend.Kernels(images.Graph())})
			return graph.Gradient(entropy(logits), store.GetVariable("/embedding/kernel").NodeValue(images))[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.Call1(pictures(9, 12, 3)); err == nil || !strings.Contains(err.Error(), "a "+kernel+" layer by a kernel has no gradient") {
			t.Errorf("derivation of a %s layer: %v", kernel, err)
		}
		exec.Finalize()
	}
}

// TestStemHasNoGradientByImages: the kernel of a stem in training makes none, and says so, rather than giving none.
func TestStemHasNoGradientByImages(t *testing.T) {
	b := xlaBackend(t)
	if !backend.Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	c, store := whole(t, ConvMixer{})
	exec, err := model.NewExec(b, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		images = graph.ConvertDType(images, dtypes.Float32)
		pass := Pass{Training: true, Seed: graph.Scalar(images.Graph(), dtypes.Uint32, 11), Kernels: backend.Kernels(images.Graph())}
		return graph.Gradient(entropy(c.Logits(scope, images, pass)), images)[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Call1(pictures(9, 12, 3)); err == nil || !strings.Contains(err.Error(), "has no gradient by its input 0") {
		t.Errorf("derivation by images: %v", err)
	}
}
