package models

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// preprocess scales pixels: images [B, H, W, 3] of 0..255 -> [B, H, W, 3].
func (n *network) preprocess(images *graph.Node) *graph.Node {
	x := graph.ConvertDType(images, dtypes.Float32)
	if n.Normalize {
		x = n.normalization(x)
	} else {
		x = graph.MulScalar(x, 1.0/255)
	}
	return graph.StopGradient(x) // pixels and their statistics are not trained
}

// normalization is Keras's Normalization layer: (x - mean) / max(sqrt(variance), 1e-7), with one
// mean and variance a channel. "count" serves nothing; Keras stores it, so the reference counts it.
func (n *network) normalization(x *graph.Node) *graph.Node {
	g := x.Graph()
	mean := n.fixed("normalization/mean", zeros, n.Channels).NodeValue(g)
	variance := n.fixed("normalization/variance", ones, n.Channels).NodeValue(g)
	n.fixed("normalization/count", zeros)
	scale := graph.MaxScalar(graph.Sqrt(variance), 1e-7)
	return graph.Div(graph.Sub(x, graph.Reshape(mean, 1, 1, 1, n.Channels)), graph.Reshape(scale, 1, 1, 1, n.Channels))
}

// SetNormalization gives the Normalization layer the mean and variance (population variance, over
// pixels of 0..255) of each channel of the training images. It works on the store of a network whose
// variables exist (after Config.Init or a first call of Logits), and does nothing to one without such
// a layer.
func SetNormalization(store *model.Store, mean, variance []float32) error {
	for v := range store.IterVariables() {
		var values []float32
		switch {
		case strings.HasSuffix(v.Path(), "/normalization/mean"):
			values = mean
		case strings.HasSuffix(v.Path(), "/normalization/variance"):
			values = variance
		default:
			continue
		}
		if len(values) != v.Shape().Size() {
			return fmt.Errorf("setting %s: %d values given, the network's images have %d channels", v.Path(), len(values), v.Shape().Size())
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(append([]float32(nil), values...), len(values))); err != nil {
			return fmt.Errorf("setting %s: %w", v.Path(), err)
		}
	}
	return nil
}

// resize interpolates [B, H, W, C] bilinearly to [B, S, S, C] as Keras's Resizing layer does
// (half-pixel centres, no antialiasing): rows and columns, each a product with a constant matrix, the
// direction that shrinks first. An image of the right size passes untouched.
func resize(x *graph.Node, size int) *graph.Node {
	if x.Shape().Dim(1) > size {
		return resizeColumns(resizeRows(x, size), size)
	}
	return resizeRows(resizeColumns(x, size), size)
}

// resizeRows brings the number of rows to size: [B, H, W, C] -> [B, S, W, C].
func resizeRows(x *graph.Node, size int) *graph.Node {
	dims := x.Shape().Dimensions
	batch, height, width, channels := dims[0], dims[1], dims[2], dims[3]
	if height == size {
		return x
	}
	matrix := graph.BroadcastPrefix(graph.Const(x.Graph(), bilinear(height, size)), batch) // [B, S, H]
	x = graph.Einsum("bsh,bhw->bsw", matrix, graph.Reshape(x, batch, height, width*channels))
	return graph.Reshape(x, batch, size, width, channels)
}

// resizeColumns brings the number of columns to size: [B, H, W, C] -> [B, H, S, C]. The matrix is
// spread over the channels, [W*C, S*C] with zeros between different channels: C times the arithmetic,
// but one plain product without a transposition, in half the time for 3 channels.
func resizeColumns(x *graph.Node, size int) *graph.Node {
	dims := x.Shape().Dimensions
	batch, height, width, channels := dims[0], dims[1], dims[2], dims[3]
	if width == size {
		return x
	}
	matrix := make([][]float32, width*channels)
	for i := range matrix {
		matrix[i] = make([]float32, size*channels)
	}
	for to, weights := range bilinear(width, size) {
		for from, weight := range weights {
			for c := range channels {
				matrix[from*channels+c][to*channels+c] = weight
			}
		}
	}
	x = graph.Reshape(x, batch*height, width*channels)
	x = graph.DotProduct(x, graph.Const(x.Graph(), matrix))
	return graph.Reshape(x, batch, height, size, channels)
}

// bilinear returns the matrix [size][from] that interpolates a line of from samples linearly at size
// evenly spaced points: output i lies at input coordinate (i + 1/2) from/size - 1/2, and what falls
// beyond the outermost sample takes that sample.
func bilinear(from, size int) [][]float32 {
	matrix := make([][]float32, size)
	for i := range matrix {
		matrix[i] = make([]float32, from)
		at := (float64(i)+0.5)*float64(from)/float64(size) - 0.5
		at = min(max(at, 0), float64(from-1))
		low := min(int(at), from-1)
		high := min(low+1, from-1)
		fraction := float32(at - float64(low))
		matrix[i][low] += 1 - fraction
		matrix[i][high] += fraction
	}
	return matrix
}

// embed makes tokens of images [B, H, W, 3], one a patch of the image at its size in the network, and puts the class
// token before them, where there is one: [B, T, C].
func (n *network) embed(x *graph.Node) *graph.Node {
	if n.Stem == ConvStem {
		x = n.convStem(x)
	} else {
		pixels := n.PatchSize * n.PatchSize * n.Channels
		kernel := n.weight("embedding/kernel", glorot, pixels, n.Dim).NodeValue(x)
		bias := n.weight("embedding/bias", zeros, n.Dim).NodeValue(x)
		x = n.project(x, kernel, bias, n.linear)
	}
	if n.Head.Pool == ClassPool {
		class := n.weight("class_token", zeros, 1, n.Dim).NodeValue(x)
		class = graph.BroadcastPrefix(class, x.Shape().Dim(0)) // [B, 1, C]
		x = graph.Concatenate([]*graph.Node{class, x}, 1)
	}
	if n.Position {
		table := n.weight("position/embedding", uniform(0.05), n.Tokens(), n.Dim).NodeValue(x)
		x = graph.Add(x, graph.ExpandAxes(table, 0)) // [B, T, C] + [1, T, C]
	}
	x.AssertDims(-1, n.Tokens(), n.Dim)
	return x
}

// ResizePositions interpolates the rows of a position embedding, one a patch in
// reading order, from a grid of from × from patches to one of to × to, for images
// of another size (Dosovitskiy et al. 2021, section 3.2): linearly, as resize does
// with pixels. [from², dim] -> [to², dim].
func ResizePositions(table []float32, from, to, dim int) []float32 {
	out := make([]float32, to*to*dim)
	line := bilinear(from, to)
	for row := range to {
		for column := range to {
			sum := out[(row*to+column)*dim:][:dim]
			for y, high := range line[row] {
				for x, wide := range line[column] {
					if weight := high * wide; weight != 0 {
						for c, value := range table[(y*from+x)*dim:][:dim] {
							sum[c] += weight * value
						}
					}
				}
			}
		}
	}
	return out
}

// patches cuts [B, S, S, 3] into T squares of p x p pixels in reading order, each laid out row by
// row, pixel by pixel, channel by channel: [B, T, p*p*3].
func patches(x *graph.Node, p int) *graph.Node {
	dims := x.Shape().Dimensions
	batch, grid, channels := dims[0], dims[1]/p, dims[3]
	x = graph.Reshape(x, batch, grid, p, grid, p, channels)
	x = graph.TransposeAllAxes(x, 0, 1, 3, 2, 4, 5) // [B, grid, grid, p, p, 3]
	x = graph.Reshape(x, batch, grid*grid, p*p*channels)
	return x
}

// project resizes images [B, H, W, 3] and gives each patch to linear, with a kernel [p*p*3, C] and a bias [C]: [B, T, C].
// Enlarging by a whole factor is linear too and the same for each patch, so the kernel takes it over where it then has
// fewer pixels to see: the large image is never made.
func (n *network) project(x, kernel, bias *graph.Node, linear func(x, kernel, bias *graph.Node) *graph.Node) *graph.Node {
	height, width, p := x.Shape().Dim(1), x.Shape().Dim(2), n.PatchSize
	factor := n.ImageSize / height
	inside := p / max(factor, 1)
	side := inside + 2
	if height != width || factor < 2 || factor*height != n.ImageSize || inside*factor != p || side >= p {
		return linear(patches(resize(x, n.ImageSize), p), kernel, bias)
	}
	// The middle of a patch with a pixel around it, enlarged, is the patch.
	line := graph.Const(x.Graph(), bilinear(side, side*factor)[factor:factor+p]) // [p, side]
	kernel = graph.Reshape(kernel, p, p, n.Channels, n.Dim)
	kernel = graph.Einsum("yjcd,yu->ujcd", kernel, line)
	kernel = graph.Einsum("uxcd,xv->uvcd", kernel, line) // [side, side, 3, C]
	return linear(windows(x, inside), graph.Reshape(kernel, side*side*n.Channels, n.Dim), bias)
}

// windows is patches of p x p pixels with one more pixel on each side, where there is none the outermost again:
// [B, S, S, 3] -> [B, T, (p+2)*(p+2)*3].
func windows(x *graph.Node, p int) *graph.Node {
	dims := x.Shape().Dimensions
	batch, grid, channels := dims[0], dims[1]/p, dims[3]
	x = bordered(graph.Reshape(x, batch, grid, p, grid*p*channels))     // [B, grid, p+2, grid*p*3]
	x = bordered(graph.Reshape(x, batch*grid*(p+2), grid, p, channels)) // [B*grid*(p+2), grid, p+2, 3]
	return patches(graph.Reshape(x, batch, grid*(p+2), grid*(p+2), channels), p+2)
}

// bordered puts before each piece's lines the last of the piece before, and behind them the first of the next, at the
// ends the piece's own: [N, pieces, lines, R] -> [N, pieces, lines+2, R].
func bordered(x *graph.Node) *graph.Node {
	pieces, lines := x.Shape().Dim(1), x.Shape().Dim(2)
	part := func(x *graph.Node, fromPiece, toPiece, fromLine, toLine int) *graph.Node {
		return graph.Slice(x, graph.AxisRange(), graph.AxisRange(fromPiece, toPiece), graph.AxisRange(fromLine, toLine))
	}
	first, last := part(x, 0, pieces, 0, 1), part(x, 0, pieces, lines-1, lines)
	before := graph.Concatenate([]*graph.Node{part(x, 0, 1, 0, 1), last}, 1)
	behind := graph.Concatenate([]*graph.Node{first, part(x, pieces-1, pieces, lines-1, lines)}, 1)
	return graph.Concatenate([]*graph.Node{part(before, 0, pieces, 0, 1), x, part(behind, 1, pieces+1, 0, 1)}, 2)
}

// convStem is GELU-BatchNorm (or ReLU-BatchNorm) of a convolution whose stride is its kernel size. Such a convolution
// sees each patch once, so it is a product of patches [B, T, p*p*3] with the kernel laid flat: [B, H, W, 3] -> [B, T, C].
func (n *network) convStem(x *graph.Node) *graph.Node {
	p := n.PatchSize
	kernel := n.weight("embedding/kernel", glorot, p, p, n.Channels, n.Dim).NodeValue(x)
	bias := n.weight("embedding/bias", zeros, n.Dim).NodeValue(x)
	kernel = graph.Reshape(kernel, p*p*n.Channels, n.Dim)
	return n.project(x, kernel, bias, func(x, kernel, bias *graph.Node) *graph.Node {
		if y := n.wholeStem("embedding/norm", x, kernel, bias); y != nil {
			return y
		}
		return n.batchNorm("embedding/norm", n.linearConv(x, kernel, bias))
	})
}
