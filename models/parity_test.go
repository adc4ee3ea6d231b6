package models_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
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
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// TestParityWithKeras gives each configuration the weights of the same network built in Keras 3
// (testdata/keras_reference.py, which says what it computes) and compares
//
//   - the logits outside training: at most 1e-4 apart;
//   - the loss in training, with BatchNorm on the batch's statistics;
//   - its gradient with respect to every trainable variable: at most 1e-4 of that gradient's largest
//     value apart, and 1e-6;
//   - all weights and moving statistics after three steps of the reference's AdamW, as experiments has
//     it: at most a fiftieth of the learning rate apart (the steps move a weight by up to thrice the rate).
//
// Dropout is left out on both sides. vit-vis has a narrow head (64-32) here, all else is at full size.
func TestParityWithKeras(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute of Keras: left out with -short")
	}
	folder := runKeras(t)
	programs := filepath.Join(t.TempDir(), "programs")
	t.Setenv(backend.ProgramsEnv, programs)
	opened := parityBackend(t)
	for _, entry := range models.Named() {
		t.Run(entry.Config.ID, func(t *testing.T) {
			config := entry.Config
			if config.ID == "vit-vis" {
				config.Head.Hidden = []int{64, 32}
			}
			compareWithKeras(t, opened, config, entry.Training, readSafetensors(t, filepath.Join(folder, config.ID+".safetensors")))
		})
	}
	if backend.Native(graph.NewGraph(opened, "any")) {
		callKernels(t, programs)
	}
}

// callKernels demands of what is kept of compiled programs that they call the kernels that these networks' layers have.
// Those of smaller batches are compared by TestGradientsAgreeOnBothBackends, those of the loss by package experiments.
func callKernels(t *testing.T, programs string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(programs, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		program, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, program...)
	}
	for _, kernel := range []string{"product", "adamw", "pointwise_norm", "pointwise_norm_gradient", "depthwise_norm", "depthwise_norm_gradient", "average", "layer_norm", "layer_norm_gradient", "gelu", "gelu_gradient", "attention", "attention_gradient", "dense", "mlp", "mlp_gradient", "mixer", "convmixer", "pointwise"} {
		if !regexp.MustCompile(`patchlab_` + kernel + `\b`).Match(all) {
			t.Errorf("none of %d programs calls %s", len(files), kernel)
		}
	}
}

// runKeras writes the fixtures into a temporary folder.
func runKeras(t *testing.T) string {
	t.Helper()
	python := os.Getenv("PATCHLAB_KERAS_PYTHON")
	if python == "" {
		python = filepath.Join("..", ".venv", "keras", "bin", "python") // tests run in their package's folder
		if _, err := os.Stat(python); err != nil {
			const missing = "no Keras: run scripts/python-env.sh keras models/testdata/requirements.txt, or name a Python that has it in PATCHLAB_KERAS_PYTHON"
			if os.Getenv("CI") != "" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
	}
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), python, "-W", "ignore", filepath.Join("testdata", "keras_reference.py"), folder)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, output)
	}
	return folder
}

// parityBackend is XLA on the CPU where it is installed, else pure Go. (A GPU may round products to TF32.)
func parityBackend(t *testing.T) compute.Backend {
	t.Helper()
	t.Setenv(backend.OfflineEnv, "1") // a test installs nothing
	opened, info, err := backend.Open(t.Context(), backend.XLA, io.Discard)
	if err != nil {
		t.Logf("no XLA: %v", err)
		if opened, info, err = backend.Open(t.Context(), backend.Go, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(opened.Finalize)
	t.Logf("comparing on %s", info.Name)
	return opened
}

// array is a tensor of a fixture.
type array struct {
	dims   []int
	values []float32
}

// readSafetensors reads a file of float32 tensors: 8 bytes with the header's length, the header as JSON,
// the data.
func readSafetensors(t *testing.T, path string) map[string]array {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	length := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:8+length], &header); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	data = data[8+length:]
	arrays := make(map[string]array, len(header))
	for name, entry := range header {
		values := make([]float32, (entry.Offsets[1]-entry.Offsets[0])/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[entry.Offsets[0]+4*i:]))
		}
		arrays[name] = array{entry.Shape, values}
	}
	return arrays
}

func compareWithKeras(t *testing.T, opened compute.Backend, config models.Config, training models.Training, keras map[string]array) {
	store := model.NewStore()
	if err := config.Init(store); err != nil {
		t.Fatal(err)
	}
	var paths []string // of the network's variables, without the leading "/"
	for v := range store.IterVariables() {
		path := strings.TrimPrefix(v.Path(), "/")
		paths = append(paths, path)
		weights, ok := keras["weights/"+path]
		if !ok || len(weights.values) != v.Shape().Size() {
			t.Fatalf("%s has shape %s here, Keras has %v", path, v.Shape(), weights.dims)
		}
		// A depthwise kernel is [k, k, C, 1] in Keras and [k, k, 1, C] here, a pointwise one [1, 1, C, C]
		// and [C, C]: the same values in the same order.
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(weights.values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	for name := range keras {
		if path, ok := strings.CutPrefix(name, "weights/"); ok && !slices.Contains(paths, path) {
			t.Fatalf("Keras has a variable %s, which is missing here", path)
		}
	}

	images := make([]uint8, len(keras["images"].values))
	for i, v := range keras["images"].values {
		images[i] = uint8(v)
	}
	labels := make([]int32, len(keras["labels"].values))
	for i, v := range keras["labels"].values {
		labels[i] = int32(v)
	}
	imageTensor := func() *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(images, keras["images"].dims...)
	}
	labelTensor := func() *tensors.Tensor { return tensors.FromFlatDataAndDimensions(labels, len(labels)) }

	// Outside training.
	infer := model.MustNewExec(opened, store, func(scope *model.Scope, images *graph.Node) *graph.Node {
		return config.Logits(scope, images, models.Pass{Kernels: backend.Kernels(images.Graph())})
	})
	defer infer.Finalize()
	logits, err := infer.Call1(imageTensor())
	if err != nil {
		t.Fatal(err)
	}
	largest := agree(t, "logits", tensors.MustCopyFlatData[float32](logits), keras["logits"].values, 1e-4)
	report := fmt.Sprintf("logits within %.1e", largest)

	// Loss and gradients in training. The moving statistics are put back below, with the weights.
	loss := func(scope *model.Scope, images, labels *graph.Node) *graph.Node {
		logits := config.Logits(scope, images, models.Pass{Training: true, Kernels: backend.Kernels(images.Graph())})
		truth := graph.OneHot(labels, config.Classes, dtypes.Float32)
		return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(truth, graph.LogSoftmax(logits, -1)), -1)))
	}
	var differentiated []string
	differentiate := model.MustNewExec(opened, store, func(scope *model.Scope, inputs []*graph.Node) []*graph.Node {
		value := loss(scope, inputs[0], inputs[1])
		var nodes []*graph.Node
		for v := range scope.IterVariables() {
			if v.Trainable {
				differentiated = append(differentiated, strings.TrimPrefix(v.Path(), "/"))
				nodes = append(nodes, v.NodeValue(value))
			}
		}
		return append([]*graph.Node{value}, graph.Gradient(value, nodes...)...)
	})
	defer differentiate.Finalize()
	outputs, err := differentiate.Call(imageTensor(), labelTensor())
	if err != nil {
		t.Fatal(err)
	}
	largest = agree(t, "loss", tensors.MustCopyFlatData[float32](outputs[0]), keras["loss"].values, 2e-5)
	report += fmt.Sprintf(", loss %.1e", largest)
	largest = 0
	for i, path := range differentiated {
		gradient, want := tensors.MustCopyFlatData[float32](outputs[i+1]), keras["gradients/"+path].values
		var size float64 // of this variable's gradient: what is allowed follows it
		for _, v := range want {
			size = max(size, math.Abs(float64(v)))
		}
		largest = max(largest, agree(t, "gradient of "+path, gradient, want, 1e-6+1e-4*size))
	}
	for name := range keras {
		if path, ok := strings.CutPrefix(name, "gradients/"); ok && !slices.Contains(differentiated, path) {
			t.Errorf("Keras trains %s, which is not trained here", path)
		}
	}
	report += fmt.Sprintf(", gradients %.1e", largest)

	// Three steps of AdamW, from the start.
	for _, path := range paths {
		v := store.GetVariable("/" + path)
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(keras["weights/"+path].values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	adam := experiments.DefaultAdamW(training.LearningRate)
	if adam.WeightDecay != training.WeightDecay || adam.Decay != experiments.DecayPlain {
		t.Fatalf("experiments' default optimiser %+v is not the reference's", adam)
	}
	step := model.MustNewExec(opened, store, func(scope *model.Scope, images, labels, rates *graph.Node) *graph.Node {
		value := loss(scope, images, labels)
		adam.Update(scope.Store(), value, rates)
		return value
	})
	defer step.Finalize()
	for i := range 3 {
		rates := tensors.FromFlatDataAndDimensions(adam.Rates(training.LearningRate, int64(i+1)), 2)
		if _, err := step.Call1(imageTensor(), labelTensor(), rates); err != nil {
			t.Fatal(err)
		}
	}
	largest = 0
	for _, path := range paths {
		value, err := store.GetVariable("/" + path).Value()
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, agree(t, path+" after three steps", tensors.MustCopyFlatData[float32](value), keras["after/"+path].values, training.LearningRate/50))
	}
	t.Logf("%s, weights after three steps %.1e", report, largest)
}

// agree complains where two arrays differ by more than allowed, and returns their largest difference.
func agree(t *testing.T, what string, got, want []float32, allowed float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values here, %d in Keras", what, len(got), len(want))
	}
	var largest float64
	at := 0
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if d > largest || math.IsNaN(d) {
			largest, at = d, i
		}
	}
	if !(largest <= allowed) {
		t.Errorf("%s: value %d is %g here, %g in Keras, allowed difference %g", what, at, got[at], want[at], allowed)
	}
	return largest
}
