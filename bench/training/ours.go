package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/tracker"
)

// startedEnv holds the seconds since 1970 at which the driver started a process.
const startedEnv = "PATCHLAB_BENCH_STARTED"

// Measurement is what one process found: a line of JSON on its output, the
// same of every tool. peers/measure.py says what each clock spans.
type Measurement struct {
	Round  int    `json:"round"` // set by the driver
	Config string `json:"config"`
	Tool   string `json:"tool"`

	TrainImagesPerS float64 `json:"train_images_per_s"`
	InferImagesPerS float64 `json:"infer_images_per_s"`
	FirstStepS      float64 `json:"first_step_s"`
	PeakRSS         int64   `json:"peak_rss"` // bytes

	// Processor time of Patchlab's own, over all threads: what trial.go compares.
	TrainCPUMillis float64 `json:"train_cpu_ms,omitempty"` // a step
	InferCPUMillis float64 `json:"infer_cpu_ms,omitempty"` // a batch
	FirstStepCPUS  float64 `json:"first_step_cpu_s,omitempty"`

	ImportS   float64 `json:"import_s"`
	Steps     int     `json:"steps"` // timed
	FirstLoss float64 `json:"first_loss"`
	LastLoss  float64 `json:"last_loss"`
	Versions  string  `json:"versions"`
}

// measureOurs trains and infers as "patchlab train" and "patchlab predict" do:
// by experiments.Train, into a tracker's database, and by Network.Logits.
func measureOurs(ctx context.Context, path string) (Measurement, error) {
	w, data, err := read(path)
	if err != nil {
		return Measurement{}, err
	}
	m := Measurement{Config: w.Config, Tool: w.Tool}
	if s, err := strconv.ParseFloat(os.Getenv(startedEnv), 64); err == nil {
		m.ImportS = float64(time.Now().UnixNano())/1e9 - s
	}
	folder, err := os.MkdirTemp("", "patchlab-bench-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(folder)

	began, cpu := time.Now(), cpuTime()
	b, info, err := backend.Open(ctx, backend.XLA, os.Stderr)
	if err != nil {
		return m, err
	}
	defer b.Finalize()
	if err := m.train(ctx, w, data, b, info, folder, began, cpu); err != nil {
		return m, fmt.Errorf("train: %w", err)
	}
	if err := m.infer(ctx, w, data, b); err != nil {
		return m, fmt.Errorf("infer: %w", err)
	}
	if m.PeakRSS, err = peakRSS(); err != nil {
		return m, err
	}
	m.Versions = versions(info)
	return m, nil
}

func (m *Measurement) train(ctx context.Context, w Work, data *datasets.Dataset, b compute.Backend, info backend.Info, folder string, began time.Time, cpu time.Duration) (err error) {
	recipe, err := w.recipe()
	if err != nil {
		return err
	}
	db, err := tracker.Open(filepath.Join(folder, "bench.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	run, err := db.Start(ctx, tracker.Spec{Experiment: "bench", Name: w.Config})
	if err != nil {
		return err
	}
	// The order of an epoch is drawn before its first step, hence before the
	// clock: each image pays its share.
	shuffled := time.Now()
	order := datasets.Order(w.TrainCount, w.Seed, 0)
	shuffle := time.Since(shuffled).Seconds() / float64(len(order))

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	steps, done := 0, false
	var from time.Time
	job := experiments.Job{
		Recipe: recipe, Dataset: data, Backend: b, BackendName: info.Name,
		Recorder: run, CheckpointDir: filepath.Join(folder, "checkpoint"),
		Report: func(e experiments.Event) {
			if e.Phase != experiments.Training || done {
				return
			}
			now := time.Now()
			steps++
			switch timed := steps - w.Warmup; {
			case steps == 1:
				m.FirstStepS, m.FirstLoss = now.Sub(began).Seconds(), e.Loss
				m.FirstStepCPUS = (cpuTime() - cpu).Seconds()
			case timed == 0:
				from, cpu = now, cpuTime()
			case timed > 0 && (now.Sub(from).Seconds() > w.Seconds && timed >= w.Least || e.Of-e.Images < w.Batch):
				images := float64(timed * w.Batch)
				m.Steps, m.LastLoss = timed, e.Loss // the epoch's mean so far
				m.TrainCPUMillis = (cpuTime() - cpu).Seconds() * 1e3 / float64(timed)
				m.TrainImagesPerS = images / (now.Sub(from).Seconds() + shuffle*images)
				done = true
				stop()
			}
		},
	}
	if _, err := experiments.Train(ctx, job); err != nil && !(done && errors.Is(err, context.Canceled)) {
		return err
	}
	if !done {
		return fmt.Errorf("%d steps were made; %d or more are needed", steps, w.Warmup+1)
	}
	return run.Finish(tracker.Killed)
}

func (m *Measurement) infer(ctx context.Context, w Work, data *datasets.Dataset, b compute.Backend) error {
	net, err := experiments.NewNetwork(b, w.Model, w.Seed)
	if err != nil {
		return err
	}
	defer net.Close()
	size := data.Test.ImageSize()
	var logits []float32
	predict := func(images int) (err error) {
		logits, err = net.Logits(ctx, data.Test.Images[:images*size], w.Height, w.Width, w.Batch)
		return err
	}
	if err := predict(w.Batch); err != nil {
		return err
	}
	began := time.Now()
	if err := predict(4 * w.Batch); err != nil {
		return err
	}
	rate := 4 / time.Since(began).Seconds() // batches a second
	half := w.Seconds / 2
	count := w.Batch * min(data.Test.Len()/w.Batch, max(4, int(rate*half)))
	passes, cpu := 0, cpuTime()
	for began = time.Now(); passes == 0 || time.Since(began).Seconds() < half; passes++ {
		if err := predict(count); err != nil {
			return err
		}
	}
	m.InferImagesPerS = float64(passes*count) / time.Since(began).Seconds()
	m.InferCPUMillis = (cpuTime() - cpu).Seconds() * 1e3 * float64(w.Batch) / float64(passes*count)
	for _, x := range logits {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("a logit is %g", x)
		}
	}
	return nil
}

// cpuTime is the processor time that this process has used, over all its threads.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // it has no error but a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakRSS is the largest resident set of the process so far, in bytes.
func peakRSS() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no line VmHWM")
}

// versions names what computed.
func versions(info backend.Info) string {
	parts := []string{"pjrt " + info.PluginVersion, runtime.Version()}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range build.Deps {
			if dep.Path == "github.com/gomlx/gomlx" {
				parts = append([]string{"gomlx " + strings.TrimPrefix(dep.Version, "v")}, parts...)
			}
		}
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				parts = append([]string{"patchlab " + s.Value[:min(9, len(s.Value))]}, parts...)
			}
		}
	}
	return strings.Join(parts, " ")
}
