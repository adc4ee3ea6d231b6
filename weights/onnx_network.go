package weights

import (
	"fmt"
	"math"

	"patchlab/models"
)

// The stages of models.Config.Logits, outside training, as ONNX operations.
// Tables of tokens are [batch, T, C].

// Epsilons of package models.
const (
	layerNormEpsilon = 1e-6
	batchNormEpsilon = 1e-3
)

func (o *onnx) network() error {
	x := o.embed(o.preprocess("images"))
	for i, block := range o.config.Blocks {
		path := fmt.Sprintf("block_%d", i)
		switch b := block.(type) {
		case models.Mixer:
			x = o.mixer(b, path, x)
		case models.ViT:
			x = o.vit(b, path, x)
		case models.ConvMixer:
			x = o.convMixer(path, x)
		default:
			return fmt.Errorf("block %d is a %s, which has no form in ONNX here; allowed: mixer, vit, convmixer", i, block.Kind())
		}
	}
	o.head(x)
	return nil
}

// preprocess scales pixels and resizes: uint8 [batch, H, W, c] -> [batch, c, S, S].
func (o *onnx) preprocess(images string) string {
	c := o.config
	x := o.node("Cast", []string{images}, integer("to", onnxFloat))
	if c.Normalize {
		mean, variance := o.weights["normalization/mean"].values, o.weights["normalization/variance"].values
		scale := make([]float32, len(variance))
		for i, v := range variance {
			scale[i] = max(float32(math.Sqrt(float64(v))), 1e-7)
		}
		x = o.node("Sub", []string{x, o.constant("normalization/mean", mean, c.Channels)})
		x = o.node("Div", []string{x, o.constant("normalization/deviation", scale, c.Channels)})
	} else {
		x = o.node("Mul", []string{x, o.scalar(1. / 255)})
	}
	x = o.node("Transpose", []string{x}, integers("perm", 0, 3, 1, 2))
	return o.node("Resize", []string{x, "", "", o.indices(c.ImageSize, c.ImageSize)}, integers("axes", 2, 3),
		text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel"))
}

// embed makes tokens of patches: [batch, c, S, S] -> [batch, T, C].
func (o *onnx) embed(x string) string {
	c := o.config
	p, dim := c.PatchSize, c.Dim
	kernel := permuted(o.weights["embedding/kernel"].values, []int{p, p, c.Channels, dim}, []int{3, 2, 0, 1})
	x = o.node("Conv", []string{x, o.constant("embedding/kernel", kernel, dim, c.Channels, p, p), o.weight("embedding/bias")},
		integers("kernel_shape", p, p), integers("strides", p, p))
	x = o.tokens(x)
	if c.Stem == models.ConvStem {
		x = o.batchNorm("embedding/norm", o.convActivation(x))
	}
	if c.Head.Pool == models.ClassPool {
		batch := o.node("Shape", []string{x}, integer("start", 0), integer("end", 1))
		shape := o.node("Concat", []string{batch, o.indices(1, dim)}, integer("axis", 0))
		class := o.node("Expand", []string{o.weight("class_token"), shape})
		x = o.node("Concat", []string{class, x}, integer("axis", 1))
	}
	if c.Position {
		x = o.node("Add", []string{x, o.weight("position/embedding")})
	}
	return x
}

// tokens makes a table of a grid: [batch, C, g, g] -> [batch, T, C].
func (o *onnx) tokens(x string) string {
	x = o.node("Reshape", []string{x, o.indices(0, o.config.Dim, o.config.Grid()*o.config.Grid())})
	return o.node("Transpose", []string{x}, integers("perm", 0, 2, 1))
}

func (o *onnx) mixer(m models.Mixer, path, x string) string {
	tokenNorm, channelNorm := path+"/norm", path+"/norm"
	if m.SeparateNorms {
		tokenNorm, channelNorm = path+"/token_norm", path+"/channel_norm"
	}
	y := o.node("Transpose", []string{o.layerNorm(tokenNorm, x)}, integers("perm", 0, 2, 1)) // [batch, C, T]
	y = o.dense(path+"/token_mlp/dense_1", o.gelu(o.dense(path+"/token_mlp/dense_0", y)))
	x = o.node("Add", []string{x, o.node("Transpose", []string{y}, integers("perm", 0, 2, 1))})
	y = o.layerNorm(channelNorm, x)
	y = o.dense(path+"/channel_mlp/dense_1", o.gelu(o.dense(path+"/channel_mlp/dense_0", y)))
	return o.node("Add", []string{x, y})
}

func (o *onnx) vit(v models.ViT, path, x string) string {
	x = o.node("Add", []string{x, o.attention(path+"/attention", o.layerNorm(path+"/norm_0", x))})
	y := o.gelu(o.dense(path+"/mlp/dense_0", o.layerNorm(path+"/norm_1", x)))
	y = o.dense(path+"/mlp/dense_1", y)
	if !v.Linear {
		y = o.gelu(y)
	}
	return o.node("Add", []string{x, y})
}

func (o *onnx) attention(path, x string) string {
	dims := o.weights[path+"/query/kernel"].dims // [C, heads, k]
	dim, heads, width := dims[0], dims[1], dims[2]
	project := func(name string, perm ...int) string { // [batch, T, C] -> [batch, heads, T, k], or keys [batch, heads, k, T]
		kernel := o.constant(path+"/"+name+"/kernel", o.weights[path+"/"+name+"/kernel"].values, dim, heads*width)
		y := o.node("MatMul", []string{x, kernel})
		if bias, ok := o.weights[path+"/"+name+"/bias"]; ok {
			y = o.node("Add", []string{y, o.constant(path+"/"+name+"/bias", bias.values, heads*width)})
		}
		y = o.node("Reshape", []string{y, o.indices(0, 0, heads, width)})
		return o.node("Transpose", []string{y}, integers("perm", perm...))
	}
	query, key, value := project("query", 0, 2, 1, 3), project("key", 0, 2, 3, 1), project("value", 0, 2, 1, 3)
	query = o.node("Mul", []string{query, o.scalar(1 / math.Sqrt(float64(width)))})
	scores := o.node("Softmax", []string{o.node("MatMul", []string{query, key})}, integer("axis", -1)) // [batch, heads, T, T]
	y := o.node("Transpose", []string{o.node("MatMul", []string{scores, value})}, integers("perm", 0, 2, 1, 3))
	y = o.node("Reshape", []string{y, o.indices(0, 0, heads*width)})
	kernel := o.constant(path+"/output/kernel", o.weights[path+"/output/kernel"].values, heads*width, dim)
	return o.node("Add", []string{o.node("MatMul", []string{y, kernel}), o.weight(path + "/output/bias")})
}

func (o *onnx) convMixer(path, x string) string {
	dim, grid := o.config.Dim, o.config.Grid()
	kernel := o.weights[path+"/depthwise/kernel"] // [k, k, 1, C]
	side := kernel.dims[0]
	y := o.node("Transpose", []string{x}, integers("perm", 0, 2, 1))
	y = o.node("Reshape", []string{y, o.indices(0, dim, grid, grid)})
	planes := o.constant(path+"/depthwise/kernel", permuted(kernel.values, kernel.dims, []int{3, 2, 0, 1}), dim, 1, side, side)
	before, after := (side-1)/2, side/2
	y = o.node("Conv", []string{y, planes, o.weight(path + "/depthwise/bias")}, integer("group", dim),
		integers("kernel_shape", side, side), integers("pads", before, before, after, after))
	y = o.batchNorm(path+"/depthwise/norm", o.convActivation(o.tokens(y)))
	x = o.node("Add", []string{y, x})
	return o.batchNorm(path+"/pointwise/norm", o.convActivation(o.dense(path+"/pointwise", x)))
}

// head pools, classifies and names the output.
func (o *onnx) head(x string) {
	c := o.config
	if c.Head.Norm {
		x = o.layerNorm("head/norm", x)
	}
	switch c.Head.Pool {
	case models.FlattenPool:
		x = o.node("Reshape", []string{x, o.indices(0, c.Tokens()*c.Dim)})
	case models.ClassPool:
		first := o.tensor("first", onnxInt64, nil, make([]byte, 8))
		x = o.node("Gather", []string{x, first}, integer("axis", 1))
	default:
		x = o.node("ReduceMean", []string{x, o.indices(1)}, integer("keepdims", 0))
	}
	for i := range c.Head.Hidden {
		x = o.gelu(o.dense(fmt.Sprintf("head/dense_%d", i), x))
	}
	x = o.node("MatMul", []string{x, o.weight("classifier/kernel")})
	o.named("Add", []string{x, o.weight("classifier/bias")}, "logits")
}

// weight adds a variable as it is.
func (o *onnx) weight(path string) string {
	w := o.weights[path]
	return o.constant(path, w.values, w.dims...)
}

func (o *onnx) dense(path, x string) string {
	return o.node("Add", []string{o.node("MatMul", []string{x, o.weight(path + "/kernel")}), o.weight(path + "/bias")})
}

// gelu is x (1 + erf(x/√2))/2. The operator Gelu is of a later version.
func (o *onnx) gelu(x string) string {
	y := o.node("Erf", []string{o.node("Mul", []string{x, o.scalar(math.Sqrt2 / 2)})})
	y = o.node("Mul", []string{x, o.node("Add", []string{y, o.scalar(1)})})
	return o.node("Mul", []string{y, o.scalar(.5)})
}

func (o *onnx) convActivation(x string) string {
	if o.config.ReLU {
		return o.node("Relu", []string{x})
	}
	return o.gelu(x)
}

func (o *onnx) layerNorm(path, x string) string {
	return o.node("LayerNormalization", []string{x, o.shared(path + "/gamma"), o.shared(path + "/beta")},
		integer("axis", -1), float("epsilon", layerNormEpsilon))
}

// shared is a weight that may have been added before: a Mixer of the course
// uses one norm twice.
func (o *onnx) shared(path string) string {
	if w, ok := o.weights[path]; ok {
		delete(o.weights, path)
		return o.constant(path, w.values, w.dims...)
	}
	return path
}

// batchNorm is y = x a + b, of the moving statistics.
func (o *onnx) batchNorm(path, x string) string {
	epsilon := o.config.BatchNormEpsilon
	if epsilon == 0 {
		epsilon = batchNormEpsilon
	}
	gamma, beta := o.weights[path+"/gamma"].values, o.weights[path+"/beta"].values
	mean, variance := o.weights[path+"/moving_mean"].values, o.weights[path+"/moving_variance"].values
	scale, shift := make([]float32, len(gamma)), make([]float32, len(gamma))
	for i := range gamma {
		a := float64(gamma[i]) / math.Sqrt(float64(variance[i])+epsilon)
		scale[i], shift[i] = float32(a), float32(float64(beta[i])-a*float64(mean[i]))
	}
	x = o.node("Mul", []string{x, o.constant(path+"/scale", scale, len(scale))})
	return o.node("Add", []string{x, o.constant(path+"/shift", shift, len(shift))})
}
