package models

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// mixers is a network of Mixers whose layers are kernels outside training.
func mixers() Config {
	c := small()
	c.ID, c.Dim = "mixers", 40
	c.Blocks = Stack{Mixer{SeparateNorms: true, TokenHidden: 6, ChannelHidden: 50}, Mixer{}}
	return c
}

// TestMixerByKernel holds whole layers by a kernel to the Go backend's.
func TestMixerByKernel(t *testing.T) {
	c, images := mixers(), pictures(5, 16, 3)
	fast := infer(t, xlaBackend(t), ready(t, c, 1), c, images)
	if d := furthest(t, fast, infer(t, goBackend(t), ready(t, c, 1), c, images)); !(d <= 1e-5) {
		t.Errorf("logits differ by %g", d)
	}
}

// TestMixerByKernelHasNoGradient: deriving by it fails, rather than giving none.
func TestMixerByKernelHasNoGradient(t *testing.T) {
	b, c := xlaBackend(t), mixers()
	if !backend.Native(graph.NewGraph(b, "any")) {
		t.Skip("XLA calls no kernels here")
	}
	exec, err := model.NewExec(b, ready(t, c, 1), func(scope *model.Scope, images *graph.Node) *graph.Node {
		logits := c.Logits(scope, images, Pass{Kernels: backend.Kernels(images.Graph())})
		for v := range scope.IterVariables() {
			if v.Path() == "/block_0/token_mlp/dense_0/kernel" {
				return graph.Gradient(entropy(logits), v.NodeValue(images))[0]
			}
		}
		t.Fatal("no such variable")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Call1(pictures(2, 16, 3)); err == nil || !strings.Contains(err.Error(), "leave Pass.Kernels nil") {
		t.Errorf("derivation of a kernel's layer: %v", err)
	}
}
