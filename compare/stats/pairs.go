package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Effect is the size of a difference in a unit that does not depend on the
// scale of the values.
type Effect struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Test is the outcome of comparing two configurations. Estimate is the first
// less the second, in the unit of the values; Interval belongs to it. P is
// two-sided and not corrected for many comparisons (see [Holm]); it is NaN
// where the data allow no test, which Warnings then explain.
type Test struct {
	Name        string
	Estimate    float64
	Interval    Interval
	Statistic   float64
	DF          float64
	P           float64
	Effect      Effect
	N1, N2      int
	Assumptions []string
	Warnings    []string
}

// PairedT compares a[i] with b[i], for instance the accuracies of two
// configurations trained with the same seed i. Effect is Cohen's d of the
// differences with Hedges' correction for small samples.
func PairedT(a, b []float64, level float64) (Test, error) {
	if len(a) != len(b) || len(a) < 2 {
		return Test{}, fmt.Errorf("a paired test needs two samples of the same length, at least 2, got %d and %d", len(a), len(b))
	}
	if err := checkSamples(level, a, b); err != nil {
		return Test{}, err
	}
	diff := make([]float64, len(a))
	for i := range a {
		diff[i] = a[i] - b[i]
	}
	n := float64(len(a))
	mean, sd := stat.MeanStdDev(diff, nil)
	t := Test{
		Name: "paired t", Estimate: mean, DF: n - 1, N1: len(a), N2: len(b),
		Assumptions: []string{
			"the seeds are a fair sample of all seeds",
			"differences between runs of the same seed are about normal",
		},
		Warnings: fewSeeds(len(a)),
	}
	t.studentise(sd/math.Sqrt(n), level)
	t.Effect = Effect{"Hedges' g of the differences", hedges(mean, sd, n-1)}
	return t, nil
}

// Welch compares two independent samples without assuming equal variances
// (Welch 1947). Effect is Hedges' g with the pooled standard deviation.
func Welch(a, b []float64, level float64) (Test, error) {
	if len(a) < 2 || len(b) < 2 {
		return Test{}, fmt.Errorf("a Welch test needs at least 2 values on each side, got %d and %d", len(a), len(b))
	}
	if err := checkSamples(level, a, b); err != nil {
		return Test{}, err
	}
	n1, n2 := float64(len(a)), float64(len(b))
	mean1, var1 := stat.MeanVariance(a, nil)
	mean2, var2 := stat.MeanVariance(b, nil)
	se1, se2 := var1/n1, var2/n2
	t := Test{
		Name: "Welch t", Estimate: mean1 - mean2, N1: len(a), N2: len(b),
		DF: (se1 + se2) * (se1 + se2) / (se1*se1/(n1-1) + se2*se2/(n2-1)),
		Assumptions: []string{
			"the seeds are a fair sample of all seeds, independent in the two configurations",
			"accuracies over seeds are about normal",
		},
		Warnings: fewSeeds(min(len(a), len(b))),
	}
	t.studentise(math.Sqrt(se1+se2), level)
	pooled := math.Sqrt(((n1-1)*var1 + (n2-1)*var2) / (n1 + n2 - 2))
	t.Effect = Effect{"Hedges' g", hedges(t.Estimate, pooled, n1+n2-2)}
	return t, nil
}

// studentise fills in statistic, p-value and interval from the standard error
// of the estimate. Without any spread there is no test.
func (t *Test) studentise(se, level float64) {
	t.Interval = Interval{Low: t.Estimate, High: t.Estimate, Level: level, Method: "t"}
	if se <= 1e-12*math.Abs(t.Estimate) || math.IsNaN(t.DF) { // nothing but rounding
		t.Statistic, t.P = math.NaN(), math.NaN()
		t.Warnings = append(t.Warnings, "no spread over the seeds, so no test: a difference cannot be told from chance")
		return
	}
	t.Statistic = t.Estimate / se
	t.P = 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: t.DF}.Survival(math.Abs(t.Statistic))
	half := tQuantile(t.DF, level) * se
	t.Interval.Low, t.Interval.High = t.Estimate-half, t.Estimate+half
}

// hedges is Cohen's d times Hedges' exact correction for df degrees of
// freedom (Hedges 1981, "Distribution theory for Glass's estimator of effect
// size"). NaN without spread.
func hedges(difference, sd, df float64) float64 {
	if sd <= 1e-12*math.Abs(difference) {
		return math.NaN()
	}
	if df < 2 {
		return difference / sd // the correction is not defined at one degree of freedom
	}
	top, _ := math.Lgamma(df / 2)
	bottom, _ := math.Lgamma((df - 1) / 2)
	return difference / sd * math.Exp(top-bottom) / math.Sqrt(df/2)
}

func checkSamples(level float64, samples ...[]float64) error {
	if err := checkLevel(level); err != nil {
		return err
	}
	for _, s := range samples {
		if err := checkFinite(s); err != nil {
			return err
		}
	}
	return nil
}

func fewSeeds(n int) []string {
	if n >= 5 {
		return nil
	}
	return []string{fmt.Sprintf("only %d seeds: normality cannot be judged, a small difference cannot be shown", n)}
}
