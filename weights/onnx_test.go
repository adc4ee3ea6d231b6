package weights_test

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/models"
	"patchlab/weights"
)

// shaken gives every variable of a network values by the formula, BatchNorm's
// and the pixels' statistics too.
func shaken(t testing.TB, config models.Config) map[string]*tensors.Tensor {
	t.Helper()
	variables, err := config.Variables()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]*tensors.Tensor{}
	for _, v := range variables {
		base, scale := 0., .1
		switch {
		case strings.HasSuffix(v.Path, "normalization/mean"):
			base, scale = 120, 10
		case strings.HasSuffix(v.Path, "normalization/variance"):
			base, scale = 4000, 500
		case strings.HasSuffix(v.Path, "/gamma"), strings.HasSuffix(v.Path, "/moving_variance"):
			base, scale = 1, .3
		case strings.HasSuffix(v.Path, "/kernel"):
			fan := v.Size() / int64(v.Dims[len(v.Dims)-1])
			if strings.Contains(v.Path, "/query/") || strings.Contains(v.Path, "/key/") || strings.Contains(v.Path, "/value/") {
				fan = int64(v.Dims[0])
			}
			scale = math.Sqrt(3 / float64(fan))
		}
		values := make([]float32, v.Size())
		for i, u := range uniform(v.Path, len(values)) {
			values[i] = float32(base + scale*u)
		}
		named[v.Path] = tensors.FromFlatDataAndDimensions(values, v.Dims...)
	}
	return named
}

// TestONNX exports the ten reference configurations, those of papers that are
// small, and what only stacks of one's own have, checks them by ONNX's rules and
// compares ONNX Runtime's logits with ours to 1e-4, on images that have to be
// resized.
func TestONNX(t *testing.T) {
	python := filepath.Join("..", ".venv", "onnx", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		const missing = "no ONNX Runtime: run scripts/python-env.sh onnx weights/testdata/onnx.txt"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	var configs []models.Config
	for _, e := range models.Named() {
		configs = append(configs, e.Config)
	}
	for _, spec := range []string{"vit-lite-7-4", "mixer-128-8", "convmixer-256-8",
		"convmixer(kernel=4):1", "mixer(token_hidden=5,channel_hidden=7),vit(heads=1,key_dim=3,no_bias=true)"} {
		config, err := models.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		configs = append(configs, config)
	}
	configs[len(configs)-2].ReLU, configs[len(configs)-2].BatchNormEpsilon = true, 1e-5
	grey := configs[1]
	grey.ID, grey.Channels = "grey", 1
	configs = append(configs, grey)

	const batch, height, width = 3, 48, 40 // larger than some networks' images, smaller than others'
	var images []uint8
	for i := range batch {
		p := drawn(width+i, height).(*image.RGBA)
		for y := range height {
			for x := range width {
				c := p.RGBAAt(x, y)
				images = append(images, c.R, c.G, c.B)
			}
		}
	}
	folder := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("images.bin", images)
	write("images.txt", fmt.Appendf(nil, "%d %d %d 3", batch, height, width))
	held := map[string]map[string]*tensors.Tensor{}
	for i, config := range configs {
		name := fmt.Sprint(i)
		held[name] = shaken(t, config)
		f, err := os.Create(filepath.Join(folder, name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if err := weights.WriteONNX(f, config, held[name], make([]string, config.Classes)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "onnx_reference.py"), folder)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, output)
	}

	b := open(t)
	for i, config := range configs {
		t.Run(fmt.Sprintf("%d-%s", i, config.ID), func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("%d.bin", i)))
			if err != nil {
				t.Fatal(err)
			}
			n := network(t, b, config, held[fmt.Sprint(i)])
			defer n.Close()
			input := images
			if config.Channels == 1 {
				input = nil
				for k := 0; k < len(images); k += 3 {
					input = append(input, images[k])
				}
			}
			got, err := n.Logits(t.Context(), input, height, width, batch)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) != 4*len(got) {
				t.Fatalf("ONNX Runtime gives %d bytes for %d logits", len(raw), len(got))
			}
			furthest, spread := 0., 0.
			for k, v := range got {
				theirs := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
				furthest = max(furthest, math.Abs(float64(v-theirs)))
				spread = max(spread, math.Abs(float64(v-got[k%config.Classes])))
			}
			t.Logf("logits differ by at most %.2g; those of the images among each other by %.2g", furthest, spread)
			if !(furthest <= 1e-4) || !(spread > 1e-3) {
				t.Errorf("logits differ by %g, want at most 1e-4, and between images by %g, want more than .001", furthest, spread)
			}
		})
	}
}

// What is no network of this project's is refused, and nothing written.
func TestONNXRefuses(t *testing.T) {
	config := architecture(t, "mixer-4")
	named := shaken(t, config)
	delete(named, "block_1/token_mlp/dense_0/bias")
	var file strings.Builder
	err := weights.WriteONNX(&file, config, named, nil)
	if err == nil || !strings.Contains(err.Error(), "block_1/token_mlp/dense_0/bias") || file.Len() > 0 {
		t.Errorf("a network without one of its weights: %v, %d bytes", err, file.Len())
	}
}
