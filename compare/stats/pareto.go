package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Front marks the points that no other dominates, more being better in both
// x and y: nobody is at least as good in both and better in one. A point with
// a NaN is not on the front and dominates nobody.
func Front(x, y []float64) []bool {
	on := make([]bool, len(x))
	for i := range x {
		on[i] = !math.IsNaN(x[i]) && !math.IsNaN(y[i])
		for j := 0; on[i] && j < len(x); j++ {
			atLeast := x[j] >= x[i] && y[j] >= y[i]
			if atLeast && (x[j] > x[i] || y[j] > y[i]) {
				on[i] = false
			}
		}
	}
	return on
}

// Cloud is what was measured of one configuration: run i has speed X[i] and
// accuracy Y[i], a fraction measured on Trials images.
type Cloud struct {
	X, Y   []float64
	Trials int
}

// FrontProbability gives, for each configuration, the share of bootstrap
// worlds in which it is on the Pareto front of mean speed against mean
// accuracy. In each world the runs of every configuration are drawn again with
// replacement; the accuracy of a single run is drawn from the binomial of its
// test images instead, its speed stays. With few seeds the resampling
// understates the spread by √((n-1)/n), which is corrected by stretching
// the drawn means about the true one.
func FrontProbability(clouds []Cloud, worlds int, src rand.Source) ([]float64, error) {
	if worlds < 1 {
		return nil, fmt.Errorf("the front's probability needs at least one bootstrap world, got %d", worlds)
	}
	means := make([][2]float64, len(clouds))
	for i, c := range clouds {
		if len(c.X) != len(c.Y) || len(c.X) == 0 {
			return nil, fmt.Errorf("configuration %d has %d speeds and %d accuracies, needs the same number, at least 1", i, len(c.X), len(c.Y))
		}
		if err := checkSamples(.5, c.X, c.Y); err != nil {
			return nil, fmt.Errorf("configuration %d: %w", i, err)
		}
		means[i] = [2]float64{Describe(c.X).Mean, Describe(c.Y).Mean}
	}
	rng := rand.New(src)
	count := make([]float64, len(clouds))
	x, y := make([]float64, len(clouds)), make([]float64, len(clouds))
	for range worlds {
		for i, c := range clouds {
			x[i], y[i] = c.draw(means[i], rng, src)
		}
		for i, on := range Front(x, y) {
			if on {
				count[i]++
			}
		}
	}
	for i := range count {
		count[i] /= float64(worlds)
	}
	return count, nil
}

func (c Cloud) draw(mean [2]float64, rng *rand.Rand, src rand.Source) (x, y float64) {
	n := len(c.X)
	if n == 1 {
		if c.Trials < 1 {
			return c.X[0], c.Y[0]
		}
		return c.X[0], float64(binomial(c.Trials, c.Y[0], src)) / float64(c.Trials)
	}
	for range n {
		k := rng.IntN(n)
		x += c.X[k]
		y += c.Y[k]
	}
	stretch := math.Sqrt(float64(n) / float64(n-1))
	return mean[0] + stretch*(x/float64(n)-mean[0]), mean[1] + stretch*(y/float64(n)-mean[1])
}
