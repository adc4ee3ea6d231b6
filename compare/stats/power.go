package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// mostSeeds is the largest number of seeds that [SeedsPaired] and [SeedsWelch]
// look at; a difference that needs more is out of reach.
const mostSeeds = 1000

// SeedsPaired gives the number of seed pairs with which a two-sided paired t
// test at level alpha shows, with the given power, a mean difference whose
// ratio to the standard deviation of the differences is effect. It returns 0
// if more than 1,000 were needed.
func SeedsPaired(effect, alpha, power float64) (int, error) {
	return seeds(effect, alpha, power, func(n float64) (df, ncp float64) {
		return n - 1, math.Abs(effect) * math.Sqrt(n)
	})
}

// SeedsWelch gives the same for two independent groups of that many seeds
// each, effect being the ratio of the difference to the common standard
// deviation.
func SeedsWelch(effect, alpha, power float64) (int, error) {
	return seeds(effect, alpha, power, func(n float64) (df, ncp float64) {
		return 2*n - 2, math.Abs(effect) * math.Sqrt(n/2)
	})
}

func seeds(effect, alpha, power float64, shape func(n float64) (df, ncp float64)) (int, error) {
	if !(alpha > 0 && alpha < 1) || !(power > 0 && power < 1) {
		return 0, fmt.Errorf("alpha and power lie between 0 and 1, got %v and %v", alpha, power)
	}
	if math.IsNaN(effect) {
		return 0, fmt.Errorf("the effect is not a number")
	}
	reached := func(n int) bool { return tPower(shape, n, alpha) >= power }
	if effect == 0 || !reached(mostSeeds) {
		return 0, nil
	}
	low, high := 1, 2 // low never suffices: no test with one seed
	for !reached(high) {
		low, high = high, min(2*high, mostSeeds)
	}
	for high-low > 1 {
		if middle := (low + high) / 2; reached(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// tPower is the probability that a two-sided t test rejects.
func tPower(shape func(n float64) (df, ncp float64), n int, alpha float64) float64 {
	df, ncp := shape(float64(n))
	critical := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - alpha/2)
	if ncp > 30 { // beyond the range of the series; such a difference is seen at once
		return 1
	}
	t := distuv.NoncentralT{Nu: df, Mu: ncp}
	return 1 - t.CDF(critical) + t.CDF(-critical)
}
