package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// Runs are those of a sweep: models, each with many seeds and rates, on one
// kind of machine.
const (
	models     = 50
	steps      = 99
	curves     = 10 // metrics that are logged at each step
	pointsARun = (steps + 1) * curves
)

// finals are logged once, at the end of a run; there are as many as curves.
var finals = [curves]string{
	"test_accuracy", "test_loss", "test_top5", "train_images_per_s", "infer_images_per_s",
	"step_ms_median", "step_ms_p95", "compile_seconds", "train_seconds_total", "peak_memory_bytes",
}

// record makes a node's database; the first of its runs has this number.
func record(ctx context.Context, path string, first, runs int) (err error) {
	db, err := tracker.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rng := rand.New(rand.NewPCG(uint64(first), 0))
	for i := range runs {
		if err := recordRun(ctx, db, rng, first+i); err != nil {
			return err
		}
	}
	return nil
}

// recordRun records one finished run of pointsARun points.
func recordRun(ctx context.Context, db *tracker.DB, rng *rand.Rand, number int) error {
	model, seed := number%models, number/models
	rate := []string{"0.0003", "0.001", "0.003", "0.005"}[rng.IntN(4)]
	run, err := db.Start(ctx, tracker.Spec{
		Experiment: "sweep", Name: fmt.Sprintf("model-%d-%d", model, seed),
		Params: map[string]string{
			"model": fmt.Sprintf("model-%d", model), "seed": strconv.Itoa(seed), "lr": rate, "data": "cifar10", "epochs": strconv.Itoa(steps),
			"batch": "128", "params": strconv.Itoa(10_000 * (model + 1)), "flops": strconv.Itoa(1_000_000 * (model + 1)),
			"train_images": "45000", "test_images": "10000", "recipe": fmt.Sprintf("%064x", number),
		},
		Tags: map[string]string{"sweep": "scale", "task": strconv.Itoa(number)},
		Environment: map[string]string{
			"machine": "Example CPU × 2 cores", "backend": "xla:cpu", "os": "linux", "go": "go1.26", "git_commit": "0123abc", "git_dirty": "no",
		},
		Inputs: []tracker.Input{{Name: "cifar10", Digest: strings.Repeat("0123abcd", 8), Context: "train and test"}},
	})
	if err != nil {
		return err
	}
	accuracy := .4 + .006*float64(model) + .02*rng.NormFloat64()
	values := map[string]float64{}
	for step := 1; step <= steps; step++ {
		for i := range curves {
			values[curveName(i)] = float64(i+1)*math.Exp(-float64(step)/50) + .1*rng.NormFloat64()
		}
		if err := run.Log(int64(step), values); err != nil {
			return err
		}
	}
	clear(values)
	for i, key := range finals {
		values[key] = float64(i+1) * (100 + float64(model) + rng.NormFloat64())
	}
	values["test_accuracy"], values["test_top5"] = accuracy, 1-(1-accuracy)/8
	if err := run.Log(steps, values); err != nil {
		return err
	}
	return run.Finish(tracker.Finished)
}

func curveName(i int) string {
	return [curves]string{"train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "train_seconds", "eval_seconds", "step_ms", "cpu", "memory"}[i]
}
