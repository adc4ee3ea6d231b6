package weights

import (
	"fmt"
	"strings"

	"patchlab/models"
)

// link joins a variable of package models with the tensor of timm that holds
// its values.
type link struct {
	ours        models.VariableInfo
	theirs      string
	view        []int // dimensions of their tensor, or of the part that is meant
	perm        []int // the order of view's axes that lays the values out as ours
	part, parts int   // along their first axis
}

// theirDims are the dimensions of their whole tensor.
func (l link) theirDims() []int {
	dims := append([]int(nil), l.view...)
	dims[0] *= l.parts
	return dims
}

// timmLinks lists the links of a network's variables, but for its pixels'
// statistics, which timm keeps elsewhere. Queries, keys and values come in this
// order. An architecture that timm has not is an error.
func timmLinks(config models.Config) ([]link, error) {
	if err := isTimm(config); err != nil {
		return nil, fmt.Errorf("timm has no network like %s: %w", config.ID, err)
	}
	variables, err := config.Variables()
	if err != nil {
		return nil, err
	}
	var links []link
	for _, v := range variables {
		if strings.HasPrefix(v.Path, "normalization/") {
			continue
		}
		l, err := timmLink(config, v)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

// isTimm says in what a network departs from all of timm's VisionTransformer,
// MlpMixer and ConvMixer.
func isTimm(config models.Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	_, conv := config.Blocks[0].(models.ConvMixer)
	switch pool := config.Head.Pool; {
	case !config.Normalize:
		return fmt.Errorf("its pixels are not normalised")
	case len(config.Head.Hidden) > 0:
		return fmt.Errorf("its head has hidden layers")
	case pool == models.FlattenPool:
		return fmt.Errorf("its head flattens the tokens")
	case conv != (config.Stem == models.ConvStem):
		return fmt.Errorf("its stem and its blocks are of two kinds")
	case config.Head.Norm == conv:
		return fmt.Errorf("a ViT and a Mixer have a norm before the head there, a ConvMixer has none")
	}
	for i, block := range config.Blocks {
		var err error
		if block.Kind() != config.Blocks[0].Kind() {
			return fmt.Errorf("its block %d is another than the first", i)
		}
		switch b := block.(type) {
		case models.ViT:
			if !b.Linear || b.Heads*b.KeyDim != config.Dim || !config.Position {
				err = fmt.Errorf("a ViT there is linear after its MLP, its heads are together as wide as the table, and it has a position embedding")
			}
		case models.Mixer:
			if !b.SeparateNorms || config.Position {
				err = fmt.Errorf("a Mixer there has two norms and no position embedding")
			}
		case models.ConvMixer:
			if config.Position {
				err = fmt.Errorf("a ConvMixer there has no position embedding")
			}
		default:
			err = fmt.Errorf("there is no block %s", block.Kind())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The order of axes that makes a layout of timm one of ours.
var (
	plain     = []int{0}
	table     = []int{0, 1, 2}
	outIn     = []int{1, 0}       // Linear: [out, in] -> [in, out]
	outInSide = []int{2, 3, 1, 0} // Conv2d: [out, in, k, k] -> [k, k, in, out]
	outInOne  = []int{1, 0, 2, 3} // Conv2d of one pixel: [out, in, 1, 1] -> [in, out, 1, 1]
)

// timmLink finds a variable's tensor.
func timmLink(config models.Config, v models.VariableInfo) (link, error) {
	dim, patch := config.Dim, config.PatchSize
	l := link{ours: v, view: v.Dims, perm: plain, parts: 1}
	block, name, inBlock := strings.Cut(v.Path, "/")
	number, isBlock := strings.CutPrefix(block, "block_")
	if !inBlock || !isBlock {
		_, conv := config.Blocks[0].(models.ConvMixer)
		stem := "stem.proj"
		switch config.Blocks[0].(type) {
		case models.ViT:
			stem = "patch_embed.proj"
		case models.ConvMixer:
			stem = "stem.0"
		}
		switch v.Path {
		case "embedding/kernel":
			l.theirs, l.view, l.perm = stem+".weight", []int{dim, config.Channels, patch, patch}, outInSide
		case "embedding/bias":
			l.theirs = stem + ".bias"
		case "class_token":
			l.theirs, l.view, l.perm = "cls_token", []int{1, 1, dim}, table
		case "position/embedding":
			l.theirs, l.view, l.perm = "pos_embed", []int{1, config.Tokens(), dim}, table
		case "head/norm/gamma", "head/norm/beta":
			l.theirs = "norm." + normParts[strings.TrimPrefix(v.Path, "head/norm/")]
		case "classifier/kernel":
			l.theirs, l.view, l.perm = "head.weight", []int{config.Classes, dim}, outIn
		case "classifier/bias":
			l.theirs = "head.bias"
		}
		if part, ok := strings.CutPrefix(v.Path, "embedding/norm/"); ok && conv {
			l.theirs = "stem.2." + normParts[part]
		}
	} else {
		var i int
		if _, err := fmt.Sscan(number, &i); err != nil || i >= len(config.Blocks) {
			return l, fmt.Errorf("variable %s is of no block", v.Path)
		}
		l.inBlock("blocks."+number+".", name, dim)
	}
	if l.theirs == "" {
		return l, fmt.Errorf("timm has no tensor for %s", v.Path)
	}
	return l, nil
}

// normParts are timm's names for the variables of a norm.
var normParts = map[string]string{
	"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}

// layerNames are timm's names for the layers within a block.
var layerNames = map[string]string{
	"norm_0": "norm1", "norm_1": "norm2", "token_norm": "norm1", "channel_norm": "norm2",
	"mlp/dense_0": "mlp.fc1", "mlp/dense_1": "mlp.fc2",
	"token_mlp/dense_0": "mlp_tokens.fc1", "token_mlp/dense_1": "mlp_tokens.fc2",
	"channel_mlp/dense_0": "mlp_channels.fc1", "channel_mlp/dense_1": "mlp_channels.fc2",
	"attention/query": "attn.qkv", "attention/key": "attn.qkv", "attention/value": "attn.qkv",
	"attention/output": "attn.proj",
	"depthwise":        "0.fn.0", "depthwise/norm": "0.fn.2", "pointwise": "1", "pointwise/norm": "3",
}

// inBlock finds the tensor of a variable of a block by the name below it.
func (l *link) inBlock(prefix, name string, dim int) {
	cut := strings.LastIndexByte(name, '/')
	layer, part := name[:max(cut, 0)], name[cut+1:]
	theirs, ok := layerNames[layer]
	if !ok {
		return
	}
	l.theirs = prefix + theirs + "."
	if norm, ok := normParts[part]; ok {
		l.theirs += norm
		return
	}
	which := map[string]int{"attention/query": 0, "attention/key": 1, "attention/value": 2}
	if i, ok := which[layer]; ok {
		l.part, l.parts = i, 3
	}
	if part == "bias" {
		l.theirs += "bias"
		l.view = []int{l.ours.Dims[0]}
		if l.parts == 3 { // [heads, k]
			l.view = []int{l.ours.Dims[0] * l.ours.Dims[1]}
		}
		return
	}
	l.theirs += "weight"
	d := l.ours.Dims
	switch {
	case layer == "depthwise": // [k, k, 1, C]
		l.view, l.perm = []int{dim, 1, d[0], d[1]}, outInSide
	case layer == "pointwise":
		l.view, l.perm = []int{dim, dim, 1, 1}, outInOne
	case l.parts == 3: // [C, heads, k]
		l.view, l.perm = []int{d[1] * d[2], d[0]}, outIn
	case layer == "attention/output": // [heads, k, C]
		l.view, l.perm = []int{d[2], d[0] * d[1]}, outIn
	default: // [in, out]
		l.view, l.perm = []int{d[1], d[0]}, outIn
	}
}
