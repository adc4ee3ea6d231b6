package weights_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/weights"
)

// uniform and formula are those of testdata/timm_reference.py, bit for bit.
func uniform(name string, count int) []float64 {
	key := uint64(14695981039346656037)
	for i := range len(name) {
		key = (key ^ uint64(name[i])) * 1099511628211
	}
	out := make([]float64, count)
	for i := range out {
		z := key + uint64(i+1)*0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		out[i] = float64(z>>40)/(1<<23) - 1
	}
	return out
}

func formula(name string, dims []int) *tensors.Tensor {
	count := 1
	for _, d := range dims {
		count *= d
	}
	base, scale := 0., 0.
	switch {
	case strings.HasSuffix(name, "running_var"):
		base, scale = 1, .5
	case len(dims) == 1 && strings.HasSuffix(name, "weight"):
		base, scale = 1, .25
	case len(dims) == 1:
		scale = .125
	case name == "pos_embed" || name == "cls_token":
		scale = .5
	default:
		scale = math.Sqrt(3 / float64(count/dims[0]))
	}
	values := make([]float32, count)
	for i, u := range uniform(name, count) {
		values[i] = float32(base + scale*u)
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

func drawn(width, height int) image.Image {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	noise := uniform(fmt.Sprintf("%dx%d", width, height), 3*width*height)
	for y := range height {
		for x := range width {
			at := 4 * (y*width + x)
			for c := range 3 {
				p.Pix[at+c] = uint8((x*(c+1)+y*(3-c))%192 + int((noise[3*(y*width+x)+c]+1)*32))
			}
			p.Pix[at+3] = 255
		}
	}
	return p
}

// architecture finds a network of testdata/timm_reference.py.
func architecture(t testing.TB, name string) models.Config {
	t.Helper()
	id, average := strings.CutSuffix(name, "-average")
	config, err := models.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	if average {
		config.Head.Pool = models.AveragePool
	}
	return config
}

// file is what timm's model of the architecture holds, by the formula.
func file(t testing.TB, config models.Config) map[string]*tensors.Tensor {
	t.Helper()
	variables, err := config.Variables()
	if err != nil {
		t.Fatal(err)
	}
	empty := map[string]*tensors.Tensor{}
	for _, v := range variables {
		empty[v.Path] = tensors.FromFlatDataAndDimensions(make([]float32, v.Size()), v.Dims...)
	}
	theirs, err := weights.ToTimm(config, empty)
	if err != nil {
		t.Fatal(err)
	}
	for name, like := range theirs {
		theirs[name] = formula(name, like.Shape().Dimensions)
	}
	return theirs
}

func open(t testing.TB) compute.Backend {
	t.Helper()
	t.Setenv(backend.OfflineEnv, "1") // a test installs nothing
	b, _, err := backend.Open(t.Context(), backend.XLA, io.Discard)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no XLA here, and CI must have it: %v", err)
		}
		t.Skipf("XLA is not installed here: %v", err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// network loads weights, by way of a file as a run keeps it.
func network(t testing.TB, b compute.Backend, config models.Config, named map[string]*tensors.Tensor) *experiments.Network {
	t.Helper()
	var stored bytes.Buffer
	if err := weights.Write(&stored, named); err != nil {
		t.Fatal(err)
	}
	n, err := experiments.LoadNetwork(b, config, &stored)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func logits(t testing.TB, n *experiments.Network, view datasets.View, pictures []image.Image) []float32 {
	t.Helper()
	var pixels []uint8
	for _, p := range pictures {
		pixels = append(pixels, view.Apply(p, n.Config.Channels)...)
	}
	out, err := n.Logits(t.Context(), pixels, view.Size, view.Size, len(pictures))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTimmGolden compares with what timm computed on PyTorch for weights and
// pictures that follow from a formula (testdata/timm_reference.py golden): the
// number of parameters, every byte after resizing and cropping, logits to 1e-4
// and the five highest.
func TestTimmGolden(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "timm_golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Pictures [][2]int
		Models   map[string]struct {
			Parameters int64
			Mean, Std  []float64
			Crop       float64
			Logits     [][]float64
			Top5       [][]int
			Shown      []string
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	var pictures []image.Image
	for _, size := range golden.Pictures {
		pictures = append(pictures, drawn(size[0], size[1]))
	}
	b := open(t)
	for name, want := range golden.Models {
		t.Run(name, func(t *testing.T) {
			config, named, err := weights.FromTimm(architecture(t, strings.TrimSuffix(name, "-average")), file(t, architecture(t, name)),
				weights.Pixels{Mean: want.Mean, Std: want.Std})
			if err != nil {
				t.Fatal(err)
			}
			back, err := weights.ToTimm(config, named)
			if err != nil {
				t.Fatal(err)
			}
			for tensor, was := range file(t, architecture(t, name)) {
				if got := back[tensor]; got == nil || !got.Equal(was) {
					t.Errorf("%s does not come back as it was", tensor)
				}
			}
			if counts, err := config.Count(); err != nil || counts.Trainable != want.Parameters {
				t.Errorf("%d parameters are trained (%v), in timm %d", counts.Trainable, err, want.Parameters)
			}
			view := datasets.View{Size: config.ImageSize, Crop: want.Crop}
			for i, p := range pictures {
				if sum := sha256.Sum256(view.Apply(p, 3)); hex.EncodeToString(sum[:]) != want.Shown[i] {
					t.Errorf("picture %d of %v pixels is not shown as timm shows it", i, golden.Pictures[i])
				}
			}
			n := network(t, b, config, named)
			defer n.Close()
			got := logits(t, n, view, pictures)
			furthest := 0.
			for i, row := range want.Logits {
				for k, v := range row {
					furthest = max(furthest, math.Abs(v-float64(got[i*config.Classes+k])))
				}
			}
			t.Logf("logits differ by at most %.2g", furthest)
			if !(furthest <= 1e-4) {
				t.Errorf("logits differ by %g, want at most 1e-4", furthest)
			}
			for i, p := range experiments.Rank(got, config.Classes) {
				if !slices.Equal(p.Classes, want.Top5[i]) {
					t.Errorf("picture %d: the highest are %v, in timm %v", i, p.Classes, want.Top5[i])
				}
			}
		})
	}
}

// TestTimm builds every architecture in timm on PyTorch, saves it as timm does,
// reads the files and compares on real pictures: CIFAR-10's test images, enlarged
// where PATCHLAB_TEST_DATA has them, and drawn ones. "make test-timm" runs it.
func TestTimm(t *testing.T) {
	if os.Getenv("PATCHLAB_TIMM") == "" {
		t.Skip("needs timm on PyTorch: make test-timm")
	}
	folder := t.TempDir()
	pictures, paths := real(t, folder)
	command := exec.CommandContext(t.Context(), filepath.Join("..", ".venv", "timm", "bin", "python"),
		append([]string{"-W", "ignore", filepath.Join("testdata", "timm_reference.py"), "files", folder}, paths...)...)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v (PyTorch: apt-get install python3-torch python3-torchvision)\n%s", strings.Join(command.Args, " "), err, output)
	}
	b := open(t)
	saved, err := filepath.Glob(filepath.Join(folder, "*", "model.safetensors"))
	if err != nil || len(saved) < len(models.Papers()) {
		t.Fatalf("timm saved %d models (%v), want %d\n%s", len(saved), err, len(models.Papers()), output)
	}
	for _, path := range saved {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { compareWithTimm(t, b, path, pictures) })
	}
}

func compareWithTimm(t *testing.T, b compute.Backend, path string, pictures []image.Image) {
	beside, err := os.Open(filepath.Join(filepath.Dir(path), "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	known, err := weights.ReadConfig(beside)
	if err != nil {
		t.Fatal(err)
	}
	config, named, err := weights.FromTimm(architecture(t, known.Architecture), readFile(t, path), known.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, b, config, named)
	defer n.Close()
	got := logits(t, n, datasets.View{Size: config.ImageSize, Crop: known.Crop}, pictures)
	want, err := tensors.CopyFlatData[float32](readFile(t, filepath.Join(filepath.Dir(path), "logits.safetensors"))["logits"])
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d logits, in timm %d", len(got), len(want))
	}
	furthest, largest := 0., 0.
	for i := range want {
		furthest = max(furthest, math.Abs(float64(got[i]-want[i])))
		largest = max(largest, math.Abs(float64(want[i])))
	}
	// Trained networks' logits stay below 32. Where random weights give larger ones, float32 rounds more.
	limit := 1e-4 * max(1, largest/32)
	t.Logf("%d logits, the largest %.3g, differ by at most %.2g", len(want), largest, furthest)
	if !(furthest <= limit) {
		t.Errorf("logits differ by %g, want at most %g", furthest, limit)
	}
	theirs := experiments.Rank(want, config.Classes)
	for i, ours := range experiments.Rank(got, config.Classes) {
		if !slices.Equal(ours.Classes, theirs[i].Classes) {
			t.Errorf("picture %d: the highest are %v, in timm %v", i, ours.Classes, theirs[i].Classes)
		}
	}
}

// real writes pictures as PNG files.
func real(t *testing.T, folder string) (pictures []image.Image, paths []string) {
	t.Helper()
	pictures = append(pictures, drawn(300, 260), drawn(40, 64))
	if data := os.Getenv("PATCHLAB_TEST_DATA"); data != "" {
		d, err := datasets.Load(t.Context(), "cifar10", datasets.Options{Dir: filepath.Join(data, "jpeg"), TrainLimit: 1, TestLimit: 6, Offline: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Test.Len() {
			p := image.NewRGBA(image.Rect(0, 0, d.Width, d.Height))
			for k, v := range d.Test.Image(i) {
				p.Pix[k/3*4+k%3] = v
			}
			for k := 3; k < len(p.Pix); k += 4 {
				p.Pix[k] = 255
			}
			pictures = append(pictures, p)
		}
	}
	for i, p := range pictures {
		paths = append(paths, filepath.Join(folder, fmt.Sprintf("%d.png", i)))
		f, err := os.Create(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, p); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return pictures, paths
}

func readFile(t testing.TB, path string) map[string]*tensors.Tensor {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	named, err := weights.Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return named
}
