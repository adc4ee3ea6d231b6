package weights_test

import (
	"bytes"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/models"
	"patchlab/weights"
)

// one is a Mixer of one layer, which timm has too.
func one(t testing.TB) models.Config {
	config := architecture(t, "mixer-128-8")
	config.Blocks = config.Blocks[:1]
	return config
}

// Every fault is an error that names the tensor and what was expected.
func TestFromTimmRefuses(t *testing.T) {
	good := weights.TimmDefaults(one(t)).Pixels
	const fc1 = "blocks.0.mlp_tokens.fc1.weight"
	for want, c := range map[string]struct {
		change func(file map[string]*tensors.Tensor)
		pixels weights.Pixels
	}{
		"tensor " + fc1 + " is missing; mixer-128-8 needs it with shape [64 64]": {func(f map[string]*tensors.Tensor) { delete(f, fc1) }, good},
		"tensor " + fc1 + " has shape [64 63]; mixer-128-8 needs [64 64]": {func(f map[string]*tensors.Tensor) {
			f[fc1] = tensors.FromFlatDataAndDimensions(make([]float32, 64*63), 64, 63)
		}, good},
		"tensor " + fc1 + ": type Int32; allowed: Float32, Float16, BFloat16": {func(f map[string]*tensors.Tensor) {
			f[fc1] = tensors.FromFlatDataAndDimensions(make([]int32, 64*64), 64, 64)
		}, good},
		`tensor "blocks.1.norm1.weight" is none that mixer-128-8 has`: {func(f map[string]*tensors.Tensor) { f["blocks.1.norm1.weight"] = tensors.FromScalar(float32(1)) }, good},
		"number of classes is 1": {func(f map[string]*tensors.Tensor) {
			f["head.bias"] = tensors.FromFlatDataAndDimensions([]float32{1}, 1)
		}, good},
		"of 1 and 3 channels":                             {nil, weights.Pixels{Mean: []float64{1}, Std: good.Std}},
		"channel 2 has mean 0.5 and standard deviation 0": {nil, weights.Pixels{Mean: good.Mean, Std: []float64{1, 1, 0}}},
		"channel 0 has mean NaN":                          {nil, weights.Pixels{Mean: []float64{math.NaN(), 0, 0}, Std: good.Std}},
	} {
		f := file(t, one(t))
		if c.change != nil {
			c.change(f)
		}
		if _, _, err := weights.FromTimm(one(t), f, c.pixels); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	vit := architecture(t, "vit-lite-7-4")
	f := file(t, vit)
	f["pos_embed"] = tensors.FromFlatDataAndDimensions(make([]float32, 64*256), 1, 64, 256)
	if _, _, err := weights.FromTimm(vit, f, good); err == nil || !strings.Contains(err.Error(), "pos_embed has shape [1 64 256]") {
		t.Errorf("63 patches: %v", err)
	}
	for _, id := range []string{"mixer-4", "vit-2", "convmixer", "convmixer-mixer", "vit-vis"} {
		if _, err := weights.ToTimm(architecture(t, id), nil); err == nil || !strings.Contains(err.Error(), "timm has no network like "+id) {
			t.Errorf("%s for timm: %v", id, err)
		}
	}
}

// Half precision is widened exactly; classes, a ViT's image size and class token are the file's.
func TestFromTimmFits(t *testing.T) {
	f := file(t, one(t))
	half := maps.Clone(f)
	half["norm.weight"] = tensors.FromFlatDataAndDimensions(filled(128, float16.FromFloat32(1.5)), 128)
	half["norm.bias"] = tensors.FromFlatDataAndDimensions(filled(128, bfloat16.FromFloat32(-.25)), 128)
	half["head.weight"] = tensors.FromFlatDataAndDimensions(make([]float32, 37*128), 37, 128)
	half["head.bias"] = tensors.FromFlatDataAndDimensions(make([]float32, 37), 37)
	config, named, err := weights.FromTimm(one(t), half, weights.TimmDefaults(one(t)).Pixels)
	if err != nil {
		t.Fatal(err)
	}
	if config.Classes != 37 {
		t.Errorf("%d classes, want 37", config.Classes)
	}
	for path, want := range map[string]float32{"head/norm/gamma": 1.5, "head/norm/beta": -.25, "normalization/mean": 127.5, "normalization/variance": 127.5 * 127.5} {
		if got := tensors.MustCopyFlatData[float32](named[path]); got[2] != want {
			t.Errorf("%s is %v, want %v", path, got[2], want)
		}
	}

	large := architecture(t, "vit-lite-7-4")
	large.ImageSize, large.Head.Pool = 48, models.AveragePool
	config, _, err = weights.FromTimm(architecture(t, "vit-lite-7-4"), file(t, large), weights.TimmDefaults(large).Pixels)
	if err != nil || config.ImageSize != 48 || config.Head.Pool != models.AveragePool {
		t.Errorf("a ViT of 48 pixels with an average became one of %d with %q (%v)", config.ImageSize, config.Head.Pool, err)
	}
}

func filled[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestReadConfig(t *testing.T) {
	p, err := weights.ReadConfig(strings.NewReader(`{"architecture": "vit_tiny_patch16_224", "num_classes": 2, "label_names": ["cat", "dog"],
		"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3], "crop_pct": 0.95, "interpolation": "bicubic", "crop_mode": "center"}}`))
	if err != nil || p.Architecture != "vit_tiny_patch16_224" || p.Mean[2] != .3 || p.Std[1] != 2 || p.Crop != .95 || len(p.Classes) != 2 {
		t.Errorf("read %+v (%v)", p, err)
	}
	for _, text := range []string{``, `[]`, `{"pretrained_cfg": {"crop_mode": "border"}}`, `{"pretrained_cfg": {"interpolation": "bilinear"}}`, `{"label_names": {"0": "cat"}}`} {
		if _, err := weights.ReadConfig(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzFromTimm reads any file as a network: an error, or weights of the
// network's shapes.
func FuzzFromTimm(f *testing.F) {
	tiny := models.Config{ID: "tiny", ImageSize: 2, PatchSize: 1, Dim: 1, Channels: 3, Classes: 2, Normalize: true, Position: true,
		Blocks: models.Stack{models.ViT{Heads: 1, KeyDim: 1, Hidden: 1, Linear: true}}, Head: models.Head{Norm: true, Pool: models.ClassPool}}
	var whole bytes.Buffer
	if err := weights.Write(&whole, file(f, tiny)); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := weights.Read(bytes.NewReader(content))
		if err != nil {
			return
		}
		config, named, err := weights.FromTimm(tiny, file, weights.TimmDefaults(tiny).Pixels)
		if err != nil {
			return
		}
		if _, _, err := weights.FromOwn(config, named); err != nil {
			t.Fatalf("what was taken does not fit: %v", err)
		}
	})
}
