package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
	"patchlab/tracker/system"
)

// BenchmarkEpoch tells what an epoch of "patchlab train" costs beyond its bare
// steps, part by part, in percent of them: gathering batches, evaluating on the
// images held out (a tenth), keeping (ranking predictions, the best weights,
// checkpoints), tracking into a database, the terminal's progress, and the rest
// (shuffling, sampling the machine). The first epoch, which compiles, is not
// counted; an iteration is one epoch:
//
//	go test -run '^$' -bench Epoch -benchtime 1x ./cmd/patchlab
//
// bench/epoch/run.sh does it and notes the machine. Batches
// are gathered on another goroutine while a step computes; data is what gathering
// takes, were nothing of it hidden behind the steps. PATCHLAB_BENCH_IMAGES trains
// on the first so many images only: what comes once an epoch then weighs more.
func BenchmarkEpoch(b *testing.B) {
	for _, id := range []string{"mixer-4", "mixer1-vit1", "convmixer"} {
		b.Run(id, func(b *testing.B) { benchmarkEpoch(b, id) })
	}
}

func benchmarkEpoch(b *testing.B, id string) {
	name, dir := "shapes", ""
	if data := os.Getenv("PATCHLAB_TEST_DATA"); data != "" {
		name, dir = "cifar10", filepath.Join(data, "jpeg")
	}
	limit, _ := strconv.Atoi(os.Getenv("PATCHLAB_BENCH_IMAGES"))
	images, err := datasets.Load(b.Context(), name, datasets.Options{Dir: dir, TrainLimit: limit, Offline: true})
	if err != nil {
		b.Fatal(err)
	}
	recipe, err := experiments.ReferenceRecipe(id, experiments.Data{Name: name, Validation: .1}, 1)
	if err != nil {
		b.Fatal(err)
	}
	recipe.Epochs = b.N + 2 // one to warm up; the last is cut off
	bk, info, err := backend.Open(b.Context(), backend.Auto, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	defer bk.Finalize()
	folder := b.TempDir()
	db, err := tracker.Open(filepath.Join(folder, "lab.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	run, err := lab.Start(b.Context(), db, tracker.Spec{Name: id}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer system.Watch(run, nil, 10*time.Second)()

	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	e := epochClock{Run: run, progress: newProgress(io.Discard, &bytes.Buffer{}), epochs: b.N, stop: stop}
	e.progress.tty = true
	_, err = experiments.Train(ctx, experiments.Job{
		Recipe: recipe, Dataset: images, Backend: bk, BackendName: info.Name,
		Recorder: &e, CheckpointDir: filepath.Join(folder, "checkpoints"), Report: e.report,
	})
	if !errors.Is(err, context.Canceled) || e.measured != b.N {
		b.Fatalf("trained %d epochs of %d: %v", e.measured, b.N, err)
	}
	e.data = gathering(images, recipe) * time.Duration(b.N)
	bare := e.steps - e.data
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / bare.Seconds() }
	b.ReportMetric(percent(e.total-bare), "total-%")
	b.ReportMetric(percent(e.data), "data-%")
	b.ReportMetric(percent(e.evaluation), "evaluation-%")
	b.ReportMetric(percent(e.keeping), "keeping-%")
	b.ReportMetric(percent(e.tracking), "tracking-%")
	b.ReportMetric(percent(e.showing), "progress-%")
	b.ReportMetric(percent(e.total-e.steps-e.evaluation-e.keeping-e.tracking-e.showing), "rest-%")
	b.ReportMetric(bare.Seconds()/float64(b.N), "bare-s/epoch")
	b.ReportMetric(0, "ns/op") // of all epochs, the first and the compiling included
}

// gathering is how long an epoch's batches take to gather, without the shuffle.
func gathering(d *datasets.Dataset, r experiments.Recipe) time.Duration {
	train, _ := d.Holdout(r.Data.Validation)
	order := datasets.Order(train.Len(), r.Seed, 0)
	pixels, labels := make([]uint8, r.Batch*train.ImageSize()), make([]int32, r.Batch)
	began := time.Now()
	for at := 0; at < train.Len(); at += r.Batch {
		train.Batch(order, at, r.Batch, pixels, labels)
	}
	return time.Since(began)
}

// epochClock is a run and its progress, timed from the second epoch on.
type epochClock struct {
	*tracker.Run
	progress *progress
	epochs   int // to measure
	stop     context.CancelFunc

	warm             bool
	measured         int
	ended, validated time.Time // the last epoch, its last step
	inside           time.Duration

	total, steps, data, evaluation, keeping, tracking, showing time.Duration
}

// Log counts tracking and, from what it is given, the steps.
func (e *epochClock) Log(step int64, values map[string]float64) error {
	return e.track(func() error {
		if ms, ok := values["step_ms"]; ok && e.warm {
			e.steps += time.Duration(ms * float64(time.Millisecond))
		}
		return e.Run.Log(step, values)
	})
}

// Flush counts as tracking.
func (e *epochClock) Flush() error { return e.track(e.Run.Flush) }

func (e *epochClock) track(f func() error) error {
	began := time.Now()
	err := f()
	if e.warm {
		e.tracking += time.Since(began)
	}
	e.inside += time.Since(began)
	return err
}

func (e *epochClock) report(event experiments.Event) {
	began := time.Now()
	if event.Phase == experiments.Trained && e.warm {
		e.measured++
		e.total += began.Sub(e.ended)
		passes := time.Duration(event.Result.EvalSeconds * float64(time.Second))
		e.evaluation += passes
		e.keeping += began.Sub(e.validated) - passes - e.inside
	}
	if event.Phase == experiments.Trained && e.measured == e.epochs {
		e.stop()
		return
	}
	e.progress.report(event)
	switch event.Phase {
	case experiments.Validating:
		e.validated, e.inside = time.Now(), 0
	case experiments.Trained:
		e.warm, e.ended = true, began
	}
	if e.warm {
		e.showing += time.Since(began)
	}
}
