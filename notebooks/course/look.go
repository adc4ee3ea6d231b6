package course

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"patchlab/experiments"
	"patchlab/kernel/cell/show"
	"patchlab/viz"
)

// Picture shows what a function of viz draws.
//
//	course.Picture(viz.Patches("patches", lesson.Image(7), 8))
func Picture(p *viz.Picture, err error) {
	check(err)
	var png bytes.Buffer
	check(p.WritePNG(&png, 1.5))
	show.Value(show.Bundle{show.PNGType: png.Bytes(), show.Text: p.Alt()})
}

// Movie shows what a function of viz animates, a little smaller than it is, since notebooks keep it whole.
func Movie(m *viz.Movie, err error) {
	check(err)
	var gif bytes.Buffer
	check(m.WriteGIF(&gif, .9))
	show.Value(show.Bundle{show.GIFType: gif.Bytes(), show.Text: m.Alt()})
}

// Image is a test image of the lesson.
func (l Lesson) Image(i int) viz.Image {
	d := l.Dataset()
	return viz.Image{Height: d.Height, Width: d.Width, Channels: d.Channels, Pixels: d.Test.Image(i)}
}

// TrainImages is the first images of the lesson's training split, with the names
// of their classes.
func (l Lesson) TrainImages(count int) (images []viz.Image, classes []string) {
	d := l.Dataset()
	for i := range min(count, d.Train.Len()) {
		images = append(images, viz.Image{Height: d.Height, Width: d.Width, Channels: d.Channels, Pixels: d.Train.Image(i)})
		classes = append(classes, d.Classes[d.Train.Labels[i]])
	}
	return images, classes
}

// Shuffled is the image with its patches, so many a side, in another order.
func Shuffled(m viz.Image, grid int) viz.Image {
	out := m
	out.Pixels = make([]uint8, len(m.Pixels))
	height, width := m.Height/grid, m.Width/grid // of a patch
	for to, from := range rand.New(rand.NewPCG(1, 1)).Perm(grid * grid) {
		for y := range height {
			row := func(patch int) int {
				return ((patch/grid*height+y)*m.Width + patch%grid*width) * m.Channels
			}
			copy(out.Pixels[row(to):row(to)+width*m.Channels], m.Pixels[row(from):])
		}
	}
	return out
}

// Logits is the network's answer to an image before softmax, one number a class.
func (n *Network) Logits(m viz.Image) []float32 {
	return must(n.Network.Logits(context.Background(), m.Pixels, m.Height, m.Width, 1))
}

// Inspect is what the network holds for an image: logits, attention scores,
// hidden units.
func (n *Network) Inspect(m viz.Image) experiments.Inside {
	return must(n.Network.Inspect(context.Background(), m.Pixels, m.Height, m.Width))
}

// Attention is the scores of every ViT block for an image, checked: each row
// sums to 1.
func (n *Network) Attention(m viz.Image) []viz.Attention {
	var out []viz.Attention
	for _, l := range n.Inspect(m).Attention {
		out = append(out, must(viz.NewAttention(fmt.Sprintf("block %d", l.Block+1), l.Dims[1], l.Image(0))))
	}
	return out
}

// weight is a variable of the network, such as "block_0/token_mlp/dense_0/kernel".
func (n *Network) weight(path string) ([]float32, []int) {
	values, dims, err := n.Weight(path)
	check(err)
	return values, dims
}

// Units is what the hidden units of a Mixer block's token-mixing MLP look for;
// blocks count from 0.
func (n *Network) Units(block int) viz.Units {
	kernel, dims := n.weight(fmt.Sprintf("block_%d/token_mlp/dense_0/kernel", block)) // [T, hidden]
	return must(viz.NewUnits(fmt.Sprintf("block %d", block+1), kernel, dims[1]))
}

// Kernels draws the depthwise kernels of a ConvMixer block; blocks count from 0.
func (n *Network) Kernels(block int) (*viz.Picture, error) {
	kernel, dims := n.weight(fmt.Sprintf("block_%d/depthwise/kernel", block)) // [k, k, 1, C]
	return viz.DepthwiseKernels(n.Run.Tags[whatTag]+": what each channel takes from its neighbours", fmt.Sprintf("block %d", block+1), kernel, dims[0], dims[3])
}

// Reach is how far apart, in patches, the weights of a hidden unit of that Mixer
// block lie: the mean distance of two places drawn by the square of their
// weights, averaged over the units. A map on one patch has 0, an even one what
// [Even] says of the grid.
func (n *Network) Reach(block int) (reach float64) {
	kernel, dims := n.weight(fmt.Sprintf("block_%d/token_mlp/dense_0/kernel", block)) // [T, hidden]
	tokens, hidden := dims[0], dims[1]
	grid := int(math.Sqrt(float64(tokens)))
	for unit := range hidden {
		var sum, total float64
		for i := range tokens {
			for j := range tokens {
				a, b := float64(kernel[i*hidden+unit]), float64(kernel[j*hidden+unit])
				sum, total = sum+a*a*b*b*apart(i, j, grid), total+a*a*b*b
			}
		}
		reach += sum / total / float64(hidden)
	}
	return reach
}
