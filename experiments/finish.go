package experiments

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"patchlab/models"
	"patchlab/weights"
)

// record writes down the recipe before the first step.
func (t *trainer) record() error {
	r := t.Recipe
	counts, err := r.Model.Count()
	if err != nil {
		return fmt.Errorf("count parameters: %w", err)
	}
	float := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	params := map[string]string{
		"model": r.Model.ID, "data": t.Dataset.Name, "seed": strconv.FormatInt(r.Seed, 10),
		"batch": strconv.Itoa(r.Batch), "epochs": strconv.Itoa(r.Epochs),
		"optimizer": "adamw-" + string(r.Optimizer.Decay), "learning_rate": float(r.Optimizer.LearningRate),
		"weight_decay": float(r.Optimizer.WeightDecay), "dropout": float(r.Model.Dropout),
		"image_size": strconv.Itoa(r.Model.ImageSize), "patch_size": strconv.Itoa(r.Model.PatchSize),
		"dim": strconv.Itoa(r.Model.Dim), "tokens": strconv.Itoa(r.Model.Tokens()),
		"params": strconv.FormatInt(counts.Total, 10), "trainable": strconv.FormatInt(counts.Trainable, 10),
		"flops": strconv.FormatInt(r.Model.FLOPs(), 10), "precision": string(r.precision()),
		"train_images": strconv.Itoa(t.train.Len()), "test_images": strconv.Itoa(t.Dataset.Test.Len()),
		"position": strconv.FormatBool(r.Model.Position), "pool": string(cmp.Or(r.Model.Head.Pool, models.AveragePool)),
		"recipe": r.Digest(),
	}
	for key, value := range r.modern() {
		params[key] = value
	}
	if r.Devices > 1 {
		params["devices"] = strconv.Itoa(r.Devices)
	}
	if r.Init != nil {
		params["init"], params["freeze"] = r.Init.Weights, strconv.FormatBool(r.Init.Freeze)
	}
	if r.frozen() {
		params["trainable"] = strconv.FormatInt(t.net.headSize(), 10)
	}
	if err := t.Recorder.SetParams(params); err != nil {
		return err
	}
	var recipe bytes.Buffer
	if _, err := r.WriteTo(&recipe); err != nil {
		return err
	}
	return t.Recorder.AddArtifact("recipe.json", &recipe)
}

// finish tests the kept weights and records the outcome.
func (t *trainer) finish(ctx context.Context) (*Result, error) {
	t.report(Event{Phase: Testing})
	net := t.net
	if t.averaged != nil {
		net = t.averaged
	}
	if err := net.restore(t.best); err != nil {
		return nil, fmt.Errorf("restore weights of epoch %d: %w", t.state.Best.Epoch, err)
	}
	if t.fresh == 0 { // resumed only to test: no pass has warmed up yet
		if _, err := net.Evaluate(ctx, t.Dataset.Test.First(t.Recipe.Batch), t.Dataset.Height, t.Dataset.Width, t.Recipe.Batch); err != nil {
			return nil, err
		}
	}
	test, err := net.Evaluate(ctx, t.Dataset.Test, t.Dataset.Height, t.Dataset.Width, t.Recipe.Batch)
	if err != nil {
		return nil, err
	}
	timing := t.timing()
	timing.Eval += test.Duration.Seconds()
	r := &Result{
		History: t.state.History, Best: t.state.Best, Test: test, Timing: timing,
		StepMedian: quantile(timing.StepMillis, .5), StepP95: quantile(timing.StepMillis, .95),
		TrainImagesPerSecond: float64(timing.SteadyImages) / timing.SteadySeconds,
	}
	if t.state.Epochs < t.Recipe.Epochs {
		r.StoppedEarly = t.state.Stopping.Wait
	}
	if err := t.Recorder.Log(int64(t.state.Epochs), r.metrics()); err != nil {
		return nil, err
	}
	if err := t.artifact("weights.safetensors", func(w io.Writer) error { return weights.Write(w, t.best) }); err != nil {
		return nil, err
	}
	if err := t.artifact("predictions.csv", func(w io.Writer) error { return WritePredictions(w, test.Predictions) }); err != nil {
		return nil, err
	}
	if err := t.Recorder.Flush(); err != nil {
		return nil, err
	}
	return r, nil
}

// metrics are the run's final values. A throughput or quantile that too few
// steps were made for is absent.
func (r *Result) metrics() map[string]float64 {
	m := map[string]float64{
		"test_loss": r.Test.Loss, "test_accuracy": r.Test.Top1, "test_top5": r.Test.Top5,
		"best_epoch": float64(r.Best.Epoch), "best_val_accuracy": r.Best.ValTop1,
		"train_images_per_s": r.TrainImagesPerSecond, "infer_images_per_s": r.Test.ImagesPerSecond(),
		"step_ms_median": r.StepMedian, "step_ms_p95": r.StepP95,
		"compile_seconds": r.Timing.Compile, "seconds_to_best": r.Timing.ToBest,
		"train_seconds_total": r.Timing.Train, "eval_seconds_total": r.Timing.Eval,
		"peak_memory_bytes": float64(r.Timing.PeakMemory),
	}
	for k, v := range m {
		if math.IsNaN(v) || (k == "peak_memory_bytes" && v == 0) {
			delete(m, k)
		}
	}
	return m
}

// artifact streams what write writes into the recorder.
func (t *trainer) artifact(name string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(write(w))
	}()
	err := t.Recorder.AddArtifact(name, r)
	r.Close()
	<-written // it reads the weights
	return err
}

// timing is the state's, with the memory's peak up to now.
func (t *trainer) timing() Timing {
	timing := t.state.Timing
	timing.PeakMemory = max(timing.PeakMemory, peakMemory())
	return timing
}

// quantile is the q-th quantile of x by linear interpolation (R's type 7), NaN
// of nothing.
func quantile(x []float32, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(x))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return float64(sorted[low]) + (at-float64(low))*float64(sorted[high]-sorted[low])
}
