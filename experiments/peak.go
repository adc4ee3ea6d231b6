package experiments

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Peak is the most that a backend was measured to do on its machine: the two
// roofs of a roofline (Williams, Waterman & Patterson 2009).
type Peak struct {
	// FLOPsPerSecond is that of the product of two square matrices of Side
	// rows in the precision asked for, the best of several.
	FLOPsPerSecond float64 `json:"flops_per_s"`
	Side           int     `json:"side"`
	// BytesPerSecond is that of STREAM's triad a = b + 3c over float32 arrays of
	// Length elements (McCalpin 1995): two read, one written, the best of several.
	BytesPerSecond float64 `json:"bytes_per_s"`
	Length         int     `json:"length"`
	// FLOPsPerProcessorSecond is the product's, by the processor time of all
	// threads; 0 where the system doesn't tell it.
	FLOPsPerProcessorSecond float64 `json:"flops_per_processor_s"`
}

// Ridge is the intensity, in FLOP a byte, from which on arithmetic is the limit
// and below which memory is.
func (p Peak) Ridge() float64 { return p.FLOPsPerSecond / p.BytesPerSecond }

// Roof is the most FLOP a second that an intensity allows.
func (p Peak) Roof(intensity float64) float64 {
	return min(p.FLOPsPerSecond, p.BytesPerSecond*intensity)
}

// Sizes of the measurement of a peak.
const (
	leastSide, mostSide = 512, 8192
	triadLength         = 1 << 25 // 128 MiB an array, beyond most caches
	// peakRuns and peakSeconds are how often and how long a measurement runs at
	// least: on a busy machine a run that nothing disturbs is rare.
	peakRuns    = 8
	peakSeconds = 1.5
)

// productSeconds is how long a product takes at least, in processor time where
// the system tells it, so that starting it doesn't count.
const productSeconds = .1

// MeasurePeak measures a backend's peak, the product's in a precision, some seconds long.
func MeasurePeak(ctx context.Context, backend compute.Backend, precision Precision) (Peak, error) {
	var p Peak
	for p.Side = leastSide; ; p.Side *= 2 {
		best, processor, err := product(ctx, backend, p.Side, precision)
		if err != nil {
			return Peak{}, fmt.Errorf("measure the peak: product of %d² matrices: %w", p.Side, err)
		}
		flops := 2 * float64(p.Side) * float64(p.Side) * float64(p.Side)
		p.FLOPsPerSecond = flops / best.Seconds()
		if processor > 0 {
			p.FLOPsPerProcessorSecond = flops / processor.Seconds()
		}
		if cmp.Or(processor, best).Seconds() >= productSeconds || p.Side == mostSide {
			break
		}
	}
	p.Length = triadLength
	best, err := triad(ctx, backend, p.Length)
	if err != nil {
		return Peak{}, fmt.Errorf("measure the peak: triad: %w", err)
	}
	p.BytesPerSecond = 3 * 4 * float64(p.Length) / best.Seconds()
	return p, nil
}

// product times the product of two square matrices. Its largest value comes
// back, which the compiler can't find without the whole product.
func product(ctx context.Context, backend compute.Backend, side int, precision Precision) (wall, processor time.Duration, err error) {
	return fastest(ctx, backend, side*side, func(a, b *graph.Node) []*graph.Node {
		a, b = graph.Reshape(a, side, side), graph.Reshape(b, side, side)
		if precision == BFloat16 {
			a, b = graph.ConvertDType(a, dtypes.BFloat16), graph.ConvertDType(b, dtypes.BFloat16)
		}
		most := graph.ReduceAllMax(graph.Dot(a, b).Product())
		return []*graph.Node{graph.ConvertDType(most, dtypes.Float32)}
	})
}

// triad times a = b + 3c.
func triad(ctx context.Context, backend compute.Backend, length int) (time.Duration, error) {
	wall, _, err := fastest(ctx, backend, length, func(b, c *graph.Node) []*graph.Node {
		a := graph.Add(b, graph.MulScalar(c, 3))
		return []*graph.Node{a, graph.Slice(a, graph.AxisElem(0))}
	})
	return wall, err
}

// fastest runs a graph of two arrays and returns the least wall and the least
// processor time. The graph's last result is a small one: that it has come says
// that the graph has run, without a large one being copied.
func fastest(ctx context.Context, backend compute.Backend, length int, build func(x, y *graph.Node) []*graph.Node) (wall, processor time.Duration, err error) {
	err = guard("run", func() error {
		exec, err := graph.NewExec(backend, build)
		if err != nil {
			return err
		}
		defer exec.Finalize()
		values := make([]float32, length)
		for i := range values {
			values[i] = float32(i%1024)/1024 - .5
		}
		x, y := tensors.FromFlatDataAndDimensions(values, length), tensors.FromFlatDataAndDimensions(values, length)
		start := time.Now()
		for i := 0; i < peakRuns || time.Since(start).Seconds() < peakSeconds; i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			began, used := time.Now(), ProcessorTime()
			out, err := exec.Call(x, y)
			if err != nil {
				return err
			}
			if _, err := tensors.CopyFlatData[float32](out[len(out)-1]); err != nil {
				return err
			}
			took, spent := time.Since(began), ProcessorTime()-used
			if i == 1 || i > 1 && took < wall { // the first compiles
				wall = took
			}
			if i == 1 || i > 1 && spent < processor {
				processor = spent
			}
			if err := finalize(out...); err != nil {
				return err
			}
		}
		return finalize(x, y)
	})
	return wall, processor, err
}
