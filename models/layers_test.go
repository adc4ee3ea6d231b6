package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// TestBilinear compares with weights worked by hand: output i lies at (i + 1/2) from/size - 1/2.
func TestBilinear(t *testing.T) {
	for _, test := range []struct {
		from, size int
		want       [][]float32
	}{
		{2, 4, [][]float32{{1, 0}, {.75, .25}, {.25, .75}, {0, 1}}},
		{4, 2, [][]float32{{.5, .5, 0, 0}, {0, 0, .5, .5}}},
		{6, 2, [][]float32{{0, 1, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0}}}, // no antialiasing
		{1, 3, [][]float32{{1}, {1}, {1}}},
		{3, 3, [][]float32{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
	} {
		got := bilinear(test.from, test.size)
		if !slices.EqualFunc(got, test.want, slices.Equal) {
			t.Errorf("%d to %d: %v, want %v", test.from, test.size, got, test.want)
		}
	}
}

// TestResize resizes a plane that is linear in both directions, up and down: away from the border bilinear
// interpolation reproduces it exactly.
func TestResize(t *testing.T) {
	for _, test := range []struct{ height, width, size int }{{10, 10, 25}, {10, 10, 4}, {30, 8, 12}, {8, 30, 12}, {12, 9, 12}} {
		height, width, size := test.height, test.width, test.size
		plane := make([]float32, 2*height*width*3)
		for i := range plane {
			channel, x, y, image := i%3, i/3%width, i/3/width%height, i/3/width/height
			plane[i] = float32(x) + 10*float32(y) + 100*float32(channel) + 1000*float32(image)
		}
		exec := graph.MustNewExec(goBackend(t), func(x *graph.Node) *graph.Node { return resize(x, size) })
		defer exec.Finalize()
		out, err := exec.Call1(tensors.FromFlatDataAndDimensions(plane, 2, height, width, 3))
		if err != nil {
			t.Fatal(err)
		}
		at := func(i, from int) float64 {
			return min(max((float64(i)+.5)*float64(from)/float64(size)-.5, 0), float64(from-1))
		}
		for i, got := range tensors.MustCopyFlatData[float32](out) {
			channel, x, y, image := i%3, i/3%size, i/3/size%size, i/3/size/size
			want := at(x, width) + 10*at(y, height) + 100*float64(channel) + 1000*float64(image)
			if math.Abs(float64(got)-want) > 1e-3 {
				t.Fatalf("%+v: image %d, pixel (%d, %d), channel %d: %v, want %v", test, image, x, y, channel, got, want)
			}
		}
	}
}

// TestPatches cuts an image whose pixels are their own numbers.
func TestPatches(t *testing.T) {
	image := make([]float32, 4*4*3)
	for i := range image {
		image[i] = float32(i)
	}
	exec := graph.MustNewExec(goBackend(t), func(x *graph.Node) *graph.Node { return patches(x, 2) })
	defer exec.Finalize()
	out, err := exec.Call1(tensors.FromFlatDataAndDimensions(image, 1, 4, 4, 3))
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23} // the second patch: columns 2 and 3 of rows 0 and 1
	if got := tensors.MustCopyFlatData[float32](out)[12:24]; !slices.Equal(got, want) {
		t.Errorf("second patch is %v, want %v", got, want)
	}
}

// TestProject holds the kernel that takes over the enlargement to the plain order: resize, cut, multiply.
func TestProject(t *testing.T) {
	for _, c := range []struct{ from, size, patch int }{{8, 16, 8}, {6, 18, 9}, {4, 16, 4}, {8, 16, 16}, {8, 16, 4}, {8, 12, 4}, {8, 16, 1}, {16, 8, 4}} {
		config := Config{ImageSize: c.size, PatchSize: c.patch, Channels: 3, Dim: 5}
		x, kernel := make([]float32, 2*c.from*c.from*3), make([]float32, c.patch*c.patch*3*5)
		stream(1, "x").fill(1, x)
		stream(1, "kernel").fill(1, kernel)
		exec := graph.MustNewExec(anyBackend(t), func(x, kernel *graph.Node) []*graph.Node {
			n := &network{Config: config}
			got := n.project(x, kernel, nil, n.linear)
			want := graph.DotGeneral(patches(resize(x, c.size), c.patch), []int{2}, nil, kernel, []int{0}, nil)
			gradient := func(y *graph.Node) *graph.Node {
				return graph.Gradient(graph.ReduceAllSum(graph.Mul(y, graph.Sin(graph.IotaFull(y.Graph(), y.Shape())))), kernel)[0]
			}
			return []*graph.Node{got, gradient(got), want, gradient(want)}
		})
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, 2, c.from, c.from, 3), tensors.FromFlatDataAndDimensions(kernel, c.patch*c.patch*3, 5))
		if err != nil {
			t.Fatal(err)
		}
		for i, what := range []string{"tokens", "the kernel's gradient"} {
			if d := furthest(t, tensors.MustCopyFlatData[float32](out[i]), tensors.MustCopyFlatData[float32](out[i+2])); d > 1e-5 {
				t.Errorf("%d pixels to %d in patches of %d: %s differs by %g", c.from, c.size, c.patch, what, d)
			}
		}
		exec.Finalize()
	}
}

// TestSetNormalization: pixels become (x - mean)/deviation, wrong numbers of channels are refused.
func TestSetNormalization(t *testing.T) {
	c := lookup(t, "mixer-4")
	store := ready(t, c, 1)
	if err := SetNormalization(store, []float32{10, 20, 30}, []float32{4, 9, 16}); err != nil {
		t.Fatal(err)
	}
	exec := model.MustNewExec(goBackend(t), store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		n := &network{Config: c, scope: scope}
		return n.preprocess(images)
	})
	defer exec.Finalize()
	pixels := make([]uint8, 32*32*3)
	copy(pixels, []uint8{12, 26, 26, 0, 255, 30})
	out, err := exec.Call1(tensors.FromFlatDataAndDimensions(pixels, 1, 32, 32, 3))
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{1, 2, -1, -5, 235. / 3, 0}
	if got := tensors.MustCopyFlatData[float32](out)[:6]; furthest(t, got, want) > 1e-5 {
		t.Errorf("pixels become %v, want %v", got, want)
	}
	err = SetNormalization(store, []float32{1}, []float32{1})
	if err == nil || !strings.Contains(err.Error(), "1 values given, the network's images have 3 channels") {
		t.Errorf("one channel for three: %v", err)
	}
	plain := model.NewStore()
	if err := lookup(t, "convmixer").Init(plain); err != nil {
		t.Fatal(err)
	}
	if err := SetNormalization(plain, []float32{1, 2, 3}, []float32{1, 2, 3}); err != nil {
		t.Errorf("a network without the layer: %v", err)
	}
}

// TestNativeLayers holds layers of the package's kernels, and their gradients, to those of GoMLX's operations on the Go
// backend.
func TestNativeLayers(t *testing.T) {
	opened, plain := anyBackend(t), goBackend(t)
	if !backend.Native(graph.NewGraph(opened, "any")) {
		t.Skip("the backend has no kernels of its own")
	}
	wide := func(random generator, _ []int, values []float32) { random.fill(1, values) }
	for _, dims := range [][]int{{3, 5, 1}, {2, 7, 16}, {5, 33, 19}, {4, 64, 100}, {1, 1, 64}, {300, 2, 84}, {2, 3, 600}, {2, 40, 300}} {
		size, dim := dims[0]*dims[1]*dims[2], dims[2]
		x, weights := make([]float32, size), make([]float32, size)
		stream(1, "x").fill(1, x)
		stream(1, "weights").fill(1, weights)
		for _, layer := range []string{"LayerNorm", "BatchNorm", "GELU", "attention", "dense", "MLP"} {
			width, shift := float32(4), float32(3) // a mean that a careless variance would suffer from
			switch layer {
			case "GELU":
				shift = 0
			case "attention", "dense", "MLP":
				width, shift = .5, 0 // else softmax is all 0 and 1
			}
			x := slices.Clone(x)
			for i := range x {
				x[i] = x[i]*width + shift
			}
			var results [2][]*tensors.Tensor
			for i, b := range []compute.Backend{plain, opened} {
				store := model.NewStore()
				exec := model.MustNewExec(b, store, func(scope *model.Scope, x, weights *graph.Node) []*graph.Node {
					n := &network{scope: scope, pass: Pass{Training: true, Seed: u32(x.Graph(), 5), Kernels: backend.Kernels(x.Graph())}}
					n.weight("norm/gamma", wide, dim)
					n.weight("norm/beta", wide, dim)
					parameters := []*graph.Node{x}
					for _, name := range []string{"gamma", "beta"} {
						parameters = append(parameters, store.GetVariable("/norm/"+name).NodeValue(x))
					}
					var y *graph.Node
					switch layer {
					case "LayerNorm":
						y = n.layerNorm("norm", x)
					case "BatchNorm":
						y = n.batchNorm("norm", x)
					case "GELU":
						y = n.biasedConv(graph.Mul(x, channels(parameters[1])), parameters[2])
					case "attention":
						heads := 1 + (dim+1)%2
						table := func(x *graph.Node) *graph.Node { return graph.Reshape(x, dims[0], dims[1], heads, dim/heads) }
						y = n.attend(table(graph.Mul(x, channels(parameters[1]))), table(graph.Mul(x, channels(parameters[2]))), table(x), .3)
						y = graph.Reshape(n.attend(y, y, y, 0), dims...)
					case "dense":
						kernel := n.weight("kernel", glorot, dim, dim).NodeValue(x)
						parameters = append(parameters, kernel)
						y = n.linear(x, kernel, parameters[2])
						flat := graph.Reshape(y, dims[0]*dims[1], dim)
						y = graph.Reshape(n.linear(flat, kernel, parameters[1]), dims...)
					case "MLP":
						const hidden = 40 // so few that training calls the kernel
						y = n.mlp("mlp", x, hidden, nil)
						for _, name := range []string{"dense_0/kernel", "dense_0/bias", "dense_1/kernel", "dense_1/bias"} {
							parameters = append(parameters, store.GetVariable("/mlp/"+name).NodeValue(x))
						}
						parameters = append(parameters[:1], parameters[3:]...)
					}
					loss := graph.ReduceAllSum(graph.Mul(graph.Square(y), weights))
					outputs := append([]*graph.Node{y}, graph.Gradient(loss, parameters...)...)
					if layer == "BatchNorm" {
						outputs = append(outputs, store.GetVariable("/norm/moving_mean").NodeValue(x), store.GetVariable("/norm/moving_variance").NodeValue(x))
					}
					return outputs
				})
				defer exec.Finalize()
				out, err := exec.Exec(tensors.FromFlatDataAndDimensions(x, dims...), tensors.FromFlatDataAndDimensions(weights, dims...))
				if err != nil {
					t.Fatal(err)
				}
				results[i] = out
			}
			if dim == 1 && layer == "LayerNorm" {
				continue // the variance of one number is 0, and rounding all there is
			}
			for i, want := range results[0] {
				want := tensors.MustCopyFlatData[float32](want)
				bound := 2e-5 * max(1, slices.Max(want), -slices.Min(want))
				if d := furthest(t, tensors.MustCopyFlatData[float32](results[1][i]), want); d > float64(bound) {
					t.Errorf("%s of %v: output %d differs by %g", layer, dims, i, d)
				}
			}
		}
	}
}

func TestFuses(t *testing.T) {
	for _, c := range []struct {
		width, hidden       int
		training, inference bool
	}{
		{16, 256, true, true}, {256, 16, true, true}, {47, 64, true, true}, {48, 64, false, true}, {256, 256, false, true},
		{256, 257, false, false}, {32, 4096, false, false}, {32, 2048, true, true},
	} {
		for _, training := range []bool{true, false} {
			n := &network{pass: Pass{Training: training}}
			if got, want := n.fuses(c.width, c.hidden), training && c.training || !training && c.inference; got != want {
				t.Errorf("layers of %d and %d, training %v: %v", c.width, c.hidden, training, got)
			}
		}
	}
}

// TestBatchNorm follows the layer by hand over a training and an inference pass.
func TestBatchNorm(t *testing.T) {
	backend, store := goBackend(t), model.NewStore()
	run := func(training bool, x []float32) []float32 {
		exec := model.MustNewExec(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
			n := &network{scope: scope, pass: Pass{Training: training}}
			return n.batchNorm("norm", x)
		})
		defer exec.Finalize()
		out, err := exec.Call1(tensors.FromFlatDataAndDimensions(x, 2, 2, 1))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out)
	}
	x := []float32{1, 3, 5, 7} // mean 4, biased variance 5
	if got := run(false, x); furthest(t, got, []float32{.9995, 2.9985, 4.9975, 6.9965}) > 1e-4 {
		t.Errorf("outside training at the start: %v, want x/sqrt(1.001)", got)
	}
	scale := float32(1 / math.Sqrt(5.001))
	if got := run(true, x); furthest(t, got, []float32{-3 * scale, -scale, scale, 3 * scale}) > 1e-5 {
		t.Errorf("in training: %v, want (x-4)/sqrt(5.001)", got)
	}
	if mean := values(t, store, "/norm/moving_mean"); furthest(t, mean, []float32{.04}) > 1e-6 {
		t.Errorf("moving mean is %v, want .01 * 4", mean)
	}
	if variance := values(t, store, "/norm/moving_variance"); furthest(t, variance, []float32{.99 + .05}) > 1e-6 {
		t.Errorf("moving variance is %v, want .99 + .01 * 5", variance)
	}
	scale = float32(1 / math.Sqrt(1.041))
	if got := run(false, x); furthest(t, got, []float32{.96 * scale, 2.96 * scale, 4.96 * scale, 6.96 * scale}) > 1e-5 {
		t.Errorf("outside training afterwards: %v, want (x-.04)/sqrt(1.041)", got)
	}
}

// TestDepthwise compares the convolution and its gradients with a plain loop, on odd and even kernels, few channels
// and many.
func TestDepthwise(t *testing.T) {
	const batch, height, width = 9, 4, 6
	for _, shape := range [][2]int{{1, 4}, {2, 4}, {3, 4}, {4, 4}, {5, 4}, {2, 17}, {3, 17}, {9, 32}} {
		side, dim := shape[0], shape[1]
		x, kernel := make([]float32, batch*height*width*dim), make([]float32, side*side*dim)
		stream(1, "x").fill(1, x)
		stream(1, "kernel").fill(1, kernel)
		weights := make([]float32, len(x)) // the gradient of the output
		stream(1, "weights").fill(1, weights)
		want, dx, dkernel := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(kernel))
		for i := range want {
			c, column, row, image := i%dim, i/dim%width, i/dim/width%height, i/dim/width/height
			for ky := range side {
				for kx := range side {
					y, z := row+ky-(side-1)/2, column+kx-(side-1)/2
					if y >= 0 && y < height && z >= 0 && z < width {
						from, tap := ((image*height+y)*width+z)*dim+c, (ky*side+kx)*dim+c
						want[i] += x[from] * kernel[tap]
						dx[from] += weights[i] * kernel[tap]
						dkernel[tap] += weights[i] * x[from]
					}
				}
			}
		}
		for _, b := range []compute.Backend{goBackend(t), anyBackend(t)} {
			exec := graph.MustNewExec(b, func(x, kernel, weights *graph.Node) []*graph.Node {
				n := &network{pass: Pass{Kernels: backend.Kernels(x.Graph())}}
				y := n.depthwise(x, kernel)
				return append([]*graph.Node{y}, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, weights)), x, kernel)...)
			})
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, batch, height, width, dim),
				tensors.FromFlatDataAndDimensions(kernel, side, side, 1, dim), tensors.FromFlatDataAndDimensions(weights, batch, height, width, dim))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range [][]float32{want, dx, dkernel} {
				if d := furthest(t, tensors.MustCopyFlatData[float32](out[i]), want); d > 1e-5 {
					t.Errorf("kernel %d, %d channels, %s: %s differs by %g from a plain loop", side, dim, b.Name(),
						[]string{"the output", "the gradient of x", "the gradient of the kernel"}[i], d)
				}
			}
			exec.Finalize()
		}
	}
}

// TestOpaque demands that it changes nothing, not even a number that is none.
func TestOpaque(t *testing.T) {
	exec := graph.MustNewExec(anyBackend(t), opaque)
	defer exec.Finalize()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	out, err := exec.Call1([]float32{-1.5, 0, inf, -inf, nan})
	if err != nil {
		t.Fatal(err)
	}
	got := tensors.MustCopyFlatData[float32](out)
	if want := []float32{-1.5, 0, inf, -inf}; !slices.Equal(got[:4], want) || got[4] == got[4] {
		t.Errorf("%v, want -1.5, 0, infinity, minus infinity and NaN", got)
	}
}
