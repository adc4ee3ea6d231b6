package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Resamples is the number of bootstrap samples that the report uses.
const Resamples = 10_000

// MeanBCa gives the bias-corrected and accelerated bootstrap interval for the
// mean (Efron 1987, "Better bootstrap confidence intervals"): percentiles of
// the means of resamples, moved by the bias z0 (ties count half) and the
// acceleration that the jackknife finds. It assumes independent values and
// nothing of their distribution, but with fewer than about 10 values it is
// too narrow.
func MeanBCa(values []float64, level float64, resamples int, src rand.Source) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	if len(values) < 2 {
		return Interval{}, fmt.Errorf("a bootstrap interval needs at least 2 values, got %d", len(values))
	}
	if resamples < 100 {
		return Interval{}, fmt.Errorf("a bootstrap interval needs at least 100 resamples, got %d", resamples)
	}
	if err := checkFinite(values); err != nil {
		return Interval{}, err
	}
	mean := stat.Mean(values, nil)
	if slices.Min(values) == slices.Max(values) {
		return Interval{Low: mean, High: mean, Level: level, Method: "BCa"}, nil
	}
	rng := rand.New(src)
	means := make([]float64, resamples)
	var below, equal float64
	for i := range means {
		var sum float64
		for range values {
			sum += values[rng.IntN(len(values))]
		}
		means[i] = sum / float64(len(values))
		switch off := means[i] - mean; {
		case math.Abs(off) <= 1e-12*math.Abs(mean): // the same sum in another order
			equal++
		case off < 0:
			below++
		}
	}
	slices.Sort(means)
	z0 := distuv.UnitNormal.Quantile((below + equal/2) / float64(resamples))
	accel := meanAcceleration(values)
	at := func(p float64) float64 {
		z := z0 + distuv.UnitNormal.Quantile(p)
		return SortedQuantile(means, distuv.UnitNormal.CDF(z0+z/(1-accel*z)))
	}
	tail := (1 - level) / 2
	return Interval{Low: at(tail), High: at(1 - tail), Level: level, Method: "BCa"}, nil
}

// meanAcceleration is the jackknife's acceleration for the mean:
// sum(d³) / (6·sum(d²)^1.5) with d the mean of the jackknife means less each.
func meanAcceleration(values []float64) float64 {
	n := float64(len(values))
	mean := stat.Mean(values, nil)
	var squares, cubes float64
	for _, v := range values {
		d := (v - mean) / (n - 1) // mean of jackknife means less the mean without v
		squares += d * d
		cubes += d * d * d
	}
	return cubes / (6 * math.Pow(squares, 1.5))
}

// SortedQuantile gives the p-quantile of at least one value in ascending order,
// interpolated linearly as NumPy does by default (type 7 of Hyndman and Fan 1996);
// NaN where p is.
func SortedQuantile(sorted []float64, p float64) float64 {
	if math.IsNaN(p) {
		return math.NaN()
	}
	at := min(1, max(0, p)) * float64(len(sorted)-1)
	low := int(math.Floor(at))
	if low >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	part := at - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}
