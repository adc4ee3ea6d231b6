package stats_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"patchlab/compare/stats"
)

type bounds struct{ Low, High float64 }

// reference is what testdata/scipy_values.py writes.
type reference struct {
	MadeBy string `json:"made_by"`
	T      []struct {
		Values []float64
		Level  float64
		bounds
	} `json:"t_intervals"`
	BCa []struct {
		Name   string
		Values []float64
		Level  float64
		bounds
	}
	Wilson []struct {
		Successes, N int
		Level        float64
		bounds
	}
	Paired, Welch []struct {
		Name                     string
		A, B                     []float64
		Statistic, P, DF, Effect float64
		bounds
	}
	OneAgainst []struct {
		Name             string
		One              float64
		Several          []float64
		Statistic, P, DF float64
		bounds
	} `json:"one_against"`
	Images []struct {
		Outcomes     [4]int
		Statistic, P float64
		bounds
	}
	Proportions []struct {
		Counts               [4]int
		Statistic, P, Effect float64
		bounds
	} `json:"two_proportions"`
	Descriptions []struct {
		Values []float64
		stats.Summary
	}
	Fronts []struct {
		Trials      int
		Clouds      [][][2]float64
		Probability []float64
	}
	Holm  []struct{ P, Adjusted []float64 }
	Seeds []struct {
		Effect, Alpha, Power float64
		Paired, Welch        int
	} `json:"seeds"`
	Quantiles []struct {
		Values   []float64
		P, Value float64
	}
}

func load(t *testing.T) reference {
	t.Helper()
	data, err := os.ReadFile("../testdata/scipy_values.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// near fails unless got is want to nine digits.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	within(t, what, got, want, 1e-9*math.Max(1, math.Abs(want)))
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.12g, want %.12g within %.1g", what, got, want, tolerance)
	}
}

func TestMeanTAgainstSciPy(t *testing.T) {
	for _, c := range load(t).T {
		iv, err := stats.MeanT(c.Values, c.Level)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "low", iv.Low, c.Low)
		near(t, "high", iv.High, c.High)
	}
}

// TestMeanBCaAgainstSciPy allows 2 % of the interval's width, several times
// the Monte Carlo error of the two bootstraps.
func TestMeanBCaAgainstSciPy(t *testing.T) {
	for _, c := range load(t).BCa {
		iv, err := stats.MeanBCa(c.Values, c.Level, 100_000, rand.NewPCG(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		within(t, c.Name+" low", iv.Low, c.Low, .02*(c.High-c.Low))
		within(t, c.Name+" high", iv.High, c.High, .02*(c.High-c.Low))
	}
}

func TestWilsonAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).Wilson {
		iv, err := stats.Wilson(c.Successes, c.N, c.Level)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "low", iv.Low, c.Low)
		near(t, "high", iv.High, c.High)
	}
}

func TestPairedTAgainstSciPy(t *testing.T) {
	for _, c := range load(t).Paired {
		got, err := stats.PairedT(c.A, c.B, .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+" statistic", got.Statistic, c.Statistic)
		near(t, c.Name+" p", got.P, c.P)
		near(t, c.Name+" df", got.DF, c.DF)
		near(t, c.Name+" effect", got.Effect.Value, c.Effect)
		near(t, c.Name+" low", got.Interval.Low, c.Low)
		near(t, c.Name+" high", got.Interval.High, c.High)
	}
}

func TestWelchAgainstSciPy(t *testing.T) {
	for _, c := range load(t).Welch {
		got, err := stats.Welch(c.A, c.B, .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+" statistic", got.Statistic, c.Statistic)
		near(t, c.Name+" p", got.P, c.P)
		near(t, c.Name+" df", got.DF, c.DF)
		near(t, c.Name+" effect", got.Effect.Value, c.Effect)
		near(t, c.Name+" low", got.Interval.Low, c.Low)
		near(t, c.Name+" high", got.Interval.High, c.High)
	}
}

func TestOneAgainstSeveralAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).OneAgainst {
		got, err := stats.OneAgainst(c.One, c.Several, .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+" statistic", got.Statistic, c.Statistic)
		near(t, c.Name+" p", got.P, c.P)
		near(t, c.Name+" df", got.DF, c.DF)
		near(t, c.Name+" low", got.Interval.Low, c.Low)
		near(t, c.Name+" high", got.Interval.High, c.High)
		turned := got.Turned()
		near(t, c.Name+" turned", turned.Estimate, -got.Estimate)
		near(t, c.Name+" turned low", turned.Interval.Low, -c.High)
	}
}

// TestImagesAgainstStatsmodels checks McNemar's exact p to nine digits, and
// the paired bootstrap, which draws counts, against one that draws images, to
// 4 % of the width or one image.
func TestImagesAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).Images {
		o := stats.Outcomes{Both: c.Outcomes[0], OnlyFirst: c.Outcomes[1], OnlySecond: c.Outcomes[2], Neither: c.Outcomes[3]}
		got, err := stats.McNemar(o, .95, stats.Resamples, rand.NewPCG(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "statistic", got.Statistic, c.Statistic)
		near(t, "p", got.P, c.P)
		tolerance := math.Max(.04*(c.High-c.Low), 1/float64(o.Images())+1e-12)
		within(t, "low", got.Interval.Low, c.Low, tolerance)
		within(t, "high", got.Interval.High, c.High, tolerance)
	}
}

func TestTwoProportionsAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).Proportions {
		got, err := stats.TwoProportions(c.Counts[0], c.Counts[1], c.Counts[2], c.Counts[3], .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "statistic", got.Statistic, c.Statistic)
		near(t, "p", got.P, c.P)
		near(t, "effect", got.Effect.Value, c.Effect)
		near(t, "low", got.Interval.Low, c.Low)
		near(t, "high", got.Interval.High, c.High)
	}
}

func TestDescribeAgainstSciPy(t *testing.T) {
	for _, c := range load(t).Descriptions {
		got := stats.Describe(c.Values)
		if got.N != c.N || got.Min != c.Min || got.Max != c.Max {
			t.Errorf("got %+v, want %+v", got, c.Summary)
		}
		near(t, "mean", got.Mean, c.Mean)
		near(t, "standard deviation", got.StdDev, c.StdDev)
	}
}

// TestFrontProbabilityAgainstNumPy allows .015, four standard errors of the
// two Monte Carlo estimates.
func TestFrontProbabilityAgainstNumPy(t *testing.T) {
	for _, c := range load(t).Fronts {
		var clouds []stats.Cloud
		for _, runs := range c.Clouds {
			cloud := stats.Cloud{Trials: c.Trials}
			for _, run := range runs {
				cloud.X, cloud.Y = append(cloud.X, run[0]), append(cloud.Y, run[1])
			}
			clouds = append(clouds, cloud)
		}
		got, err := stats.FrontProbability(clouds, 20_000, rand.NewPCG(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range got {
			within(t, "probability", p, c.Probability[i], .015)
		}
	}
}

func TestHolmAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).Holm {
		for i, got := range stats.Holm(c.P) {
			near(t, "adjusted", got, c.Adjusted[i])
		}
	}
}

func TestSeedsAgainstStatsmodels(t *testing.T) {
	for _, c := range load(t).Seeds {
		paired, err := stats.SeedsPaired(c.Effect, c.Alpha, c.Power)
		if err != nil {
			t.Fatal(err)
		}
		welch, err := stats.SeedsWelch(c.Effect, c.Alpha, c.Power)
		if err != nil {
			t.Fatal(err)
		}
		if paired != c.Paired || welch != c.Welch {
			t.Errorf("effect %v at alpha %v: got %d paired and %d independent seeds, want %d and %d",
				c.Effect, c.Alpha, paired, welch, c.Paired, c.Welch)
		}
	}
}

func TestQuantileAgainstNumPy(t *testing.T) {
	for _, c := range load(t).Quantiles {
		near(t, "quantile", stats.SortedQuantile(slices.Sorted(slices.Values(c.Values)), c.P), c.Value)
	}
}
