package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a two-sided confidence interval in the unit of the values it
// was made of. Method names how it was made: "t", "BCa", "Wilson",
// "bootstrap".
type Interval struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Level  float64 `json:"level"`
	Method string  `json:"method"`
}

// Contains reports whether x lies in the closed interval.
func (iv Interval) Contains(x float64) bool { return iv.Low <= x && x <= iv.High }

// Summary describes a sample. StdDev is the sample's (n-1 below the line), NaN
// for one value.
type Summary struct {
	N      int     `json:"n"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"std_dev"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Describe summarises values. An empty sample has N 0 and NaN elsewhere.
func Describe(values []float64) Summary {
	nan := math.NaN()
	if len(values) == 0 {
		return Summary{Mean: nan, StdDev: nan, Min: nan, Max: nan}
	}
	s := Summary{N: len(values), Min: values[0], Max: values[0], StdDev: nan}
	for _, v := range values {
		s.Min = math.Min(s.Min, v)
		s.Max = math.Max(s.Max, v)
	}
	if len(values) == 1 {
		s.Mean = values[0]
		return s
	}
	s.Mean, s.StdDev = stat.MeanStdDev(values, nil)
	return s
}

// MeanT gives Student's t interval for the mean of a sample of at least two
// values: mean ± t(level, n-1)·s/√n. It assumes that the values are
// independent and about normal (Student 1908, "The probable error of a mean").
func MeanT(values []float64, level float64) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	if len(values) < 2 {
		return Interval{}, fmt.Errorf("a t interval needs at least 2 values, got %d", len(values))
	}
	if err := checkFinite(values); err != nil {
		return Interval{}, err
	}
	n := float64(len(values))
	mean, sd := stat.MeanStdDev(values, nil)
	half := tQuantile(n-1, level) * sd / math.Sqrt(n)
	return Interval{Low: mean - half, High: mean + half, Level: level, Method: "t"}, nil
}

// Wilson gives the score interval for a proportion of successes in n
// independent trials (Wilson 1927, "Probable inference, the law of
// succession, and statistical inference"). It stays within [0, 1].
func Wilson(successes, n int, level float64) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	if n < 1 || successes < 0 || successes > n {
		return Interval{}, fmt.Errorf("a binomial interval needs 0 <= successes <= n and n >= 1, got %d of %d", successes, n)
	}
	z := distuv.UnitNormal.Quantile(1 - (1-level)/2)
	count, p := float64(n), float64(successes)/float64(n)
	scale := 1 + z*z/count
	centre := (p + z*z/(2*count)) / scale
	half := z / scale * math.Sqrt(p*(1-p)/count+z*z/(4*count*count))
	return Interval{
		Low:   math.Max(0, centre-half),
		High:  math.Min(1, centre+half),
		Level: level, Method: "Wilson",
	}, nil
}

// tQuantile is the factor that a two-sided t interval of this level needs.
func tQuantile(df, level float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - (1-level)/2)
}

func checkLevel(level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("a confidence level lies between 0 and 1, got %v", level)
	}
	return nil
}

func checkFinite(values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("value %d of the sample is %v, statistics need finite numbers", i, v)
		}
	}
	return nil
}
