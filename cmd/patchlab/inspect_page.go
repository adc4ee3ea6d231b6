package main

import (
	"errors"
	"fmt"
	"io"

	"patchlab/experiments"
	"patchlab/models"
	"patchlab/save"
	"patchlab/viz"
)

// writePage writes everything that was drawn as one page, with what the reader
// can point at where a run has attention.
func (in *inspection) writePage(path string) error {
	page := viz.Page{Title: in.runs[0].info.Name + ": what the network looks at"}
	if len(in.runs) > 1 {
		page.Title = fmt.Sprintf("What %d networks look at", len(in.runs))
	}
	for _, r := range in.runs {
		if !has[models.ViT](r) {
			continue
		}
		for _, m := range in.shown {
			scene, err := in.scene(r, m)
			if err != nil {
				return fmt.Errorf("page of %s: %w", r.info.Name, err)
			}
			page.Scenes = append(page.Scenes, scene)
		}
	}
	for _, d := range in.drawn {
		if d.movie == nil { // the page moves by itself
			page.Pictures = append(page.Pictures, d.still)
		}
	}
	if err := save.File(path, func(w io.Writer) error { return page.Write(w) }); err != nil {
		return err
	}
	_, err := fmt.Fprintln(in.cmd.OutOrStdout(), path)
	if len(page.Scenes) == 0 {
		_, said := fmt.Fprintln(in.cmd.ErrOrStderr(), "No network here has a ViT block, hence no attention to point at: the page holds the pictures alone.")
		err = errors.Join(err, said)
	}
	return err
}

// scene is an image with the attention of a run for it.
func (in *inspection) scene(r *inspected, m shownImage) (viz.Scene, error) {
	inside, err := r.network.Inspect(in.cmd.Context(), m.Pixels, m.Height, m.Width)
	if err != nil {
		return viz.Scene{}, err
	}
	layers, err := attentionOf(r.recipe.Model, inside, 0)
	if err != nil {
		return viz.Scene{}, err
	}
	d, err := r.recipe.Images()
	if err != nil {
		return viz.Scene{}, err
	}
	guess := experiments.Rank(inside.Logits, r.recipe.Model.Classes)[0]
	note := fmt.Sprintf("The network says %s (%.0f %%)", d.Classes[guess.Classes[0]], 100*guess.Probabilities[0])
	if m.truth != "" {
		note += "; it is " + m.truth
	}
	return viz.Scene{Name: r.info.Name + ", " + m.words, Note: note + ".", Image: m.Image, Layers: layers}, nil
}
