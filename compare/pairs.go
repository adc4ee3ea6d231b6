package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"patchlab/compare/stats"
)

// allPairs is the most configurations of which every pair is compared; of
// more, each is compared with the first row only.
const allPairs = 40

// allAnswers is the most single runs whose predictions are read; more are
// compared by their numbers of right answers, which takes no reading.
const allAnswers = 100

// mcnemar is the name of the test whose effect is an odds ratio.
const mcnemar = "McNemar exact"

// power is the chance of showing a difference for which MoreSeeds are counted.
const power = .8

// pairs compares the configurations and corrects for having made that many
// comparisons.
func (b *builder) pairs(t *Table, groups []grouped) error {
	answers := map[string][]bool{}
	var tests []stats.Test
	b.paired = len(groups) <= allAnswers
	b.resamples = stats.Resamples
	if len(groups) > 15 { // over a hundred pairs
		b.resamples = stats.Resamples / 5
	}
	for i := range groups {
		for j := i + 1; j < len(groups); j++ {
			if i > 0 && len(groups) > allPairs {
				break
			}
			p, test, err := b.pair(t, &groups[i], &groups[j], answers)
			if err != nil {
				return fmt.Errorf("%s against %s: %w", groups[i].name, groups[j].name, err)
			}
			t.Pairs, tests = append(t.Pairs, p), append(tests, test)
		}
	}
	if len(groups) > allPairs {
		t.warn("some-pairs", "%d configurations: each is compared with %s only, not with every other", len(groups), groups[0].name)
	}
	raw := make([]float64, len(t.Pairs))
	for i, p := range t.Pairs {
		raw[i] = float64(p.P)
	}
	alpha, open := 1-b.o.Level, 0
	for i, p := range stats.Holm(raw) {
		pair := &t.Pairs[i]
		pair.Adjusted = Number(p)
		switch {
		case !(p < alpha):
			pair.Verdict = NotShown
			open++
		case pair.Difference > 0:
			pair.Verdict = Better
		default:
			pair.Verdict = Worse
		}
	}
	for i := range t.Pairs {
		if t.Pairs[i].Verdict == NotShown {
			t.Pairs[i].MoreSeeds = moreSeeds(tests[i], alpha/float64(open))
		}
	}
	return nil
}

// pair chooses the test that the data allow: paired by seed where both have the
// same seeds, else Welch; one run against several by the
// pooled t test; single runs by their predictions, else by their proportions.
func (b *builder) pair(t *Table, g, h *grouped, answers map[string][]bool) (Pair, stats.Test, error) {
	p := Pair{A: g.name, B: h.name}
	x, y := g.accuracies(), h.accuracies()
	var test stats.Test
	var err error
	switch {
	case len(x) >= 2 && len(y) >= 2:
		if px, py := bySeed(g, h); len(px) >= 2 {
			test, err = stats.PairedT(px, py, b.o.Level)
		} else {
			test, err = stats.Welch(x, y, b.o.Level)
		}
	case len(x) >= 2:
		test, err = stats.OneAgainst(y[0], x, b.o.Level)
		test = test.Turned()
	case len(y) >= 2:
		test, err = stats.OneAgainst(x[0], y, b.o.Level)
	default:
		test, err = b.singles(t, g, h, answers)
	}
	if err != nil {
		return p, test, err
	}
	p.fill(test)
	if d := differing([]Setting{settingOf(g.runs[0]), settingOf(h.runs[0])}); slices.Contains(d, "dataset") {
		p.Warnings = append(p.Warnings, "different datasets: the accuracies do not measure the same thing")
	}
	return p, test, nil
}

func (p *Pair) fill(t stats.Test) {
	p.Test, p.Difference = t.Name, Number(t.Estimate)
	p.Low, p.High = Number(t.Interval.Low), Number(t.Interval.High)
	p.Statistic, p.DF, p.P = Number(t.Statistic), Number(t.DF), Number(t.P)
	p.Effect, p.Size = t.Effect.Name, Number(t.Effect.Value)
	p.Assumptions = append([]string{}, t.Assumptions...)
	p.Warnings = append([]string{}, t.Warnings...)
}

// bySeed pairs the accuracies of equal seeds, where both configurations have
// the same seeds, each once; nil otherwise.
func bySeed(g, h *grouped) (x, y []float64) {
	if len(g.units) != len(h.units) {
		return nil, nil
	}
	other := map[string][]float64{}
	for _, u := range h.units {
		other[u.seed] = append(other[u.seed], u.accuracy)
	}
	seen := map[string]bool{}
	for _, u := range g.units {
		match := other[u.seed]
		if u.seed == "" || seen[u.seed] || len(match) != 1 {
			return nil, nil
		}
		seen[u.seed] = true
		x, y = append(x, u.accuracy), append(y, match[0])
	}
	return x, y
}

// singles compares two single runs on their test images.
func (b *builder) singles(t *Table, g, h *grouped, answers map[string][]bool) (stats.Test, error) {
	name := g.name + " / " + h.name
	one := len(g.units[0].recipes) == 1 && len(h.units[0].recipes) == 1 // no mean over recipes, of which there are no answers
	if one && b.paired && datasetOf(g.runs[0]) == datasetOf(h.runs[0]) {
		first, err := b.answers(t, g, answers)
		if err != nil {
			return stats.Test{}, err
		}
		second, err := b.answers(t, h, answers)
		if err != nil {
			return stats.Test{}, err
		}
		if len(first) > 0 && len(first) == len(second) {
			outcomes, err := stats.Count(first, second)
			if err != nil {
				return stats.Test{}, err
			}
			return stats.McNemar(outcomes, b.o.Level, b.resamples, b.random("images "+name))
		}
	}
	if g.testImages > 0 && h.testImages > 0 {
		right := func(g *grouped) int {
			return int(math.Round(g.units[0].accuracy * float64(g.testImages)))
		}
		return stats.TwoProportions(right(g), g.testImages, right(h), h.testImages, b.o.Level)
	}
	nan := math.NaN()
	return stats.Test{
		Name: "none", Estimate: g.units[0].accuracy - h.units[0].accuracy, Statistic: nan, DF: nan, P: nan,
		Interval: stats.Interval{Low: nan, High: nan}, Effect: stats.Effect{Value: nan}, N1: 1, N2: 1,
		Warnings: []string{"one run each, with neither predictions nor a number of test images: no test is possible"},
	}, nil
}

// answers reads a single run's predictions once; none if it stored none. Those
// that cannot be read are warned of and stand for none: the file may have been
// left behind when the database was copied, or be damaged.
func (b *builder) answers(t *Table, g *grouped, cache map[string][]bool) ([]bool, error) {
	id := g.runs[0].ID
	if known, ok := cache[id]; ok {
		return known, nil
	}
	correct, err := predictions(b.ctx, b.src, id)
	if err != nil {
		if b.ctx.Err() != nil {
			return nil, b.ctx.Err()
		}
		correct = nil
		t.warnRow(g.name, "predictions", "%s: %s, so its differences are tested without it", g.name, unreadable(PredictionsName, id, err))
	}
	cache[id] = correct
	return correct, nil
}

// moreSeeds says how many seeds more for each configuration would likely (with
// power .8) show the difference seen, were it true, at level alpha: the level
// asked for, divided by the number of comparisons that show nothing yet, as
// Holm's correction would. It is 0 if that is unknown or out of reach.
func moreSeeds(t stats.Test, alpha float64) int {
	have := min(t.N1, t.N2)
	if math.IsNaN(t.Statistic) || have < 2 {
		return 0
	}
	var need int
	var err error
	switch {
	case strings.HasPrefix(t.Name, "paired"):
		need, err = stats.SeedsPaired(t.Statistic/math.Sqrt(float64(t.N1)), alpha, power)
	default: // the standard deviation that would give this standard error with equal groups
		scale := math.Sqrt(float64(t.N1*t.N2) / float64(t.N1+t.N2))
		need, err = stats.SeedsWelch(t.Statistic/scale, alpha, power)
	}
	if err != nil || need <= have {
		return 0
	}
	return need - have
}
