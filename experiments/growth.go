package experiments

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"patchlab/models"
)

// Axis is what a workload grows by while all else stays.
type Axis string

// The axes of growth.
const (
	// TokenAxis enlarges the image, its patches staying as large.
	TokenAxis Axis = "tokens"
	// DimAxis widens the token table; heads, and hidden widths that a block
	// fixes, stay.
	DimAxis Axis = "dim"
	// DepthAxis repeats the stack's blocks.
	DepthAxis Axis = "depth"
	// BatchAxis is images a step.
	BatchAxis Axis = "batch"
)

// Axes lists the axes there are.
func Axes() []Axis { return []Axis{TokenAxis, DimAxis, DepthAxis, BatchAxis} }

// Grown is a workload at one place of an axis.
type Grown struct {
	Axis Axis `json:"axis"`
	// Value is the number of tokens (without a class token), channels, blocks
	// or images.
	Value int `json:"value"`
	Workload
}

// Grow returns a workload at four places of an axis: 16, 64, 256 and 1,024
// tokens; 32, 64, 128 and 256 channels; the pattern of its blocks once to four
// times; its batch once, twice, four and eight times.
func (w Workload) Grow(axis Axis) ([]Grown, error) {
	var out []Grown
	add := func(value int, change func(*Workload)) {
		g := Grown{Axis: axis, Value: value, Workload: w}
		change(&g.Workload)
		out = append(out, g)
	}
	pattern := period(w.Model.Blocks)
	for i := range 4 {
		switch axis {
		case TokenAxis:
			grid := 4 << i
			add(grid*grid, func(g *Workload) { g.Model.ImageSize = grid * w.Model.PatchSize })
		case DimAxis:
			add(32<<i, func(g *Workload) { g.Model.Dim = 32 << i })
		case DepthAxis:
			blocks := slices.Repeat(pattern, i+1)
			add(len(blocks), func(g *Workload) { g.Model.Blocks = blocks })
		case BatchAxis:
			add(w.Batch<<i, func(g *Workload) { g.Batch = w.Batch << i })
		default:
			return nil, fmt.Errorf("axis %q; allowed: %v", axis, Axes())
		}
	}
	return out, nil
}

// period is the shortest stack that, repeated, is the stack.
func period(stack models.Stack) models.Stack {
	for n := 1; n < len(stack); n++ {
		if len(stack)%n == 0 && slices.Equal(slices.Repeat(stack[:n], len(stack)/n), stack) {
			return stack[:n]
		}
	}
	return stack
}

// PowerLaw is y = c·xᵉ, fitted to measurements.
type PowerLaw struct {
	Exponent float64 `json:"exponent"`
	// StandardError is the exponent's, and Low to High its 95 % interval by
	// Student's t with Points − 2 degrees of freedom. Both take the deviations
	// from the law for noise: where growth bends, they say how badly one
	// exponent describes it.
	StandardError float64 `json:"standard_error"`
	Low           float64 `json:"low"`
	High          float64 `json:"high"`
	// From and To bound the x that were measured, and so where the law holds.
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Points int     `json:"points"`
}

// FitPowerLaw fits by ordinary least squares on logarithms. It wants three
// points or more, all above 0, and two x that differ.
func FitPowerLaw(x, y []float64) (PowerLaw, error) {
	if len(x) != len(y) || len(x) < 3 {
		return PowerLaw{}, fmt.Errorf("power law: %d x and %d y; allowed: as many of both, 3 or more", len(x), len(y))
	}
	logs := [2][]float64{}
	for i, values := range [][]float64{x, y} {
		for _, v := range values {
			if !positive(v) {
				return PowerLaw{}, fmt.Errorf("power law: value %g; allowed: more than 0", v)
			}
			logs[i] = append(logs[i], math.Log(v))
		}
	}
	law := PowerLaw{From: slices.Min(x), To: slices.Max(x), Points: len(x)}
	if law.From == law.To {
		return PowerLaw{}, fmt.Errorf("power law: every x is %g; two must differ", law.From)
	}
	intercept, slope := stat.LinearRegression(logs[0], logs[1], nil, false)
	free := float64(len(x) - 2)
	residual, spread := 0., 0.
	mean := stat.Mean(logs[0], nil)
	for i := range x {
		d := logs[1][i] - intercept - slope*logs[0][i]
		residual += d * d
		spread += (logs[0][i] - mean) * (logs[0][i] - mean)
	}
	law.Exponent, law.StandardError = slope, math.Sqrt(residual/free/spread)
	half := law.StandardError * distuv.StudentsT{Sigma: 1, Nu: free}.Quantile(.975)
	law.Low, law.High = slope-half, slope+half
	return law, nil
}
