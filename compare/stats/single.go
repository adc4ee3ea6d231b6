package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// OneAgainst compares a single run with a sample of at least two by the pooled
// t test, in which the single run takes its spread from the others: its
// estimate has standard error s·√(1+1/n) with n-1 degrees of freedom.
func OneAgainst(one float64, several []float64, level float64) (Test, error) {
	if len(several) < 2 {
		return Test{}, fmt.Errorf("one run is tested against at least 2 others, got %d", len(several))
	}
	if err := checkSamples(level, []float64{one}, several); err != nil {
		return Test{}, err
	}
	n := float64(len(several))
	mean, sd := stat.MeanStdDev(several, nil)
	t := Test{
		Name: "pooled t", Estimate: one - mean, DF: n - 1, N1: 1, N2: len(several),
		Assumptions: []string{
			"the seeds are a fair sample of all seeds",
			"the configuration with one run varies over seeds as much as the other",
			"accuracies over seeds are about normal",
		},
		Warnings: append(fewSeeds(len(several)), "one side has a single run, whose spread is taken from the other"),
	}
	t.studentise(sd*math.Sqrt(1+1/n), level)
	t.Effect = Effect{"Hedges' g", hedges(t.Estimate, sd, n-1)}
	return t, nil
}

// Turned is the same test with first and second exchanged.
func (t Test) Turned() Test {
	t.Estimate, t.Statistic = -t.Estimate, -t.Statistic
	t.Interval.Low, t.Interval.High = -t.Interval.High, -t.Interval.Low
	t.N1, t.N2 = t.N2, t.N1
	t.Effect.Value = -t.Effect.Value
	return t
}
