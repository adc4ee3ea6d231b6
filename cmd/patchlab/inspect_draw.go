package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/viz"
)

// drawn is one finished picture: a still or a movie.
type drawn struct {
	file  string // without its ending
	run   string // "" where it shows several
	still *viz.Picture
	movie *viz.Movie
}

// alt is the picture in words.
func (d drawn) alt() string {
	if d.movie != nil {
		return d.movie.Alt()
	}
	return d.still.Alt()
}

// keep adds a picture; with several runs its file lies in a folder of its run.
func (in *inspection) keep(r *inspected, file string, p *viz.Picture, err error) error {
	if err != nil {
		return err
	}
	if len(in.runs) > 1 {
		file = folderName(r.info) + "/" + file
	}
	in.drawn = append(in.drawn, drawn{file: file, run: r.info.Name, still: p})
	return nil
}

// draw draws what was chosen: of each image, the runs side by side; then each
// run's own.
func (in *inspection) draw() error {
	if slices.ContainsFunc(in.runs[0].drawings, func(d drawing) bool { return d.name == "views" }) {
		for _, m := range in.shown {
			if err := in.drawViews(m); err != nil {
				return err
			}
		}
	}
	var left []string
	var missing error
	for _, r := range in.runs {
		for _, d := range r.drawings {
			err := in.drawOne(r, d)
			if errors.Is(err, datasets.ErrUnavailable) && !in.asked {
				left, missing = append(left, d.name), err
				continue
			}
			if err != nil {
				return fmt.Errorf("draw %s of %s: %w", d.name, r.info.Name, err)
			}
		}
	}
	if missing != nil {
		fmt.Fprintf(in.cmd.ErrOrStderr(), "Left out %s: %v\n", strings.Join(left, ", "), missing)
	}
	return nil
}

// drawOne draws one kind of picture of a run.
func (in *inspection) drawOne(r *inspected, d drawing) error {
	if err := in.cmd.Context().Err(); err != nil {
		return err
	}
	if d.once != nil {
		return d.once(in, r)
	}
	if d.each == nil {
		return nil // drawn of all runs together
	}
	for _, m := range in.shown {
		if err := d.each(in, r, m); err != nil {
			return err
		}
	}
	return nil
}

// blockName is a block's in titles; blocks count from 1 there.
func blockName(i int) string { return fmt.Sprintf("Block %d", i+1) }

func (r *inspected) title(words string) string { return r.info.Name + ": " + words }

// attention returns the scores of every ViT block for an image, checked.
func (in *inspection) attention(r *inspected, m viz.Image) ([]viz.Attention, error) {
	inside, err := r.network.Inspect(in.cmd.Context(), m.Pixels, m.Height, m.Width)
	if err != nil {
		return nil, err
	}
	return attentionOf(r.recipe.Model, inside, 0)
}

func attentionOf(config models.Config, inside experiments.Inside, image int) ([]viz.Attention, error) {
	var out []viz.Attention
	for _, l := range inside.Attention {
		scores := l.Image(image)
		if config.Head.Pool == models.ClassPool {
			scores = amongPatches(scores, config.Tokens())
		}
		a, err := viz.NewAttention(blockName(l.Block), l.Dims[1], scores)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// amongPatches leaves the class token, the first, out of scores [heads, T, T]:
// what is left of each row is scaled to the sum 1 again.
func amongPatches(scores []float32, tokens int) []float32 {
	var out []float32
	for row := range slices.Chunk(scores, tokens) {
		at := len(out)
		out = append(out, row[1:]...)
		sum := float32(0)
		for _, v := range out[at:] {
			sum += v
		}
		for i := range out[at:] {
			out[at+i] /= sum
		}
	}
	heads, rest := len(scores)/(tokens*tokens), tokens-1
	for h := range heads { // and the row of its own
		copy(out[h*rest*rest:], out[(h*tokens+1)*rest:(h+1)*tokens*rest])
	}
	return out[:heads*rest*rest]
}

func drawPatches(in *inspection, r *inspected, m shownImage) error {
	p, err := viz.Patches(r.title("patches of "+m.words), m.Image, r.recipe.Model.Grid())
	return in.keep(r, "patches-"+m.tag, p, err)
}

// eachLayer draws something of every layer of attention.
func (in *inspection) eachLayer(r *inspected, m shownImage, draw func(a viz.Attention, tag string) error) error {
	layers, err := in.attention(r, m.Image)
	if err != nil {
		return err
	}
	for i, a := range layers {
		if err := draw(a, fmt.Sprintf("block%d", blocksOf[models.ViT](r)[i]+1)); err != nil {
			return err
		}
	}
	return nil
}

func drawAttention(in *inspection, r *inspected, m shownImage) error {
	return in.eachLayer(r, m, func(a viz.Attention, tag string) error {
		p, err := viz.AttentionMatrices(r.title("attention in "+m.words), a)
		return in.keep(r, "attention-"+tag+"-"+m.tag, p, err)
	})
}

func drawQueries(in *inspection, r *inspected, m shownImage) error {
	return in.eachLayer(r, m, func(a viz.Attention, tag string) error {
		for h := range a.Heads() {
			p, err := viz.AttentionByQuery(r.title("where patches look in "+m.words), a, h)
			if err := in.keep(r, fmt.Sprintf("queries-%s-head%d-%s", tag, h+1, m.tag), p, err); err != nil {
				return err
			}
		}
		return nil
	})
}

func drawAnimation(in *inspection, r *inspected, m shownImage) error {
	return in.eachLayer(r, m, func(a viz.Attention, tag string) error {
		movie, err := viz.AttentionMovie(r.title("where each patch looks"), m.Image, a, 150*time.Millisecond)
		if err != nil {
			return err
		}
		if err := in.keep(r, "animation-"+tag+"-"+m.tag, movie.Frame(0), nil); err != nil {
			return err
		}
		in.drawn[len(in.drawn)-1].movie = movie
		return nil
	})
}

func drawRollout(in *inspection, r *inspected, m shownImage) error {
	layers, err := in.attention(r, m.Image)
	if err != nil {
		return err
	}
	p, err := viz.AttentionRollout(r.title("attention rollout for "+m.words), m.Image, layers)
	return in.keep(r, "rollout-"+m.tag, p, err)
}

// averaged is over how many test images distances and entropies are averaged,
// as in Dosovitskiy et al. 2021, appendix D.7.
const averaged = 128

// headValues averages a quantity of heads over test images.
func (in *inspection) headValues(r *inspected, of func(viz.Attention) []float64) ([]viz.HeadValues, int, error) {
	d, err := in.dataset()
	if err != nil {
		return nil, 0, err
	}
	batch := min(16, d.Test.Len())
	n := min(averaged, d.Test.Len()) / batch * batch
	var sums []viz.HeadValues
	for start := 0; start < n; start += batch {
		part := d.Test.Slice(start, start+batch)
		inside, err := r.network.Inspect(in.cmd.Context(), part.Images, d.Height, d.Width)
		if err != nil {
			return nil, 0, err
		}
		for i := range batch {
			layers, err := attentionOf(r.recipe.Model, inside, i)
			if err != nil {
				return nil, 0, err
			}
			for l, a := range layers {
				if len(sums) == l {
					sums = append(sums, viz.HeadValues{Layer: a.Layer(), Values: make([]float64, a.Heads())})
				}
				for h, v := range of(a) {
					sums[l].Values[h] += v / float64(n)
				}
			}
		}
	}
	return sums, n, nil
}

func drawDistance(in *inspection, r *inspected) error {
	values, n, err := in.headValues(r, viz.Attention.Distances)
	if err != nil {
		return err
	}
	c := r.recipe.Model
	p, err := viz.AttentionDistance(r.title("attention distance"), values, n, c.Grid(), c.PatchSize)
	return in.keep(r, "distance", p, err)
}

func drawEntropy(in *inspection, r *inspected) error {
	values, n, err := in.headValues(r, viz.Attention.Entropies)
	if err != nil {
		return err
	}
	p, err := viz.AttentionEntropy(r.title("attention entropy"), values, n, r.recipe.Model.Grid()*r.recipe.Model.Grid())
	return in.keep(r, "entropy", p, err)
}

func drawPosition(in *inspection, r *inspected) error {
	table, dims, err := r.network.Weight("position/embedding")
	if err != nil {
		return err
	}
	if r.recipe.Model.Head.Pool == models.ClassPool { // whose row is of no place
		table, dims[0] = table[dims[1]:], dims[0]-1
	}
	p, err := viz.PositionSimilarity(r.title("position embeddings"), table, dims[0], dims[1])
	return in.keep(r, "position", p, err)
}

// eachMixer draws something of the hidden units of every Mixer block.
func (in *inspection) eachMixer(r *inspected, file string, draw func(viz.Units) (*viz.Picture, error)) error {
	for _, block := range blocksOf[models.Mixer](r) {
		kernel, dims, err := r.network.Weight(fmt.Sprintf("block_%d/token_mlp/dense_0/kernel", block))
		if err != nil {
			return err
		}
		units, err := viz.NewUnits(blockName(block), kernel, dims[1])
		if err != nil {
			return err
		}
		p, err := draw(units)
		if err := in.keep(r, fmt.Sprintf("%s-block%d", file, block+1), p, err); err != nil {
			return err
		}
	}
	return nil
}

func drawUnits(in *inspection, r *inspected) error {
	return in.eachMixer(r, "units", func(u viz.Units) (*viz.Picture, error) {
		return viz.HiddenUnits(r.title("token-mixing units"), u)
	})
}

func drawFrequency(in *inspection, r *inspected) error {
	return in.eachMixer(r, "frequency", func(u viz.Units) (*viz.Picture, error) {
		return viz.UnitsByFrequency(r.title("token-mixing units by frequency"), u)
	})
}

func drawActivations(in *inspection, r *inspected, m shownImage) error {
	inside, err := r.network.Inspect(in.cmd.Context(), m.Pixels, m.Height, m.Width)
	if err != nil {
		return err
	}
	for _, l := range inside.TokenHidden {
		p, err := viz.Activations(r.title("active units in "+m.words), blockName(l.Block), l.Image(0), l.Dims[1], l.Dims[2])
		if err := in.keep(r, fmt.Sprintf("activations-block%d-%s", l.Block+1, m.tag), p, err); err != nil {
			return err
		}
	}
	return nil
}

func drawKernels(in *inspection, r *inspected) error {
	for _, block := range blocksOf[models.ConvMixer](r) {
		kernel, dims, err := r.network.Weight(fmt.Sprintf("block_%d/depthwise/kernel", block))
		if err != nil {
			return err
		}
		p, err := viz.DepthwiseKernels(r.title("depthwise kernels"), blockName(block), kernel, dims[0], dims[3])
		if err := in.keep(r, fmt.Sprintf("kernels-block%d", block+1), p, err); err != nil {
			return err
		}
	}
	return nil
}

func drawFilters(in *inspection, r *inspected) error {
	kernel, _, err := r.network.Weight("embedding/kernel")
	if err != nil {
		return err
	}
	c := r.recipe.Model
	p, err := viz.PatchFilters(r.title("patch embedding"), kernel, c.PatchSize, c.Channels, c.Dim)
	return in.keep(r, "filters", p, err)
}
