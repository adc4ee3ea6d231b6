package experiments

import (
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/datasets/augment"
	"patchlab/models"
)

// deaf is a recorder that keeps nothing.
type deaf struct{}

func (deaf) SetParams(map[string]string) error       { return nil }
func (deaf) Log(int64, map[string]float64) error     { return nil }
func (deaf) AddArtifact(_ string, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
func (deaf) Flush() error                            { return nil }

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkModern measures what each part of a modern recipe adds to the step of the three models for small
// images: by turns, so that a busy machine disturbs all alike, two whole steps of 32 images with each part,
// drawing and varying included. It reports the median over the rounds of the part's processor time over that
// of the plain step (1.05 is 5 % more); "again" is the plain step once more. Larger batches make the parts that cost by the weight, not by the
// image (ema, clip), cheaper.
func BenchmarkModern(b *testing.B) {
	xla, info, err := backend.Open(b.Context(), backend.XLA, io.Discard)
	if err != nil {
		b.Skipf("no XLA here: %v", err)
	}
	const batch, steps = 32, 2
	d, err := datasets.Load(b.Context(), "shapes", datasets.Options{TrainLimit: batch*steps + 1, TestLimit: 1})
	if err != nil {
		b.Fatal(err)
	}
	vary := func(p augment.Policy) func(*Recipe) { return func(r *Recipe) { r.Augment = &p } }
	parts := []struct {
		name   string
		change func(*Recipe)
	}{
		{"plain", func(*Recipe) {}},
		{"again", func(*Recipe) {}}, // the same once more: how far noise alone goes
		{"smoothing", func(r *Recipe) { r.LabelSmoothing = .1 }},
		{"crop-flip", vary(augment.Policy{Crop: 4, Flip: true})},
		{"rand-2", vary(augment.Policy{Rand: &augment.Rand{Operations: 2, Magnitude: 9}})},
		{"erase", vary(augment.Policy{Erase: 1})},
		{"mixup", vary(augment.Policy{Mixing: &augment.Mixing{Mixup: .8, Probability: 1}})},
		{"cutmix", vary(augment.Policy{Mixing: &augment.Mixing{CutMix: 1, Probability: 1}})},
		{"depth", func(r *Recipe) { r.Model.StochasticDepth = .1 }},
		{"ema", func(r *Recipe) { r.EMA = .999 }},
		{"clip", func(r *Recipe) { r.Optimizer.ClipNorm = 1 }},
		{"all", func(r *Recipe) {
			r.LabelSmoothing, r.Model.StochasticDepth, r.EMA, r.Optimizer.ClipNorm = .1, .1, .999, 1
			vary(augment.Policy{
				Crop: 4, Flip: true, Rand: &augment.Rand{Operations: 2, Magnitude: 9}, Erase: .25,
				Mixing: &augment.Mixing{Mixup: .8, CutMix: 1, Probability: 1},
			})(r)
		}},
	}
	for _, id := range []string{"mixer-128-8", "convmixer-256-8", "vit-lite-7-4"} {
		b.Run(id, func(b *testing.B) {
			config, err := models.Parse(id)
			if err != nil {
				b.Fatal(err)
			}
			trainers := make([]*trainer, len(parts))
			times := make([][]float64, len(parts))
			for i, part := range parts {
				r := Recipe{
					Model: config, Data: Data{Name: "shapes", Validation: 1. / (batch*steps + 1)}, Batch: batch, Epochs: 1,
					Optimizer: DefaultAdamW(1e-4), Keep: KeepLast,
				}
				part.change(&r)
				t, err := newTrainer(Job{Recipe: r, Dataset: d, Backend: xla, BackendName: info.Name, Recorder: deaf{}})
				if err != nil {
					b.Fatal(err)
				}
				defer t.close()
				if err := t.compile(); err != nil {
					b.Fatal(err)
				}
				trainers[i] = t
			}
			epoch := func(t *trainer) float64 {
				t.state.Images = 0
				began := cpuTime(b)
				batches := t.feed()
				for range steps {
					if err := t.step(batches); err != nil {
						b.Fatal(err)
					}
				}
				batches.close()
				return (cpuTime(b) - began).Seconds() * 1e3 / steps
			}
			for _, t := range trainers {
				epoch(t) // warms up
			}
			for b.Loop() {
				first := len(times[0]) // each round begins with another
				for k := range trainers {
					i := (first + k) % len(trainers)
					times[i] = append(times[i], epoch(trainers[i]))
				}
			}
			median := func(x []float64) float64 { return slices.Sorted(slices.Values(x))[len(x)/2] }
			b.ReportMetric(median(times[0]), "plain-cpu-ms/step")
			for i, part := range parts[1:] {
				ratios := make([]float64, len(times[0]))
				for k := range ratios {
					ratios[k] = times[i+1][k] / times[0][k]
				}
				b.ReportMetric(median(ratios), strings.ReplaceAll(part.name, "-", "_")+"/plain")
			}
		})
	}
}
