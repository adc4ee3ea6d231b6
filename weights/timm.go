package weights

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/models"
)

// Pixels is how a network wants its pixels: (x/255 − Mean) / Std for each
// channel.
type Pixels struct{ Mean, Std []float64 }

// FromTimm gives timm's weights the names and layouts of package models.
//
// config is one that timm has too, such as models.Parse("vit_tiny_patch16_224").
// The file may depart from it in what fine-tuning changes: the number of
// classes; for a ViT the size of the image, by its position embedding, and
// whether there is a class token or an average over the patches
// (global_pool="avg", class_token=False, fc_norm=False). FromTimm returns the
// config that the file fits. A tensor that is missing, of another shape or too
// many is an error.
func FromTimm(config models.Config, file map[string]*tensors.Tensor, pixels Pixels) (models.Config, map[string]*tensors.Tensor, error) {
	config, err := fitted(config, file)
	if err != nil {
		return config, nil, err
	}
	links, err := timmLinks(config)
	if err != nil {
		return config, nil, err
	}
	named, known := map[string]*tensors.Tensor{}, map[string]bool{}
	for _, l := range links {
		known[l.theirs] = true
		t := file[l.theirs]
		if t == nil {
			return config, nil, fmt.Errorf("tensor %s is missing; %s needs it with shape %v", l.theirs, config.ID, l.theirDims())
		}
		if !slices.Equal(t.Shape().Dimensions, l.theirDims()) {
			return config, nil, fmt.Errorf("tensor %s has shape %v; %s needs %v", l.theirs, t.Shape().Dimensions, config.ID, l.theirDims())
		}
		values, err := float32s(t)
		if err != nil {
			return config, nil, fmt.Errorf("tensor %s: %w", l.theirs, err)
		}
		size := len(values) / l.parts
		named[l.ours.Path] = tensors.FromFlatDataAndDimensions(permuted(values[l.part*size:(l.part+1)*size], l.view, l.perm), l.ours.Dims...)
	}
	for name := range file {
		if !known[name] && !strings.HasSuffix(name, ".num_batches_tracked") { // of BatchNorm: serves nothing here
			return config, nil, fmt.Errorf("tensor %q is none that %s has", name, config.ID)
		}
	}
	mean, variance := make([]float32, config.Channels), make([]float32, config.Channels)
	if len(pixels.Mean) != config.Channels || len(pixels.Std) != config.Channels {
		return config, nil, fmt.Errorf("mean and standard deviation of %d and %d channels; %s has %d", len(pixels.Mean), len(pixels.Std), config.ID, config.Channels)
	}
	for c := range config.Channels {
		if !(pixels.Std[c] > 0) || math.IsInf(pixels.Std[c], 1) || math.IsNaN(pixels.Mean[c]) || math.IsInf(pixels.Mean[c], 0) {
			return config, nil, fmt.Errorf("channel %d has mean %g and standard deviation %g; allowed: finite, the second above 0", c, pixels.Mean[c], pixels.Std[c])
		}
		mean[c], variance[c] = float32(255*pixels.Mean[c]), float32(255*255*pixels.Std[c]*pixels.Std[c])
	}
	named["normalization/mean"] = tensors.FromFlatDataAndDimensions(mean, config.Channels)
	named["normalization/variance"] = tensors.FromFlatDataAndDimensions(variance, config.Channels)
	named["normalization/count"] = tensors.FromScalar(float32(0))
	return config, named, nil
}

// ToTimm gives a network's weights timm's names and layouts: what FromTimm
// takes and PyTorch's load_state_dict accepts. A network that timm's
// architectures cannot express is an error.
func ToTimm(config models.Config, named map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	links, err := timmLinks(config)
	if err != nil {
		return nil, err
	}
	values := map[string][]float32{}
	dims := map[string][]int{}
	for _, l := range links {
		t := named[l.ours.Path]
		if t == nil {
			return nil, fmt.Errorf("weights lack %s", l.ours.Path)
		}
		ours, err := float32s(t)
		if err != nil {
			return nil, fmt.Errorf("weights %s: %w", l.ours.Path, err)
		}
		// Ours are a permutation of theirs: the inverse one, of the permuted view, leads back.
		view, inverse := make([]int, len(l.view)), make([]int, len(l.view))
		for i, axis := range l.perm {
			view[i], inverse[axis] = l.view[axis], i
		}
		values[l.theirs] = append(values[l.theirs], permuted(ours, view, inverse)...) // parts come in their order
		dims[l.theirs] = l.theirDims()
	}
	file := map[string]*tensors.Tensor{}
	for name, v := range values {
		file[name] = tensors.FromFlatDataAndDimensions(v, dims[name]...)
	}
	return file, nil
}

// fitted changes what a fine-tuned file may change of a configuration.
func fitted(config models.Config, file map[string]*tensors.Tensor) (models.Config, error) {
	dims := func(name string, rank int) []int {
		if t := file[name]; t != nil && t.Rank() == rank {
			return t.Shape().Dimensions
		}
		return nil
	}
	if d := dims("head.bias", 1); d != nil {
		config.Classes = d[0]
	}
	if _, ok := config.Blocks[0].(models.ViT); ok && len(file) > 0 {
		extra := 1
		config.Head.Pool = models.ClassPool
		if file["cls_token"] == nil && file["pos_embed"] != nil {
			extra, config.Head.Pool = 0, models.AveragePool
		}
		if d := dims("pos_embed", 3); d != nil {
			grid := int(math.Sqrt(float64(d[1] - extra)))
			if grid < 1 || grid*grid+extra != d[1] {
				return config, fmt.Errorf("tensor pos_embed has shape %v; the second is no square of patches with %d more", d, extra)
			}
			config.ImageSize = grid * config.PatchSize
		}
	}
	return config, config.Validate()
}

// float32s copies a tensor's values, from half precision where it has that.
func float32s(t *tensors.Tensor) ([]float32, error) {
	switch t.DType() {
	case dtypes.Float32:
		return tensors.CopyFlatData[float32](t)
	case dtypes.Float16:
		half, err := tensors.CopyFlatData[float16.Float16](t)
		return widened(half), err
	case dtypes.BFloat16:
		half, err := tensors.CopyFlatData[bfloat16.BFloat16](t)
		return widened(half), err
	}
	return nil, fmt.Errorf("type %s; allowed: Float32, Float16, BFloat16", t.DType())
}

func widened[T interface{ Float32() float32 }](half []T) []float32 {
	out := make([]float32, len(half))
	for i, v := range half {
		out[i] = v.Float32()
	}
	return out
}

// permuted lays out values of dims anew with axis perm[i] as its i-th.
func permuted(values []float32, dims, perm []int) []float32 {
	strides := make([]int, len(dims))
	for i, stride := len(dims)-1, 1; i >= 0; i-- {
		strides[i] = stride
		stride *= dims[i]
	}
	out := make([]float32, 0, len(values))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(perm) {
			out = append(out, values[at])
			return
		}
		for i := range dims[perm[axis]] {
			walk(axis+1, at+i*strides[perm[axis]])
		}
	}
	walk(0, 0)
	return out
}

// FromOwn checks that a file with the names of package models, as [Write] gives
// them, holds what a network needs. The number of classes is the file's.
func FromOwn(config models.Config, file map[string]*tensors.Tensor) (models.Config, map[string]*tensors.Tensor, error) {
	if t := file["classifier/bias"]; t != nil && t.Rank() == 1 {
		config.Classes = t.Shape().Dim(0)
	}
	variables, err := config.Variables()
	if err != nil {
		return config, nil, err
	}
	known := map[string]bool{}
	for _, v := range variables {
		known[v.Path] = true
		t := file[v.Path]
		if t == nil {
			return config, nil, fmt.Errorf("tensor %s is missing; %s needs it with shape %v", v.Path, config.ID, v.Dims)
		}
		if t.DType() != dtypes.Float32 || !slices.Equal(t.Shape().Dimensions, v.Dims) {
			return config, nil, fmt.Errorf("tensor %s is %s; %s needs Float32 %v", v.Path, t.Shape(), config.ID, v.Dims)
		}
	}
	for name := range file {
		if !known[name] {
			return config, nil, fmt.Errorf("tensor %q is none that %s has", name, config.ID)
		}
	}
	return config, file, nil
}
