package stats_test

import (
	"math/rand/v2"
	"testing"

	"patchlab/compare/stats"
)

// normals draws n values about a mean with standard deviation 1.
func normals(rng *rand.Rand, n int, mean float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = mean + rng.NormFloat64()
	}
	return out
}

// TestFamilywiseError: of five configurations that do not differ, compared
// pair by pair over three seeds, any difference is called in at most 5 % of
// the reports, whichever test is made (two standard errors allowed).
func TestFamilywiseError(t *testing.T) {
	const rounds, configurations, seeds = 1000, 5, 3
	for name, test := range map[string]func(a, b []float64, level float64) (stats.Test, error){
		"paired": stats.PairedT, "Welch": stats.Welch,
	} {
		rng := rand.New(rand.NewPCG(21, 22))
		wrong := 0
		for range rounds {
			groups := make([][]float64, configurations)
			for i := range groups {
				groups[i] = normals(rng, seeds, 0)
			}
			var ps []float64
			for i := range groups {
				for j := range i {
					result, err := test(groups[i], groups[j], .95)
					if err != nil {
						t.Fatal(err)
					}
					ps = append(ps, result.P)
				}
			}
			for _, p := range stats.Holm(ps) {
				if p < .05 {
					wrong++
					break
				}
			}
		}
		if share := float64(wrong) / rounds; share > .05+.014 {
			t.Errorf("%s: a difference that is not there in %.1f %% of reports, want at most 5", name, 100*share)
		}
	}
}

// TestSeedsDeliver: with the number of seeds promised, the test shows the
// difference about 4 times of 5, and with two seeds fewer less often.
func TestSeedsDeliver(t *testing.T) {
	const effect, rounds = 1.5, 2000
	need, err := stats.SeedsPaired(effect, .05, .8)
	if err != nil {
		t.Fatal(err)
	}
	shown := func(seeds int) float64 {
		rng := rand.New(rand.NewPCG(31, 32))
		count := 0
		for range rounds {
			a, b := normals(rng, seeds, effect), make([]float64, seeds) // differences have standard deviation 1
			test, err := stats.PairedT(a, b, .95)
			if err != nil {
				t.Fatal(err)
			}
			if test.P < .05 {
				count++
			}
		}
		return float64(count) / rounds
	}
	if with, without := shown(need), shown(need-2); with < .775 || without > .775 {
		t.Errorf("%d seeds show the difference in %.2f, %d in %.2f; want at least .8 and less", need, with, need-2, without)
	}
}

// TestImageError: two networks that are equally good on all images there are
// differ on these 500 in at most 5 % of the draws by McNemar's exact test, and
// the paired bootstrap covers no difference in about 95 %.
func TestImageError(t *testing.T) {
	const rounds, images = 150, 500
	rng := rand.New(rand.NewPCG(41, 42))
	called, covered := 0, 0
	for range rounds {
		first, second := make([]bool, images), make([]bool, images)
		for i := range images {
			easy := rng.Float64() < .6
			first[i] = easy != (rng.Float64() < .15)
			second[i] = easy != (rng.Float64() < .15)
		}
		outcomes, err := stats.Count(first, second)
		if err != nil {
			t.Fatal(err)
		}
		test, err := stats.McNemar(outcomes, .95, 1000, rng)
		if err != nil {
			t.Fatal(err)
		}
		if test.P < .05 {
			called++
		}
		if test.Interval.Contains(0) {
			covered++
		}
	}
	if share := float64(called) / rounds; share > .05+.036 {
		t.Errorf("McNemar calls a difference that is not there in %.1f %%, want at most 5", 100*share)
	}
	within(t, "coverage of the paired bootstrap", float64(covered)/rounds, .95, .036)
}

// TestBCaCoverage: over 15 skewed values the BCa interval covers
// the mean in about 9 of 10 draws, less than it says, as its documentation
// warns, and no less than that.
func TestBCaCoverage(t *testing.T) {
	const rounds = 600
	rng := rand.New(rand.NewPCG(51, 52))
	covered := 0
	for range rounds {
		values := make([]float64, 15)
		for i := range values {
			values[i] = rng.ExpFloat64()
		}
		iv, err := stats.MeanBCa(values, .95, 1000, rng)
		if err != nil {
			t.Fatal(err)
		}
		if iv.Contains(1) {
			covered++
		}
	}
	within(t, "coverage", float64(covered)/rounds, .9, .04)
}
