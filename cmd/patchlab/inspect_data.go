package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"patchlab/datasets"
	"patchlab/tracker"
	"patchlab/viz"
)

// inspection is the work of one patchlab inspect: runs, images, and what has
// been drawn of them.
type inspection struct {
	cmd   *cobra.Command
	data  dataFlags
	runs  []*inspected
	asked bool              // for certain pictures, not for all that fit
	set   *datasets.Dataset // loaded where a picture needs it; see dataset
	shown []shownImage
	drawn []drawn
}

// inspected is one run with what the tracker holds of it.
type inspected struct {
	trained
	histories map[string][]tracker.Point
	answers   []answer // to the test split; none where the run has no predictions
	drawings  []drawing
}

// answer is a row of a run's predictions.
type answer struct {
	label, top int
	gave       float64 // the true class's probability
}

// shownImage is an image that the user chose, in the size of its dataset.
type shownImage struct {
	viz.Image
	tag   string // for file names, such as "image7"
	words string // for titles, such as "test image 7"
	truth string // its class, or ""
}

func (in *inspection) close() {
	for _, r := range in.runs {
		r.network.Close()
	}
}

// add loads a run's network, history and predictions.
func (in *inspection) add(found stored, b compute.Backend) (err error) {
	ctx, db := in.cmd.Context(), found.db
	t, err := found.load(b)
	if err != nil {
		return err
	}
	r := &inspected{trained: t, histories: map[string][]tracker.Point{}}
	in.runs = append(in.runs, r)
	for _, key := range []string{"train_loss", "val_loss", "train_accuracy", "val_accuracy"} {
		if r.histories[key], err = db.History(ctx, t.info.ID, key); err != nil && !errors.Is(err, tracker.ErrNotFound) {
			return err
		}
	}
	file, err := db.OpenArtifact(ctx, t.info.ID, "predictions.csv")
	if errors.Is(err, tracker.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return fmt.Errorf("predictions of %s: %w", t.info.Name, err)
	}
	for i, row := range rows[min(1, len(rows)):] {
		label, err1 := strconv.Atoi(row[1])
		top, err2 := strconv.Atoi(row[2])
		gave, err3 := strconv.ParseFloat(row[len(row)-1], 64)
		if err := errors.Join(err1, err2, err3); err != nil || min(label, top) < 0 || max(label, top) >= t.recipe.Model.Classes {
			return fmt.Errorf("predictions of %s: row %d is %q; allowed: classes of 0 to %d and a probability", t.info.Name, i+1, row, t.recipe.Model.Classes-1)
		}
		r.answers = append(r.answers, answer{label, top, gave})
	}
	return nil
}

// oneDataset refuses runs that no image can be shown to alike.
func (in *inspection) oneDataset() error {
	first := in.runs[0]
	for _, r := range in.runs[1:] {
		if r.recipe.Data.Name != first.recipe.Data.Name {
			return fmt.Errorf("%s was trained on %s, %s on %s; inspect runs of one dataset together",
				first.info.Name, first.recipe.Data.Name, r.info.Name, r.recipe.Data.Name)
		}
	}
	return nil
}

// dataset loads the test split, all of it, when first asked for.
func (in *inspection) dataset() (*datasets.Dataset, error) {
	if in.set != nil {
		return in.set, nil
	}
	data := in.data
	data.recorded(in.cmd, in.runs[0].info)
	recorded := in.runs[0].recipe.Data
	if recorded.Name == "" {
		return nil, fmt.Errorf("run %s was imported and has no images of its own: show a picture of yours with --image", oneLine(in.runs[0].info.Name))
	}
	recorded.TrainLimit, recorded.TestLimit = 1, 0
	set, err := data.load(in.cmd, recorded)
	in.set = set
	return set, err
}

// testImage is an image of the test split.
func testImage(d *datasets.Dataset, i int) viz.Image {
	return viz.Image{Height: d.Height, Width: d.Width, Channels: d.Channels, Pixels: d.Test.Image(i)}
}

// pick reads the images that the user asked for.
func (in *inspection) pick(images []string) error {
	for _, word := range images {
		index, err := strconv.Atoi(word)
		if err != nil {
			if err := in.pickFile(word); err != nil {
				return err
			}
			continue
		}
		d, err := in.dataset()
		if errors.Is(err, datasets.ErrUnavailable) {
			return fmt.Errorf("%w; or show a picture of yours with --image", err)
		}
		if err != nil {
			return err
		}
		if index < 0 || index >= d.Test.Len() {
			return fmt.Errorf("image %d; allowed: 0 to %d, the test split of %s, or a PNG or JPEG file", index, d.Test.Len()-1, d.Name)
		}
		in.shown = append(in.shown, shownImage{
			Image: testImage(d, index), tag: fmt.Sprintf("image%d", index),
			words: fmt.Sprintf("test image %d", index), truth: d.Classes[d.Test.Labels[index]],
		})
	}
	return nil
}

func (in *inspection) pickFile(path string) error {
	pictures, err := readPictures([]string{path})
	if err != nil {
		return fmt.Errorf("image %q is no index of the test split, and as a file: %w", path, err)
	}
	shape, err := in.runs[0].recipe.Images()
	if err != nil {
		return err
	}
	base := filepath.Base(path)
	tag := fileName(base[:len(base)-len(filepath.Ext(base))])
	for n := 2; slices.ContainsFunc(in.shown, func(s shownImage) bool { return s.tag == tag }); n++ {
		tag = fmt.Sprintf("%s-%d", fileName(base[:len(base)-len(filepath.Ext(base))]), n)
	}
	in.shown = append(in.shown, shownImage{
		Image: viz.Image{Height: shape.Height, Width: shape.Width, Channels: shape.Channels, Pixels: in.runs[0].recipe.View(shape).Apply(pictures[0], shape.Channels)},
		tag:   tag, words: base,
	})
	return nil
}
