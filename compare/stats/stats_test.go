package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"patchlab/compare/stats"
)

func ExampleWelch() {
	mixer := []float64{.6892, .6790, .6921}
	vit := []float64{.6304, .6251, .6347}
	test, err := stats.Welch(mixer, vit, .95)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+.2f points, 95 %% interval %.2f to %.2f, p = %.4f\n",
		100*test.Estimate, 100*test.Interval.Low, 100*test.Interval.High, test.P)
	fmt.Println(test.Warnings[0])
	// Output:
	// +5.67 points, 95 % interval 4.26 to 7.08, p = 0.0006
	// only 3 seeds: normality cannot be judged, a small difference cannot be shown
}

func TestFront(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		x, y []float64
		want []bool
	}{
		{"one", []float64{1}, []float64{1}, []bool{true}},
		{"dominated", []float64{1, 2}, []float64{1, 2}, []bool{false, true}},
		{"trade", []float64{1, 2, 1.5}, []float64{2, 1, 1.5}, []bool{true, true, true}},
		{"equal points are both on it", []float64{1, 1}, []float64{2, 2}, []bool{true, true}},
		{"same speed, worse", []float64{1, 1}, []float64{2, 1}, []bool{true, false}},
		{"NaN", []float64{nan, 1}, []float64{3, 1}, []bool{false, true}},
	} {
		if got := stats.Front(c.x, c.y); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestFrontProbability checks the extremes, and a case that can be worked out:
// two configurations of equal speed with one run each on n images, whose
// accuracies differ by one standard error of the difference: the second is on
// the front when it ties or wins, a normal probability of about Φ(1).
func TestFrontProbability(t *testing.T) {
	const trials, p = 10_000, .6
	se := math.Sqrt(2 * p * (1 - p) / trials)
	clouds := []stats.Cloud{
		{X: []float64{100}, Y: []float64{p}, Trials: trials},
		{X: []float64{100}, Y: []float64{p + se}, Trials: trials},
		{X: []float64{900}, Y: []float64{.3}, Trials: trials},
		{X: []float64{50, 51, 52}, Y: []float64{.1, .11, .12}},
	}
	got, err := stats.FrontProbability(clouds, 20_000, rand.NewPCG(7, 8))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "second by one standard error", got[1], .8413, .02)
	within(t, "first", got[0], 1-.8413, .02)
	if got[2] != 1 || got[3] != 0 {
		t.Errorf("fastest has probability %v, want 1; worst in both %v, want 0", got[2], got[3])
	}
}

func TestSameSourceSameAnswer(t *testing.T) {
	values := []float64{.137, .411, .229, .907, .318, .523, .776, .651}
	first, _ := stats.MeanBCa(values, .95, 1000, rand.NewPCG(3, 4))
	again, _ := stats.MeanBCa(values, .95, 1000, rand.NewPCG(3, 4))
	other, _ := stats.MeanBCa(values, .95, 1000, rand.NewPCG(5, 6))
	if first != again {
		t.Errorf("same source: %v and %v", first, again)
	}
	if first == other {
		t.Errorf("another source gave the same interval %v: the source is not used", first)
	}
}

// TestCoverage: the t interval of normal samples covers the true mean as often
// as it says (standard error of the share: 0.0049).
func TestCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	covered := 0
	const rounds = 2000
	for range rounds {
		sample := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		iv, err := stats.MeanT(sample, .95)
		if err != nil {
			t.Fatal(err)
		}
		if iv.Contains(0) {
			covered++
		}
	}
	within(t, "coverage", float64(covered)/rounds, .95, .02)
}

func TestNoSpread(t *testing.T) {
	same := []float64{.5, .5, .5}
	test, err := stats.PairedT(same, []float64{.4, .4, .4}, .95)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(test.P) || !strings.Contains(strings.Join(test.Warnings, ";"), "no spread") {
		t.Errorf("p = %v with warnings %q, want no p-value and a warning that there is no spread", test.P, test.Warnings)
	}
	rounded, err := stats.PairedT([]float64{.1 + .2, .4, .7}, []float64{.1, .2, .5}, .95) // all .2, but for the last bit
	if err != nil || !math.IsNaN(rounded.P) || !math.IsNaN(rounded.Effect.Value) {
		t.Errorf("differences equal but for rounding: p = %v, effect %v (%v), want neither", rounded.P, rounded.Effect.Value, err)
	}
	if iv, err := stats.MeanBCa(same, .95, 1000, rand.NewPCG(1, 1)); err != nil || iv.Low != .5 || iv.High != .5 {
		t.Errorf("BCa of equal values: %v, %v, want [.5, .5]", iv, err)
	}
	adjusted := stats.Holm([]float64{.01, math.NaN(), .04})
	if adjusted[0] != .02 || !math.IsNaN(adjusted[1]) || adjusted[2] != .04 {
		t.Errorf("Holm with one comparison not made: %v, want [.02 NaN .04]", adjusted)
	}
	if n, err := stats.SeedsPaired(0, .05, .8); n != 0 || err != nil {
		t.Errorf("seeds for no effect: %d, %v, want 0: out of reach", n, err)
	}
}

func TestCount(t *testing.T) {
	first := []bool{true, true, false, false, true}
	second := []bool{true, false, true, false, false}
	o, err := stats.Count(first, second)
	if err != nil {
		t.Fatal(err)
	}
	if want := (stats.Outcomes{Both: 1, OnlyFirst: 2, OnlySecond: 1, Neither: 1}); o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
	if got := o.Difference(); math.Abs(got-.2) > 1e-15 {
		t.Errorf("difference %v, want 0.2", got)
	}
}

func TestErrorsNameTheValue(t *testing.T) {
	source := rand.NewPCG(1, 1)
	for want, call := range map[string]func() error{
		"level lies between 0 and 1, got 95":   func() error { _, err := stats.MeanT([]float64{1, 2}, 95); return err },
		"at least 2 values, got 1":             func() error { _, err := stats.MeanT([]float64{1}, .95); return err },
		"value 1 of the sample is NaN":         func() error { _, err := stats.MeanT([]float64{1, math.NaN()}, .95); return err },
		"got 11 of 10":                         func() error { _, err := stats.Wilson(11, 10, .95); return err },
		"same length, at least 2, got 1 and 2": func() error { _, err := stats.PairedT([]float64{1}, []float64{1, 2}, .95); return err },
		"got 2 and 1":                          func() error { _, err := stats.Welch([]float64{1, 2}, []float64{1}, .95); return err },
		"at least 100 resamples, got 3":        func() error { _, err := stats.MeanBCa([]float64{1, 2}, .95, 3, source); return err },
		"same images, got 1 and 0":             func() error { _, err := stats.Count([]bool{true}, nil); return err },
		"between 0 and 1, got 0.05 and 80":     func() error { _, err := stats.SeedsWelch(1, .05, 80); return err },
		"2 speeds and 1 accuracies": func() error {
			_, err := stats.FrontProbability([]stats.Cloud{{X: []float64{1, 2}, Y: []float64{1}}}, 10, source)
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
