package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute"

	"patchlab/datasets"
	"patchlab/models"
)

// Work is what a throughput is measured of.
type Work string

// The kinds of work.
const (
	// TrainWork is whole training steps, as [Train] makes them: gathering a
	// batch, forward pass, gradients, update.
	TrainWork Work = "train"
	// InferWork is images in memory to logits in memory, as [Network.Logits]
	// gives them.
	InferWork Work = "infer"
)

// Workload is a network at work: one point of a measurement.
type Workload struct {
	Model models.Config `json:"model"`
	Batch int           `json:"batch"` // images a step
	Work  Work          `json:"work"`
	// Precision is that of the products, also where the workload infers.
	Precision Precision `json:"precision,omitempty"`
	// Seconds is how long steps are timed, and Steps how many at least.
	Seconds float64 `json:"seconds"`
	Steps   int     `json:"steps"`
}

// FLOPs are the floating-point operations of one step, as [models.Config.FLOPs]
// counts them; a training step counts as three forward passes, as is customary.
func (w Workload) FLOPs() int64 {
	flops := int64(w.Batch) * w.Model.FLOPs()
	if w.Work == TrainWork {
		flops *= 3
	}
	return flops
}

// Validate reports the first value that can't be measured, and what is allowed.
func (w Workload) Validate() error {
	switch {
	case w.Work != TrainWork && w.Work != InferWork:
		return fmt.Errorf("work %q; allowed: %s, %s", w.Work, TrainWork, InferWork)
	case w.Batch < 1:
		return fmt.Errorf("batch size %d; allowed: 1 or more", w.Batch)
	case !positive(w.Seconds):
		return fmt.Errorf("%g seconds; allowed: more than 0", w.Seconds)
	case w.Steps < 1:
		return fmt.Errorf("%d steps; allowed: 1 or more", w.Steps)
	}
	if err := w.Precision.Check(""); err != nil {
		return err
	}
	return w.Model.Validate()
}

// Throughput is what a [Workload] was measured to do.
type Throughput struct {
	// FirstStep is the time in seconds from nothing built to the first step's
	// result: initial weights, compiling, one step. Opening the backend is not in it.
	FirstStep float64 `json:"first_step_s"`
	Steps     int     `json:"steps"` // timed
	// StepMedian and StepP95 are wall times of a step in milliseconds.
	StepMedian float64 `json:"step_ms_median"`
	StepP95    float64 `json:"step_ms_p95"`
	// ProcessorMedian is the processor time of a step, of all threads, in
	// milliseconds: what other work on the machine disturbs least. 0 where the
	// system doesn't tell it.
	ProcessorMedian float64 `json:"processor_ms_median"`
	ImagesPerSecond float64 `json:"images_per_s"` // over all timed steps
	// FLOPs and Bytes are those of a step: [Workload.FLOPs], and the traffic to
	// memory that it can't do without (see traffic).
	FLOPs int64 `json:"flops"`
	Bytes int64 `json:"bytes"`
	// StartMemory is the process's resident set before the network is built,
	// PeakMemory its largest (VmHWM), in bytes; 0 where the system doesn't tell.
	// A GPU's own memory is in neither.
	StartMemory int64 `json:"start_memory_bytes"`
	PeakMemory  int64 `json:"peak_memory_bytes"`
}

// FLOPsPerSecond is the rate of arithmetic at the median step.
func (t Throughput) FLOPsPerSecond() float64 { return float64(t.FLOPs) / t.StepMedian * 1e3 }

// Intensity is the arithmetic for each byte of traffic, in FLOP a byte.
func (t Throughput) Intensity() float64 { return float64(t.FLOPs) / float64(t.Bytes) }

// loading is how many batches of images the steps of a measurement are gathered from.
const loading = 8

// side is the height and width in pixels of the images measured with, CIFAR-10's.
const side = 32

// Measure times a workload on made-up images. Its peak of memory is the
// process's so far: ask for it in a fresh process.
func Measure(ctx context.Context, backend compute.Backend, w Workload) (Throughput, error) {
	if err := w.Validate(); err != nil {
		return Throughput{}, fmt.Errorf("measure: %w", err)
	}
	t := Throughput{FLOPs: w.FLOPs(), StartMemory: memory("VmRSS")}
	images := noise(w)
	began := time.Now()
	net, err := NewNetwork(backend, w.Model, 1)
	if err != nil {
		return Throughput{}, fmt.Errorf("measure: %w", err)
	}
	defer net.Close()
	m := measurement{Workload: w, net: net, images: images}
	step, err := m.prepare(ctx)
	if err != nil {
		return Throughput{}, fmt.Errorf("measure: %w", err)
	}
	if m.steps != nil {
		defer m.steps.exec.Finalize()
	}
	if err := step(0); err != nil {
		return Throughput{}, fmt.Errorf("measure: %w", err)
	}
	t.FirstStep = time.Since(began).Seconds()
	t.Bytes = m.bytes
	if err := t.time(ctx, w, step); err != nil {
		return Throughput{}, fmt.Errorf("measure: %w", err)
	}
	t.PeakMemory = max(peakMemory(), t.StartMemory) // the system's two counts differ by some pages
	return t, nil
}

// time runs steps after a warm-up and fills in what they took.
func (t *Throughput) time(ctx context.Context, w Workload, step func(i int) error) error {
	var wall, processor []float32 // ms
	var from time.Time
	for i := 1; ; i++ {
		if i == warmSteps {
			from = time.Now()
		}
		if i >= warmSteps+w.Steps && time.Since(from).Seconds() >= w.Seconds {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		began, used := time.Now(), ProcessorTime()
		if err := step(i); err != nil {
			return err
		}
		if i >= warmSteps {
			wall = append(wall, float32(time.Since(began).Seconds()*1e3))
			processor = append(processor, float32((ProcessorTime()-used).Seconds()*1e3))
		}
	}
	t.Steps = len(wall)
	t.ImagesPerSecond = float64(t.Steps*w.Batch) / time.Since(from).Seconds()
	t.StepMedian, t.StepP95, t.ProcessorMedian = quantile(wall, .5), quantile(wall, .95), quantile(processor, .5)
	return nil
}

// warmSteps are not timed, the first one included.
const warmSteps = 3

// measurement is a workload ready to run.
type measurement struct {
	Workload
	net    *Network
	steps  *stepper // nil where it infers
	images datasets.Split
	bytes  int64
}

// prepare compiles the workload and returns its step.
func (m *measurement) prepare(ctx context.Context) (step func(i int) error, err error) {
	if m.Work == InferWork {
		m.net.half = m.Precision == BFloat16
		g, err := m.net.compiled(m.Batch, side, side)
		if err != nil {
			return nil, err
		}
		m.bytes = traffic(g)
		size := m.Batch * m.images.ImageSize()
		return func(i int) error {
			at := i % loading * size
			_, err := m.net.Logits(ctx, m.images.Images[at:at+size], side, side, m.Batch)
			return err
		}, nil
	}
	if err := m.net.Adapt(m.images); err != nil {
		return nil, err
	}
	optimizer := DefaultAdamW(1e-4)
	if m.steps, err = newStepper(m.net, Recipe{Model: m.Model, Batch: m.Batch, Optimizer: optimizer, Precision: m.Precision, Seed: 1}); err != nil {
		return nil, err
	}
	g, err := m.steps.compiled(m.Batch, side, side)
	if err != nil {
		return nil, err
	}
	m.bytes = traffic(g)
	order := datasets.Order(m.images.Len(), 1, 0)
	b := &batch{images: make([]uint8, m.Batch*m.images.ImageSize()), labels: make([]int32, m.Batch), share: 1}
	return func(i int) error {
		m.images.Batch(order, i%loading*m.Batch, m.Batch, b.images, b.labels)
		_, err := m.steps.run(int64(i+1), optimizer.LearningRate, b, side, side)
		return err
	}, nil
}

// noise makes up labelled images for some batches, the same every time.
func noise(w Workload) datasets.Split {
	count := loading * w.Batch
	random := rand.New(rand.NewPCG(1, 2))
	s := datasets.Split{Channels: w.Model.Channels, Images: make([]uint8, count*side*side*w.Model.Channels), Labels: make([]uint16, count)}
	for i := range s.Images {
		s.Images[i] = uint8(random.Uint32())
	}
	for i := range s.Labels {
		s.Labels[i] = uint16(random.IntN(min(w.Model.Classes, 1<<16)))
	}
	return s
}
