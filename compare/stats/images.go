package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Outcomes counts, over the same test images, what two classifiers got right.
type Outcomes struct {
	Both, OnlyFirst, OnlySecond, Neither int
}

// Count pairs the two classifiers' right and wrong answers image by image.
func Count(first, second []bool) (Outcomes, error) {
	if len(first) != len(second) || len(first) == 0 {
		return Outcomes{}, fmt.Errorf("two classifiers are compared on the same images, got %d and %d predictions", len(first), len(second))
	}
	var o Outcomes
	for i := range first {
		switch {
		case first[i] && second[i]:
			o.Both++
		case first[i]:
			o.OnlyFirst++
		case second[i]:
			o.OnlySecond++
		default:
			o.Neither++
		}
	}
	return o, nil
}

// Images is the number of images counted.
func (o Outcomes) Images() int { return o.Both + o.OnlyFirst + o.OnlySecond + o.Neither }

// Difference is the first's accuracy less the second's.
func (o Outcomes) Difference() float64 {
	return float64(o.OnlyFirst-o.OnlySecond) / float64(o.Images())
}

// McNemar tests whether two classifiers err equally often on the same images,
// exactly: under the null the images that only one of them gets right split
// like a fair coin (McNemar 1947; Dietterich 1998, section 3.1). The interval
// is the paired bootstrap's. Effect is the odds ratio of the discordant
// images, with half an image added to each count where one is nought
// (Haldane 1956).
//
// It compares two trained networks, not two architectures: it knows nothing
// of other seeds, and says so in its warnings.
func McNemar(o Outcomes, level float64, resamples int, src rand.Source) (Test, error) {
	interval, err := pairedBootstrap(o, level, resamples, src)
	if err != nil {
		return Test{}, err
	}
	discordant := o.OnlyFirst + o.OnlySecond
	fewer := min(o.OnlyFirst, o.OnlySecond)
	p := 1.0
	if discordant > 0 {
		p = math.Min(1, 2*distuv.Binomial{N: float64(discordant), P: .5}.CDF(float64(fewer)))
	}
	b, c := float64(o.OnlyFirst), float64(o.OnlySecond)
	if b == 0 || c == 0 {
		b, c = b+.5, c+.5
	}
	return Test{
		Name: "McNemar exact", Estimate: o.Difference(), Interval: interval,
		Statistic: float64(fewer), DF: math.NaN(), P: p, N1: 1, N2: 1,
		Effect:      Effect{"odds ratio of the images that only one gets right", b / c},
		Assumptions: []string{"the test images are a fair, independent sample of the images that matter"},
		Warnings:    []string{"one run each: this compares two trained networks; another seed could turn it round"},
	}, nil
}

// pairedBootstrap gives the percentile interval of the difference in accuracy
// when the images are drawn again with replacement, each with both answers.
// Drawing n images from four kinds is drawing the multinomial counts of the
// kinds, so that is what it draws.
func pairedBootstrap(o Outcomes, level float64, resamples int, src rand.Source) (Interval, error) {
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	n := o.Images()
	if n < 1 {
		return Interval{}, fmt.Errorf("a paired bootstrap needs at least one image")
	}
	if resamples < 100 {
		return Interval{}, fmt.Errorf("a bootstrap interval needs at least 100 resamples, got %d", resamples)
	}
	differences := make([]float64, resamples)
	for i := range differences {
		first := binomial(n, float64(o.OnlyFirst)/float64(n), src)
		second := 0
		if rest := n - o.OnlyFirst; rest > 0 {
			second = binomial(n-first, float64(o.OnlySecond)/float64(rest), src)
		}
		differences[i] = float64(first-second) / float64(n)
	}
	slices.Sort(differences)
	tail := (1 - level) / 2
	return Interval{
		Low: SortedQuantile(differences, tail), High: SortedQuantile(differences, 1-tail),
		Level: level, Method: "paired bootstrap",
	}, nil
}

// binomial draws the number of successes in n trials; p may be 0 or 1.
func binomial(n int, p float64, src rand.Source) int {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	}
	return int(distuv.Binomial{N: float64(n), P: p, Src: src}.Rand())
}

// TwoProportions compares two accuracies measured on n1 and n2 images when
// the answers cannot be paired (no stored predictions): the pooled z test, the
// unpooled Wald interval, and Cohen's h as effect.
func TwoProportions(successes1, n1, successes2, n2 int, level float64) (Test, error) {
	if err := checkLevel(level); err != nil {
		return Test{}, err
	}
	if n1 < 1 || n2 < 1 || successes1 < 0 || successes2 < 0 || successes1 > n1 || successes2 > n2 {
		return Test{}, fmt.Errorf("two proportions need 0 <= successes <= n and n >= 1, got %d of %d and %d of %d", successes1, n1, successes2, n2)
	}
	m1, m2 := float64(n1), float64(n2)
	p1, p2 := float64(successes1)/m1, float64(successes2)/m2
	pooled := float64(successes1+successes2) / (m1 + m2)
	t := Test{
		Name: "two proportions", Estimate: p1 - p2, DF: math.NaN(), N1: 1, N2: 1,
		Effect: Effect{"Cohen's h", 2*math.Asin(math.Sqrt(p1)) - 2*math.Asin(math.Sqrt(p2))},
		Assumptions: []string{
			"the test images are a fair, independent sample of the images that matter",
			"the two runs' answers are independent, which understates what a paired test would show",
		},
		Warnings: []string{"one run each: this compares two trained networks; another seed could turn it round"},
	}
	z := distuv.UnitNormal.Quantile(1 - (1-level)/2)
	half := z * math.Sqrt(p1*(1-p1)/m1+p2*(1-p2)/m2)
	t.Interval = Interval{Low: t.Estimate - half, High: t.Estimate + half, Level: level, Method: "Wald"}
	se := math.Sqrt(pooled * (1 - pooled) * (1/m1 + 1/m2))
	if se == 0 {
		t.Statistic, t.P = 0, 1
		return t, nil
	}
	t.Statistic = t.Estimate / se
	t.P = 2 * distuv.UnitNormal.Survival(math.Abs(t.Statistic))
	return t, nil
}
