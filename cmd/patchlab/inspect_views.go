package main

import (
	"fmt"

	"patchlab/experiments"
	"patchlab/viz"
)

// drawViews shows an image as every run sees it.
func (in *inspection) drawViews(m shownImage) error {
	d, err := in.runs[0].recipe.Images()
	if err != nil {
		return err
	}
	var views []viz.View
	for _, r := range in.runs {
		v, err := in.view(r, m, d.Classes)
		if err != nil {
			return fmt.Errorf("draw views of %s: %w", r.info.Name, err)
		}
		views = append(views, v)
	}
	title := fmt.Sprintf("What matters in %s", m.words)
	if len(in.runs) == 1 {
		title = in.runs[0].title("what matters in " + m.words)
	}
	p, err := viz.Views(title, m.Image, m.truth, views)
	if err != nil {
		return err
	}
	in.drawn = append(in.drawn, drawn{file: "views-" + m.tag, still: p})
	return nil
}

// squares is how many squares a side are covered in turn, for every network.
const squares = 8

// view covers each square of an image in turn.
func (in *inspection) view(r *inspected, m shownImage, classes []string) (viz.View, error) {
	covered, err := viz.Occlusion(m.Image, squares)
	if err != nil {
		return viz.View{}, err
	}
	pixels := append([]uint8(nil), m.Pixels...)
	for _, c := range covered {
		pixels = append(pixels, c.Pixels...)
	}
	logits, err := r.network.Logits(in.cmd.Context(), pixels, m.Height, m.Width, min(64, len(covered)+1))
	if err != nil {
		return viz.View{}, err
	}
	n := r.recipe.Model.Classes
	whole := experiments.Rank(logits[:n], n)[0]
	v := viz.View{Name: r.info.Name, Patches: r.recipe.Model.Grid()}
	for k, c := range whole.Classes {
		v.Guesses = append(v.Guesses, viz.Guess{Class: classes[c], Probability: whole.Probabilities[k]})
	}
	for i := range covered {
		v.Matters = append(v.Matters, whole.Probabilities[0]-experiments.Probability(logits[(i+1)*n:(i+2)*n], whole.Classes[0]))
	}
	return v, nil
}
