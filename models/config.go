package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Stem names the way in which an image becomes a table of patches.
type Stem string

const (
	// DenseStem cuts the image into patches and projects each by one Dense layer
	// (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", section 3.1). The default.
	DenseStem Stem = "dense"
	// ConvStem is ConvMixer's: convolution with stride = kernel = patch size, GELU, BatchNorm
	// (Trockman & Kolter 2022, "Patches Are All You Need?", section 2).
	ConvStem Stem = "conv"
)

// Pool names the way in which the table of tokens becomes one vector.
type Pool string

const (
	// AveragePool averages over the tokens. The default.
	AveragePool Pool = "average"
	// FlattenPool lays all tokens end to end.
	FlattenPool Pool = "flatten"
	// ClassPool takes the class token: one more token, learned and the same for every image, which
	// goes before the patches and through the blocks with them (Dosovitskiy et al. 2021, section 3.1,
	// equation 4). Only ViT blocks can have it in their table.
	ClassPool Pool = "class"
)

// Head describes what follows the blocks: LayerNorm (or not), pooling, Dropout, then for each
// hidden width Dense-GELU-Dropout, then the Dense layer that gives the logits.
type Head struct {
	Norm    bool    `json:"norm,omitempty"`    // LayerNorm before pooling
	Pool    Pool    `json:"pool,omitempty"`    // "" is AveragePool
	Dropout float64 `json:"dropout,omitempty"` // rate, 0 to below 1
	Hidden  []int   `json:"hidden,omitempty"`  // widths of hidden Dense layers
}

// Config describes one network wholly. Two configs with the same JSON are the same network.
type Config struct {
	ID        string `json:"id,omitempty"` // a named configuration, or the text of a stack, or ""
	ImageSize int    `json:"image_size"`   // pixels a side after resizing
	PatchSize int    `json:"patch_size"`   // pixels a side; divides ImageSize
	Dim       int    `json:"dim"`          // channels C of the token table
	Channels  int    `json:"channels"`     // of the image: 3, or 1 for grey
	Classes   int    `json:"classes"`

	// Normalize subtracts the training images' mean of each channel and divides by their standard
	// deviation (SetNormalization gives them). Without it a pixel x becomes x/255.
	Normalize bool `json:"normalize,omitempty"`

	Stem     Stem  `json:"stem,omitempty"`     // "" is DenseStem
	Position bool  `json:"position,omitempty"` // learned position embedding, added to the tokens
	Blocks   Stack `json:"blocks"`
	Head     Head  `json:"head,omitzero"`

	// Dropout is the rate (0 to below 1) within Mixer blocks. ViT blocks and the head have their own.
	Dropout float64 `json:"dropout,omitempty"`
	// StochasticDepth is the probability (0 to below 1) with which an image passes the last block's
	// branches by in training; earlier blocks have less, the first none.
	StochasticDepth float64 `json:"stochastic_depth,omitempty"`

	// ReLU takes max(x, 0) for GELU in the conv stem and ConvMixer blocks (Trockman & Kolter 2022, table 1).
	ReLU bool `json:"relu,omitempty"`
	// BatchNormEpsilon is added to BatchNorm's variances; 0: .001, Keras's. PyTorch's is 1e-5.
	BatchNormEpsilon float64 `json:"batch_norm_epsilon,omitempty"`
}

// maxSize bounds every size, so that no product of a network's sizes overflows and a slip of the keyboard gets an
// answer.
const maxSize = 1 << 14

// Pass says how one call of Logits runs the network.
type Pass struct {
	// Training turns dropout on, normalises by the statistics of the batch where there is a
	// BatchNorm, and updates its moving statistics.
	Training bool
	// Frozen, with Training, trains the classifier and the head's hidden layers alone: all before them
	// runs as outside training, and its variables get no gradient.
	Frozen bool
	// Seed is a scalar uint32 or uint64, new at each training step. Every dropout mask is a pure
	// function of (Seed, site, element), the same on every backend. nil: no dropout.
	Seed *graph.Node
	// BFloat16 rounds the operands of dense layers and of attention's two products to bfloat16, and
	// their results; weights, sums and all between stay float32 (Micikevicius et al. 2018, "Mixed
	// Precision Training", section 3; bfloat16 has float32's range and needs no loss scaling).
	// Convolutions by depth stay float32: they are no matrix products.
	BFloat16 bool
	// Kernels, if not nil, returns what the kernel of a name makes of inputs, results of these shapes without a gradient
	// (patchlab/backend's Kernels gives it, and its handlers_linux.h tells their names). nil: GoMLX's operations do all.
	// Outside training whole layers are kernels without a gradient, and in training a convolutional stem's has none by the
	// images: whoever derives there leaves Kernels nil.
	Kernels func(name string, inputs []*graph.Node, results ...shapes.Shape) []*graph.Node
	// Taps, if not nil, collects intermediates while the graph is built.
	Taps *Taps
}

// BatchNorm reports whether the network has BatchNorms, those of the conv stem and of ConvMixer.
func (c Config) BatchNorm() bool {
	return c.Stem == ConvStem || slices.ContainsFunc(c.Blocks, func(b Block) bool { return b.Kind() == (ConvMixer{}).Kind() })
}

// Grid returns the number of patches along one side of the image.
func (c Config) Grid() int { return c.ImageSize / c.PatchSize }

// Tokens returns the number of tokens T: one a patch, and the class token where there is one.
func (c Config) Tokens() int {
	if c.Head.Pool == ClassPool {
		return c.Grid()*c.Grid() + 1
	}
	return c.Grid() * c.Grid()
}

// Validate returns nil if the network can be built, else every fault found, one sentence each.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	positive := func(name string, value int) bool {
		if value < 1 || value > maxSize {
			fault("%s is %d, but must be 1 to %d", name, value, maxSize)
			return false
		}
		return true
	}
	image, patch := positive("image size", c.ImageSize), positive("patch size", c.PatchSize)
	if image && patch && c.ImageSize%c.PatchSize != 0 {
		fault("patch size %d does not divide image size %d, allowed are %s", c.PatchSize, c.ImageSize, divisors(c.ImageSize))
	}
	positive("dim", c.Dim)
	positive("number of image channels", c.Channels)
	if c.Classes < 2 {
		fault("number of classes is %d, but must be at least 2", c.Classes)
	}
	if c.Stem != "" && c.Stem != DenseStem && c.Stem != ConvStem {
		fault("stem is %q, allowed are %q and %q", c.Stem, DenseStem, ConvStem)
	}
	if p := c.Head.Pool; p != "" && p != AveragePool && p != FlattenPool && p != ClassPool {
		fault("pool of the head is %q, allowed are %q, %q and %q", p, AveragePool, FlattenPool, ClassPool)
	}
	for i, width := range c.Head.Hidden {
		positive(fmt.Sprintf("hidden width %d of the head", i), width)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) { // also refuses NaN
		fault("dropout is %v, but must be at least 0 and below 1", c.Dropout)
	}
	if !(c.Head.Dropout >= 0 && c.Head.Dropout < 1) {
		fault("dropout of the head is %v, but must be at least 0 and below 1", c.Head.Dropout)
	}
	if !(c.StochasticDepth >= 0 && c.StochasticDepth < 1) {
		fault("stochastic depth is %v, but must be at least 0 and below 1", c.StochasticDepth)
	}
	if !(c.BatchNormEpsilon >= 0 && c.BatchNormEpsilon < 1) {
		fault("BatchNorm's epsilon is %v, but must be above 0 and below 1, or 0 for .001", c.BatchNormEpsilon)
	}
	if len(c.Blocks) == 0 {
		fault("the stack has no blocks, at least one is needed")
	}
	if len(c.Blocks) > maxBlocks {
		fault("the stack has %d blocks, at most %d are allowed", len(c.Blocks), maxBlocks)
	}
	for i, block := range c.Blocks {
		if block == nil {
			fault("block %d is nil, allowed are %s", i, strings.Join(Kinds(), ", "))
		} else if err := block.validate(); err != nil {
			fault("block %d (%s): %w", i, block.Kind(), err)
		} else if c.Head.Pool == ClassPool && block.Kind() != (ViT{}).Kind() {
			fault("block %d is a %s, but a class token goes through ViT blocks only; allowed with others are the pools %q and %q",
				i, block.Kind(), AveragePool, FlattenPool)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("model %q cannot be built: %w", c.ID, errors.Join(faults...))
}

// divisors lists the divisors of n, for an error message.
func divisors(n int) string {
	var list []string
	for d := 1; d <= n; d++ {
		if n%d == 0 {
			list = append(list, fmt.Sprint(d))
		}
	}
	return strings.Join(list, ", ")
}

// Logits builds the network's graph on images [B, H, W, Channels] (uint8, or any number in 0..255;
// H and W are free, the images are resized to ImageSize) and returns logits [B, Classes] float32.
//
// Variables are created under scope on first use, with initial weights that depend on nothing but
// (ParamSeed, path), and shared by every later graph on the same store. As all graph-building
// functions it panics on a fault; Validate tells beforehand.
func (c Config) Logits(scope *model.Scope, images *graph.Node, pass Pass) *graph.Node {
	if err := c.Validate(); err != nil {
		panic(err)
	}
	n := &network{Config: c, scope: scope, pass: pass}
	return n.logits(images)
}

// network is one building of a Config's graph: what its stages share.
type network struct {
	Config
	scope    *model.Scope
	pass     Pass
	sites    int                               // dropout layers met so far
	block    int                               // the block under way
	branches int                               // branches that stochastic depth has met so far
	meet     func(path string, v VariableInfo) // called at each use of a variable, unless nil
	dry      bool                              // declare variables without computing their values
	frozen   bool                              // the part being built is not trained
}

func (n *network) logits(images *graph.Node) *graph.Node {
	images.AssertDims(-1, -1, -1, n.Channels) // uint8 [B, H, W, Channels]
	batch := images.Shape().Dim(0)

	training := n.pass.Training
	n.frozen = training && n.pass.Frozen
	n.pass.Training = training && !n.frozen
	x := n.embed(n.preprocess(images)) // [B, T, C]
	for i, block := range n.Blocks {
		n.block = i
		x = block.build(n, fmt.Sprintf("block_%d", i), x)
		x.AssertDims(batch, n.Tokens(), n.Dim)
	}

	if n.Head.Norm {
		x = n.layerNorm("head/norm", x)
	}
	width := n.Dim
	switch n.Head.Pool {
	case FlattenPool:
		width *= n.Tokens()
		x = graph.Reshape(x, batch, width)
	case ClassPool:
		x = graph.Squeeze(graph.Slice(x, graph.AxisRange(), graph.AxisElem(0)), 1)
	default:
		x = n.average(x)
	}
	x.AssertDims(batch, width) // [B, C], or [B, T*C] where flattened
	n.pass.Training, n.frozen = training, false
	x = n.dropout(x, n.Head.Dropout)
	for i, hidden := range n.Head.Hidden {
		x = n.denseGELU(fmt.Sprintf("head/dense_%d", i), x, hidden)
		x = n.dropout(x, n.Head.Dropout)
	}
	x = n.dense("classifier", x, n.Classes)
	x.AssertDims(batch, n.Classes)
	return x
}
