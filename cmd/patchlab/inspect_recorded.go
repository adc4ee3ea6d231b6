package main

import (
	"cmp"
	"fmt"
	"slices"

	"patchlab/experiments"
	"patchlab/viz"
)

// Pictures of what the tracker and the dataset hold.

func drawCurves(in *inspection, r *inspected) error {
	curve := func(name, key string) []viz.Curve {
		c := viz.Curve{Name: name}
		for _, p := range r.histories[key] {
			c.X, c.Y = append(c.X, float64(p.Step)), append(c.Y, p.Value)
		}
		if len(c.X) == 0 {
			return nil
		}
		return []viz.Curve{c}
	}
	p, err := viz.Curves(r.title("learning curves"),
		append(curve("training", "train_loss"), curve("validation", "val_loss")...),
		append(curve("training", "train_accuracy"), curve("validation", "val_accuracy")...))
	return in.keep(r, "curves", p, err)
}

func drawConfusion(in *inspection, r *inspected) error {
	d, err := r.recipe.Images()
	if err != nil {
		return err
	}
	counts := make([][]int, len(d.Classes))
	for i := range counts {
		counts[i] = make([]int, len(d.Classes))
	}
	for _, a := range r.answers {
		counts[a.label][a.top]++
	}
	p, err := viz.Confusion(r.title("confusion of test images"), counts, d.Classes)
	return in.keep(r, "confusion", p, err)
}

// mostMistakes is how many of its mistakes are shown.
const mostMistakes = 12

func drawMistakes(in *inspection, r *inspected) error {
	d, err := in.dataset()
	if err != nil {
		return err
	}
	if len(r.answers) > d.Test.Len() {
		return fmt.Errorf("%d predictions for %d test images; allowed: those of the dataset that the run was tested on", len(r.answers), d.Test.Len())
	}
	var wrong []int
	for i, a := range r.answers {
		if a.label != int(d.Test.Labels[i]) {
			return fmt.Errorf("prediction %d is for the class %d, test image %d is of %d: this is not the dataset that the run was tested on", i, a.label, i, d.Test.Labels[i])
		}
		if a.top != a.label {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return nil // nothing to show
	}
	slices.SortStableFunc(wrong, func(a, b int) int { return cmp.Compare(r.answers[a].gave, r.answers[b].gave) })
	wrong = wrong[:min(mostMistakes, len(wrong))]
	var pixels []uint8
	for _, i := range wrong {
		pixels = append(pixels, d.Test.Image(i)...)
	}
	logits, err := r.network.Logits(in.cmd.Context(), pixels, d.Height, d.Width, len(wrong))
	if err != nil {
		return err
	}
	var list []viz.Mistake
	for k, p := range experiments.Rank(logits, r.recipe.Model.Classes) {
		a := r.answers[wrong[k]]
		list = append(list, viz.Mistake{
			Image: testImage(d, wrong[k]), Index: wrong[k], True: d.Classes[a.label], Predicted: d.Classes[p.Classes[0]],
			Sure: p.Probabilities[0], Gave: a.gave,
		})
	}
	p, err := viz.Mistakes(r.title("most wrong test images"), list)
	return in.keep(r, "mistakes", p, err)
}

func drawImages(in *inspection, r *inspected) error {
	d, err := in.dataset()
	if err != nil {
		return err
	}
	var images []viz.Image
	var names []string
	for i := range min(40, d.Test.Len()) {
		images, names = append(images, testImage(d, i)), append(names, d.Classes[d.Test.Labels[i]])
	}
	p, err := viz.Images(fmt.Sprintf("The first %d test images of %s", len(images), d.Name), images, names, 8)
	return in.keep(r, "images", p, err)
}
