package stats

import (
	"math"
	"slices"
)

// Holm adjusts p-values for having made len(p) comparisons (Holm 1979, "A
// simple sequentially rejective multiple test procedure"): the chance that any
// true null is called a difference stays below the level at which the adjusted
// values are read, whatever the tests' dependence. The result has p's order.
// NaN, no test made, stays NaN and does not count.
func Holm(p []float64) []float64 {
	order := make([]int, 0, len(p))
	adjusted := make([]float64, len(p))
	for i, v := range p {
		adjusted[i] = math.NaN()
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	worst := 0.0
	for rank, i := range order {
		worst = math.Max(worst, math.Min(1, p[i]*float64(len(order)-rank)))
		adjusted[i] = worst
	}
	return adjusted
}
