package course

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/datasets"
	"patchlab/kernel/cell/show"
	"patchlab/models"
	"patchlab/tracker"
)

// Lesson is what all trainings of a notebook have in common.
type Lesson struct {
	Name   string // tags the runs in the tracker
	Data   string // "cifar10", "fashion-mnist", "shapes", or "auto": CIFAR-10 where it is, else shapes
	Images int    // of the training split; half as many are tested on
	Epochs int
	Seeds  int // each network is trained with the seeds 1 to so many
}

// The tags of a lesson's runs.
const (
	lessonTag = "lesson"
	whatTag   = "what" // what a training is called in its lesson
)

// must ends the cell where something failed.
func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Model is a network of that text (such as "mixer:2,vit(heads=8):1"), changed
// by the functions given. Its images are 32 x 32 in patches of 4, its tokens
// have 32 channels: small enough to train several times while one reads.
func Model(text string, changes ...func(*models.Config)) models.Config {
	c := must(models.Parse(text))
	c.ImageSize, c.PatchSize, c.Dim = 32, 4, 32
	c.Dropout, c.Head.Dropout = .1, .1
	for _, change := range changes {
		change(&c)
	}
	check(c.Validate())
	return c
}

// Dataset gives the lesson's images.
func (l Lesson) Dataset() *datasets.Dataset {
	o := datasets.Options{Dir: os.Getenv("PATCHLAB_DATA_DIR"), TrainLimit: l.Images, TestLimit: l.Images / 2, Offline: true}
	if l.Data != "" && l.Data != "auto" {
		o.Offline = os.Getenv("PATCHLAB_OFFLINE") != ""
		return must(datasets.Load(context.Background(), l.Data, o))
	}
	d, err := datasets.Load(context.Background(), "cifar10", o)
	if errors.Is(err, datasets.ErrUnavailable) && o.Dir == "" {
		d, err = datasets.Load(context.Background(), "shapes", o)
	}
	return must(d, err)
}

// database is the tracker's file: $PATCHLAB_DB, or patchlab.db in the
// notebook's folder.
func database() string {
	if path := os.Getenv("PATCHLAB_DB"); path != "" {
		return path
	}
	return "patchlab.db"
}

// Compare shows the lesson's trainings side by side: accuracy with its
// interval, speed, which differences are shown, and the Pareto front.
func (l Lesson) Compare() {
	db := must(tracker.Open(database(), tracker.ReadOnly()))
	defer db.Close()
	r := must(compare.Build(context.Background(), db, compare.Options{
		Filter: fmt.Sprintf("tags.%s = '%s'", lessonTag, strings.ReplaceAll(l.Name, "'", "''")),
		By:     []string{"tags.what"},
	}))
	var text, figure bytes.Buffer
	check(report.Write(&text, report.Markdown, r, report.Options{}))
	show.Markdown(text.String())
	check(report.Write(&figure, report.SVG, r, report.Options{Figure: "pareto"}))
	show.SVG(figure.String())
}
