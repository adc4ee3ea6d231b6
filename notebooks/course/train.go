package course

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/kernel/cell/show"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// Backend opens XLA where it is, else the pure-Go backend.
func Backend() (compute.Backend, backend.Info) {
	b, info, err := backend.Open(context.Background(), backend.Auto, io.Discard)
	check(err)
	return b, info
}

// recipe trains a network as the course trains its hybrids, in small batches at a
// rate for them, and to the end: all networks of a lesson take as many steps.
func (l Lesson) recipe(config models.Config, data string, seed int64) experiments.Recipe {
	limits := experiments.Data{Name: data, TrainLimit: l.Images, TestLimit: l.Images / 2, Validation: .1}
	r := must(experiments.ReferenceRecipe("mixer1-vit1", limits, seed))
	r.Model, r.Epochs, r.Batch, r.EarlyStopping = config, l.Epochs, 16, nil
	r.Optimizer.LearningRate = .003
	return r
}

// Train trains a network with each seed of the lesson and records the runs under
// the name that the lesson gives it. The first one's curves grow below the cell.
// What was trained before, by the same recipe on the same images, is there already.
func (l Lesson) Train(what string, config models.Config) {
	ctx := context.Background()
	d := l.Dataset()
	config.Channels, config.Classes = d.Channels, len(d.Classes)
	db := must(tracker.Open(database()))
	defer db.Close()
	b, info := Backend()
	defer b.Finalize()
	for seed := int64(1); seed <= int64(l.Seeds); seed++ {
		recipe := l.recipe(config, d.Name, seed)
		check(recipe.Validate())
		if run, ok := l.find(ctx, db, what, seed); ok && run.Params["recipe"] == recipe.Digest() && run.Inputs[0].Digest == d.Digest {
			continue
		}
		env, diff := lab.Environment(ctx, info)
		run := must(lab.Start(ctx, db, tracker.Spec{
			Experiment: l.Name, Name: fmt.Sprintf("%s, seed %d", what, seed), Environment: env,
			Tags:   map[string]string{lessonTag: l.Name, whatTag: what},
			Inputs: []tracker.Input{{Name: d.Name, Digest: d.Digest, Context: "train and test"}},
		}, diff))
		watch, done := l.watch(what, seed, d)
		_, err := lab.Carry(ctx, db, run, experiments.Job{
			Recipe: recipe, Dataset: d, Backend: b, BackendName: info.Name,
			CheckpointDir: lab.CheckpointDir(database(), run.ID()), Report: watch,
		})
		done()
		check(err)
	}
	accuracy := l.Accuracy(what)
	show.Printf("%s: test accuracy in percent %s; %.0f images/s in training\n", what, spread(accuracy, false), Mean(l.Speed(what)))
}

// watch shows a training as it goes: the first seed's as curves, the others' as
// bars.
func (l Lesson) watch(what string, seed int64, d *datasets.Dataset) (report func(experiments.Event), done func()) {
	if seed > 1 {
		bar := show.NewProgress(fmt.Sprintf("%s, seed %d of %d", what, seed, l.Seeds), l.Epochs)
		return func(e experiments.Event) {
			if e.Result != nil {
				bar.Set(e.Epoch)
			}
		}, bar.Close
	}
	curve := show.NewCurve(fmt.Sprintf("%s on %d images of %s, seed 1", what, d.Train.Len(), d.Name))
	return func(e experiments.Event) {
		if e.Result != nil {
			curve.Add(int64(e.Epoch), map[string]float64{
				"train_loss": e.Result.TrainLoss, "val_loss": e.Result.ValLoss,
				"train_accuracy": e.Result.TrainTop1, "val_accuracy": e.Result.ValTop1,
			})
		}
	}, curve.Close
}

// find looks up the latest finished training of that name and seed in the lesson.
func (l Lesson) find(ctx context.Context, db *tracker.DB, what string, seed int64) (tracker.RunInfo, bool) {
	runs := must(db.Runs(ctx, tracker.Query{Experiment: l.Name}))
	for _, r := range runs {
		if r.Tags[whatTag] == what && r.Status == tracker.Finished && r.Params["seed"] == fmt.Sprint(seed) {
			return r, true
		}
	}
	return tracker.RunInfo{}, false
}

// run finds the training of that name and seed for a cell that needs it.
func (l Lesson) run(db *tracker.DB, what string, seed int64) tracker.RunInfo {
	run, ok := l.find(context.Background(), db, what, seed)
	if !ok {
		panic(fmt.Errorf("nothing called %q is trained yet with seed %d: execute the cell that trains it", what, seed))
	}
	return run
}

// reader opens the tracker's file for a cell that looks at what is trained.
func reader(what string) *tracker.DB {
	if _, err := os.Stat(database()); errors.Is(err, os.ErrNotExist) {
		panic(fmt.Errorf("nothing is trained yet: execute the cell that trains %q", what))
	}
	return must(tracker.Open(database(), tracker.ReadOnly()))
}

// Network is a trained network of a lesson.
type Network struct {
	*experiments.Network
	Run    tracker.RunInfo
	lesson Lesson
}

// Trained gives what Train trained under that name with the first seed, in any
// later cell.
func (l Lesson) Trained(what string) *Network { return l.load(what, 1) }

func (l Lesson) load(what string, seed int64) *Network {
	db := reader(what)
	defer db.Close()
	run := l.run(db, what, seed)
	b, _ := Backend() // lives as long as the cell
	_, network, err := lab.Load(context.Background(), db, run, b)
	check(err)
	return &Network{Network: network, Run: run, lesson: l}
}

// Seed is what decided the network's weights, order and dropout.
func (n *Network) Seed() string { return n.Run.Params["seed"] }
