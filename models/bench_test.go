package models

import (
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
)

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkNetworks times a step of training (plain gradient descent, dropout on) and one of inference at
// the reference's batch size, on XLA where it is installed. Besides wall time it gives processor time,
// which a busy machine disturbs less.
func BenchmarkNetworks(b *testing.B) { benchmarkNetworks(b, anyBackend) }

// BenchmarkNetworksInGo does the same on the pure-Go backend.
func BenchmarkNetworksInGo(b *testing.B) { benchmarkNetworks(b, goBackend) }

func benchmarkNetworks(b *testing.B, open func(testing.TB) compute.Backend) {
	for _, entry := range Named() {
		c, batch := entry.Config, entry.Training.Batch
		b.Run(c.ID+"/train", func(b *testing.B) {
			opened := open(b)
			benchmark(b, opened, c, batch, func(scope *model.Scope, images, seed *graph.Node) *graph.Node {
				loss := entropy(c.Logits(scope, images, Pass{Training: true, Seed: seed, Kernels: backend.Kernels(images.Graph())}))
				descend(scope, loss, 1e-3)
				return loss
			})
		})
		b.Run(c.ID+"/infer", func(b *testing.B) {
			opened := open(b)
			benchmark(b, opened, c, batch, func(scope *model.Scope, images, _ *graph.Node) *graph.Node {
				return c.Logits(scope, images, Pass{Kernels: backend.Kernels(images.Graph())})
			})
		})
	}
}

func benchmark(b *testing.B, opened compute.Backend, c Config, batch int, build func(scope *model.Scope, images, seed *graph.Node) *graph.Node) {
	exec, err := model.NewExec(opened, ready(b, c, 1), build)
	if err != nil {
		b.Fatal(err)
	}
	defer exec.Finalize()
	images := pictures(batch, 32, 3)
	step := func(i int) {
		out, err := exec.Call1(images, uint32(i))
		if err == nil {
			err = out.ConstFlatData(func(any) {}) // waits for the result
		}
		if err != nil {
			b.Fatal(err)
		}
		if err := out.FinalizeAll(); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 3 { // compile, warm up
		step(i)
	}
	start := cpuTime()
	n := 0
	for b.Loop() {
		step(n)
		n++
	}
	b.ReportMetric(float64((cpuTime()-start).Microseconds())/1000/float64(n), "cpu-ms/op")
	b.ReportMetric(float64(batch*n)/b.Elapsed().Seconds(), "images/s")
}
