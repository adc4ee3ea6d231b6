package main

import (
	"fmt"
	"strings"

	"patchlab/models"
)

// drawing is a kind of picture.
type drawing struct {
	name, about, needs string
	fits               func(r *inspected) bool
	// each draws it for a run and an image, once for a run alone; neither where
	// it shows all runs together.
	each func(in *inspection, r *inspected, m shownImage) error
	once func(in *inspection, r *inspected) error
}

// drawings lists every kind of picture in the order in which they are drawn.
func drawings() []drawing {
	attends := func(r *inspected) bool { return has[models.ViT](r) }
	mixes := func(r *inspected) bool { return has[models.Mixer](r) }
	any := func(*inspected) bool { return true }
	tested := func(r *inspected) bool { return r.recipe.Data.Name != "" } // an imported network is not
	return []drawing{
		{name: "patches", about: "the image cut into the network's patches", fits: any, each: drawPatches},
		{name: "views", about: "which parts matter to the answer, side by side", fits: any}, // drawn by inspection.draw
		{name: "attention", about: "the matrix of each head", needs: "a ViT block", fits: attends, each: drawAttention},
		{name: "queries", about: "where each patch looks, a map a patch", needs: "a ViT block", fits: attends, each: drawQueries},
		{name: "animation", about: "the query patch boxed beside its maps, moving", needs: "a ViT block", fits: attends, each: drawAnimation},
		{name: "rollout", about: "attention followed through all layers", needs: "a ViT block", fits: attends, each: drawRollout},
		{name: "distance", about: "how far each head looks", needs: "a ViT block and test images", once: drawDistance,
			fits: func(r *inspected) bool { return attends(r) && tested(r) }},
		{name: "entropy", about: "how widely each head looks", needs: "a ViT block and test images", once: drawEntropy,
			fits: func(r *inspected) bool { return attends(r) && tested(r) }},
		{name: "position", about: "how like the position embeddings are", needs: "a position embedding",
			fits: func(r *inspected) bool { return r.recipe.Model.Position }, once: drawPosition},
		{name: "units", about: "hidden units of each token-mixing layer", needs: "a Mixer block", fits: mixes, once: drawUnits},
		{name: "frequency", about: "these units in pairs, ordered by frequency", needs: "a Mixer block", fits: mixes, once: drawFrequency},
		{name: "activations", about: "how active these units are in the image", needs: "a Mixer block", fits: mixes, each: drawActivations},
		{name: "kernels", about: "the learned depthwise kernels", needs: "a ConvMixer block",
			fits: func(r *inspected) bool { return has[models.ConvMixer](r) }, once: drawKernels},
		{name: "filters", about: "the filters of the patch embedding", fits: any, once: drawFilters},
		{name: "curves", about: "loss and accuracy by epoch", needs: "a recorded history",
			fits: func(r *inspected) bool { return len(r.histories["train_loss"]) > 0 }, once: drawCurves},
		{name: "confusion", about: "which classes are taken for which", needs: "recorded predictions",
			fits: func(r *inspected) bool { return len(r.answers) > 0 }, once: drawConfusion},
		{name: "mistakes", about: "the test images that it gets most wrong", needs: "recorded predictions",
			fits: func(r *inspected) bool { return len(r.answers) > 0 }, once: drawMistakes},
		{name: "images", about: "test images with their classes", needs: "test images", fits: tested, once: drawImages},
	}
}

// drawingsHelp lists the pictures for the command's help.
func drawingsHelp() string {
	var b strings.Builder
	for _, d := range drawings() {
		fmt.Fprintf(&b, "  %-11s %s", d.name, d.about)
		if d.needs != "" {
			fmt.Fprintf(&b, " (%s)", d.needs)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// has says whether a run's stack holds a kind of block.
func has[B models.Block](r *inspected) bool { return len(blocksOf[B](r)) > 0 }

// blocksOf are the places of a kind of block in a run's stack, from 0.
func blocksOf[B models.Block](r *inspected) []int {
	var out []int
	for i, b := range r.recipe.Model.Blocks {
		if _, ok := b.(B); ok {
			out = append(out, i)
		}
	}
	return out
}

// choose gives each run the pictures that fit it. One that the user asked for
// by name and that does not fit is an error that says what does.
func (in *inspection) choose(list []drawing) error {
	for _, r := range in.runs {
		for _, d := range list {
			if d.fits(r) {
				r.drawings = append(r.drawings, d)
				continue
			}
			if in.asked {
				var possible []string
				for _, other := range drawings() {
					if other.fits(r) {
						possible = append(possible, other.name)
					}
				}
				return fmt.Errorf("%s cannot be drawn for run %s, a network of %s, because it needs %s; possible: %s",
					d.name, r.info.Name, r.recipe.Model.Blocks, d.needs, strings.Join(possible, ", "))
			}
		}
	}
	return nil
}
