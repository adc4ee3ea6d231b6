package course

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/kernel/cell/show"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// whatTag holds what a training is called in its lesson.
const whatTag = "what"

// Backend opens XLA where it is, else the pure-Go backend.
func Backend() (compute.Backend, backend.Info) {
	b, info, err := backend.Open(context.Background(), backend.Auto, io.Discard)
	check(err)
	return b, info
}

// recipe trains a network as the course trains its hybrids, in small batches.
func (l Lesson) recipe(config models.Config, data string) experiments.Recipe {
	limits := experiments.Data{Name: data, TrainLimit: l.Images, TestLimit: l.Images / 2, Validation: .1}
	r := must(experiments.ReferenceRecipe("mixer1-vit1", limits, l.Seed))
	r.Model, r.Epochs, r.Batch = config, l.Epochs, 32
	return r
}

// Train trains a network and records it under the name that the lesson gives
// it. Its curves grow below the cell. What was trained before, by the same
// recipe on the same images, is there already.
func (l Lesson) Train(what string, config models.Config) {
	ctx := context.Background()
	d := l.Dataset()
	config.Channels, config.Classes = d.Channels, len(d.Classes)
	recipe := l.recipe(config, d.Name)
	check(recipe.Validate())
	db := must(tracker.Open(database()))
	defer db.Close()
	if run, ok := l.find(ctx, db, what); ok && run.Params["recipe"] == recipe.Digest() && run.Inputs[0].Digest == d.Digest {
		show.Printf("%s: trained before, test accuracy %.1f %%\n", what, 100*run.Metrics["test_accuracy"].Value)
		return
	}
	b, info := Backend()
	defer b.Finalize()
	env, diff := lab.Environment(ctx, info)
	run := must(lab.Start(ctx, db, tracker.Spec{
		Experiment: l.Name, Name: what, Tags: map[string]string{whatTag: what}, Environment: env,
		Inputs: []tracker.Input{{Name: d.Name, Digest: d.Digest, Context: "train and test"}},
	}, diff))
	curve := show.NewCurve(fmt.Sprintf("%s on %d images of %s", what, d.Train.Len(), d.Name))
	defer curve.Close()
	result := must(lab.Carry(ctx, db, run, experiments.Job{
		Recipe: recipe, Dataset: d, Backend: b, BackendName: info.Name,
		CheckpointDir: lab.CheckpointDir(database(), run.ID()),
		Report: func(e experiments.Event) {
			if e.Result != nil {
				curve.Add(int64(e.Epoch), map[string]float64{
					"train_loss": e.Result.TrainLoss, "val_loss": e.Result.ValLoss,
					"train_accuracy": e.Result.TrainTop1, "val_accuracy": e.Result.ValTop1,
				})
			}
		},
	}))
	show.Printf("%s: test accuracy %.1f %%, %.0f images/s, step %.1f ms\n",
		what, 100*result.Test.Top1, result.TrainImagesPerSecond, result.StepMedian)
}

// find looks up the latest finished training of that name in the lesson.
func (l Lesson) find(ctx context.Context, db *tracker.DB, what string) (tracker.RunInfo, bool) {
	runs := must(db.Runs(ctx, tracker.Query{Experiment: l.Name}))
	for _, r := range runs {
		if r.Tags[whatTag] == what && r.Status == tracker.Finished {
			return r, true
		}
	}
	return tracker.RunInfo{}, false
}

// Network is a trained network of a lesson.
type Network struct {
	*experiments.Network
	Run    tracker.RunInfo
	lesson Lesson
}

// Trained gives what Train trained under that name, in any later cell.
func (l Lesson) Trained(what string) *Network {
	ctx := context.Background()
	if _, err := os.Stat(database()); errors.Is(err, os.ErrNotExist) {
		panic(fmt.Errorf("nothing is trained yet: execute the cell that trains %q", what))
	}
	db := must(tracker.Open(database(), tracker.ReadOnly()))
	defer db.Close()
	run, ok := l.find(ctx, db, what)
	if !ok {
		panic(fmt.Errorf("nothing called %q is trained yet: execute the cell that trains it", what))
	}
	b, _ := Backend() // lives as long as the cell
	_, network, err := lab.Load(ctx, db, run, b)
	check(err)
	return &Network{Network: network, Run: run, lesson: l}
}
