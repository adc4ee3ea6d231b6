package claims

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// Trainings is what was trained for a finding, while it was measured or before.
type Trainings struct {
	Count   int       `json:"count"`
	First   time.Time `json:"first"`   // when the first began
	Last    time.Time `json:"last"`    // when the last ended
	Seconds float64   `json:"seconds"` // that all took together, pauses not counted
	Builds  []string  `json:"builds"`  // that trained
}

// add counts a finished training.
func (t *Trainings) add(r tracker.RunInfo) {
	t.Count++
	if t.First.IsZero() || r.Start.Before(t.First) {
		t.First = r.Start
	}
	if r.End.After(t.Last) {
		t.Last = r.End
	}
	for _, part := range []string{"compile_seconds", trainSeconds, "eval_seconds_total"} {
		t.Seconds += r.Metrics[part].Value
	}
	if build := cmp.Or(r.Environment["build"], "a build that was not recorded"); !slices.Contains(t.Builds, build) {
		t.Builds = append(t.Builds, build)
	}
}

// trainSeconds is the metric of the seconds that a run trained for.
const trainSeconds = "train_seconds_total"

// each runs f for each seed, from 1 on.
func (b *Bench) each(f func(seed int64) error) error {
	for seed := int64(1); seed <= int64(b.Scale.Seeds); seed++ {
		if err := f(seed); err != nil {
			return err
		}
	}
	return nil
}

// recipe trains a stack on a table of 64 tokens of 64 channels, in batches of 32.
func (b *Bench) recipe(stack string, position bool, images, epochs int, seed int64) (experiments.Recipe, error) {
	data := experiments.Data{Name: b.Data, TrainLimit: images, TestLimit: b.Scale.Tests, Validation: .1}
	recipe, err := experiments.ReferenceRecipe("mixer1-vit1", data, seed)
	if err != nil {
		return recipe, err
	}
	if recipe.Model, err = models.Parse(stack); err != nil {
		return recipe, err
	}
	d, err := b.dataset(images)
	if err != nil {
		return recipe, err
	}
	m := &recipe.Model
	m.ImageSize, m.PatchSize, m.Dim, m.Dropout, m.Position = 32, 4, 64, .1, position
	m.Head.Dropout, m.Channels, m.Classes = .1, d.Channels, len(d.Classes)
	recipe.Batch, recipe.Epochs = 32, epochs
	return recipe, recipe.Validate()
}

// train carries a recipe out, or finds it carried out, or goes on with it: on this
// machine and backend, and by this build where it goes on or times are compared.
func (b *Bench) train(ctx context.Context, recipe experiments.Recipe) (tracker.RunInfo, error) {
	d, err := b.dataset(recipe.Data.TrainLimit)
	if err != nil {
		return tracker.RunInfo{}, err
	}
	begun, err := b.runs(ctx, func(r tracker.RunInfo) bool {
		return r.Params["recipe"] == recipe.Digest() && len(r.Inputs) == 1 && r.Inputs[0].Digest == d.Digest
	})
	if err != nil {
		return tracker.RunInfo{}, err
	}
	if r, found := b.finished(begun); found {
		return r, nil
	}
	job := experiments.Job{Recipe: recipe, Dataset: d, Backend: b.Backend, BackendName: b.Info.Name}
	run, err := b.resume(ctx, job, begun)
	if err == nil && run == nil {
		run, err = lab.Start(ctx, b.DB, tracker.Spec{
			Experiment: Experiment, Name: fmt.Sprintf("%s-%d", recipe.Model.ID, recipe.Seed), Environment: b.env,
			Inputs: []tracker.Input{{Name: d.Name, Digest: d.Digest, Context: "train and test"}},
		}, b.diff)
	}
	if err != nil {
		return tracker.RunInfo{}, err
	}
	job.CheckpointDir = lab.CheckpointDir(b.DBPath, run.ID())
	position := map[bool]string{true: " with position embedding"}[recipe.Model.Position]
	b.Say("training %s%s on %d images, seed %d of %d", recipe.Model.Blocks, position, d.Train.Len(), recipe.Seed, b.Scale.Seeds)
	job.Report = b.watch(run)
	if _, err := lab.Carry(ctx, b.DB, run, job); err != nil {
		return tracker.RunInfo{}, err
	}
	return b.trainedNow(ctx, run)
}

// runs are those of the claims' experiment that fit, and were made on this machine
// and backend, the latest first.
func (b *Bench) runs(ctx context.Context, fits func(tracker.RunInfo) bool) ([]tracker.RunInfo, error) {
	all, err := b.DB.Runs(ctx, tracker.Query{Experiment: Experiment})
	return slices.DeleteFunc(all, func(r tracker.RunInfo) bool { return !fits(r) || !b.here(r, false) }), err
}

// here says whether a run was made on this machine and backend, and if exactly is
// set by this build and plugin.
func (b *Bench) here(r tracker.RunInfo, exactly bool) bool {
	return slices.Equal(place(r.Environment, exactly), place(b.env, exactly))
}

// finished finds a training that is finished, by this build where times are
// compared, and counts it.
func (b *Bench) finished(begun []tracker.RunInfo) (r tracker.RunInfo, found bool) {
	for _, r := range begun {
		if r.Status == tracker.Finished && b.here(r, b.exact) {
			b.trainings.add(r)
			return r, true
		}
	}
	return tracker.RunInfo{}, false
}

// trainedNow counts a training that has just finished.
func (b *Bench) trainedNow(ctx context.Context, run *tracker.Run) (tracker.RunInfo, error) {
	r, err := b.DB.Find(ctx, run.ID())
	if err == nil {
		b.trainings.add(r)
	}
	return r, err
}

// resume goes on with a training of this build that ended early and has a whole
// checkpoint; nil where there is none. One that diverged would end the same.
func (b *Bench) resume(ctx context.Context, job experiments.Job, begun []tracker.RunInfo) (*tracker.Run, error) {
	for _, r := range begun {
		_, diverged := r.Tags[lab.TagDiverged]
		ended := r.Status == tracker.Killed || r.Status == tracker.Crashed || r.Status == tracker.Failed
		if !ended || diverged || !b.here(r, true) {
			continue
		}
		job.CheckpointDir = lab.CheckpointDir(b.DBPath, r.ID)
		if whole, err := job.CheckCheckpoint(); whole && err == nil {
			return b.DB.Resume(ctx, r.ID)
		}
	}
	return nil, nil
}

// processorMetric is the processor time in milliseconds that an image takes in
// training, which a busy machine disturbs less than wall time.
const processorMetric = "train_cpu_ms_per_image"

// watch passes events on, and logs the processor time of each epoch's steps
// between its first and its last.
func (b *Bench) watch(run *tracker.Run) func(experiments.Event) {
	var began, ended time.Duration
	var first, last int
	return func(e experiments.Event) {
		switch e.Phase {
		case experiments.Training:
			ended, last = experiments.ProcessorTime(), e.Images
			if began == 0 {
				began, first = ended, last
			}
		case experiments.Trained:
			if last > first {
				run.Log(int64(e.Epoch), map[string]float64{processorMetric: (ended - began).Seconds() * 1e3 / float64(last-first)})
			}
			began = 0
		}
		if b.Report != nil {
			b.Report(e)
		}
	}
}

// accuracy is a run's on the test images, in percent.
func accuracy(r tracker.RunInfo) float64 { return 100 * r.Metrics["test_accuracy"].Value }

// trained trains a stack with a seed on the scale's images.
func (b *Bench) trained(ctx context.Context, stack string, position bool, seed int64) (tracker.RunInfo, error) {
	recipe, err := b.recipe(stack, position, b.Scale.Images, b.Scale.Epochs, seed)
	if err != nil {
		return tracker.RunInfo{}, err
	}
	return b.train(ctx, recipe)
}
