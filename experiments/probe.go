package experiments

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Cost is what a recipe takes, as far as a few steps tell: [Probe] measures it.
type Cost struct {
	CompileSeconds float64 `json:"compile_seconds"`
	StepSeconds    float64 `json:"step_seconds"` // median of full batches, data loading included
	EvalSeconds    float64 `json:"eval_seconds"` // an image
	Memory         int64   `json:"memory_bytes"` // the process's largest resident set, 0 where unknown
	Steps          int     `json:"steps"`        // measured, without warm-up
	TrainImages    int     `json:"train_images"` // trained on each epoch
	Validation     int     `json:"val_images"`   // evaluated after each epoch
	TestImages     int     `json:"test_images"`  // evaluated once
	Batch          int     `json:"batch"`        // of the recipe measured
}

// Seconds predicts the wall time of so many epochs of a recipe with this cost,
// the test included: early stopping by patience is not foreseen.
func (c Cost) Seconds(epochs int) float64 {
	steps := float64(c.TrainImages) / float64(c.Batch)
	epoch := steps*c.StepSeconds + float64(c.Validation)*c.EvalSeconds
	return c.CompileSeconds + float64(epochs)*epoch + float64(c.TestImages)*c.EvalSeconds
}

// Probe measures what a job costs by compiling it and training a few steps for
// about the given time, then evaluating one batch. It records nothing and writes
// no checkpoint. Memory is the whole process's, so a fresh one tells it best.
func Probe(ctx context.Context, job Job, limit time.Duration) (Cost, error) {
	job.Recorder, job.CheckpointDir, job.Report = nowhere{}, "", nil
	if err := job.Check(); err != nil {
		return Cost{}, fmt.Errorf("probe: %w", err)
	}
	t, err := newTrainer(job)
	if err != nil {
		return Cost{}, fmt.Errorf("probe: %w", err)
	}
	defer t.close()
	if err := t.start(); err != nil {
		return Cost{}, fmt.Errorf("probe: %w", err)
	}
	batches := t.feed()
	defer func() { batches.close() }()
	began := time.Now()
	for t.fresh < warmup+3 || time.Since(began) < limit {
		if err := ctx.Err(); err != nil {
			return Cost{}, err
		}
		if t.state.Images+job.Recipe.Batch > t.train.Len() { // no partial batch: it would compile anew
			if t.state.Images == 0 {
				break
			}
			t.state.Images = 0
			batches.close()
			batches = t.feed()
		}
		if err := t.step(batches); err != nil {
			return Cost{}, fmt.Errorf("probe: %w", err)
		}
	}
	compiling := time.Now()
	if err := t.net.compile(job.Recipe.Batch, job.Dataset.Height, job.Dataset.Width); err != nil {
		return Cost{}, fmt.Errorf("probe: %w", err)
	}
	cost := Cost{
		CompileSeconds: t.state.Timing.Compile + time.Since(compiling).Seconds(),
		StepSeconds:    quantile(t.state.Timing.StepMillis, .5) / 1e3, Steps: len(t.state.Timing.StepMillis),
		TrainImages: t.train.Len(), Validation: t.val.Len(), TestImages: job.Dataset.Test.Len(), Batch: job.Recipe.Batch,
	}
	if cost.Steps == 0 {
		return Cost{}, fmt.Errorf("probe: %d training images make no batch of %d", t.train.Len(), job.Recipe.Batch)
	}
	val, err := t.net.Evaluate(ctx, t.val.First(2*job.Recipe.Batch), job.Dataset.Height, job.Dataset.Width, job.Recipe.Batch)
	if err != nil {
		return Cost{}, fmt.Errorf("probe: %w", err)
	}
	cost.EvalSeconds = 1 / val.ImagesPerSecond()
	cost.Memory = peakMemory()
	return cost, nil
}

// nowhere is a Recorder that keeps nothing.
type nowhere struct{}

func (nowhere) SetParams(map[string]string) error   { return nil }
func (nowhere) Log(int64, map[string]float64) error { return nil }
func (nowhere) Flush() error                        { return nil }
func (nowhere) AddArtifact(_ string, src io.Reader) error {
	_, err := io.Copy(io.Discard, src)
	return err
}
