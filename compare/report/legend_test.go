package report_test

import (
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/compare/report"
)

// TestLegendFits: signs are explained where they occur and nowhere else.
func TestLegendFits(t *testing.T) {
	three := func(model string, accuracies ...float64) (out []comparetest.Run) {
		for i, a := range accuracies {
			out = append(out, comparetest.Run{Model: model, Seed: i + 1, Accuracy: a, TrainPerS: 100, Epochs: 1})
		}
		return out
	}
	far := append(append(three("a", .90, .901, .902), three("b", .60, .604, .601)...), three("c", .30, .301, .306)...)
	// b and c are close; the text shows neither against the other.
	close := append(append(three("a", .90, .901, .902), three("b", .60, .612, .607)...), three("c", .604, .611, .612)...)
	single := []comparetest.Run{
		{Model: "a", Seed: 1, Accuracy: .5, TrainPerS: 10, Epochs: 1, TestImages: 100},
		{Model: "b", Seed: 1, Accuracy: .52, TrainPerS: 10, Epochs: 1, TestImages: 100},
	}
	for _, c := range []struct {
		name   string
		runs   []comparetest.Run
		format report.Format
		has    []string
		hasNot []string
	}{
		{"far", far, report.Text, []string{"p is corrected for 3 comparisons (Holm), the intervals are not", "effect: Hedges' g of the differences"}, []string{"+ seeds:", "~: no"}},
		{"far", far, report.Markdown, []string{"effect: Hedges' g of the differences, the difference in standard deviations"}, []string{"+ seeds:", "~: no"}},
		{"close", close, report.Text, nil, []string{"+ seeds:", "~: no"}},
		{"close", close, report.Markdown, []string{"+ seeds: how many", `~: no difference`}, nil},
		{"close", close, report.HTML, []string{"&#43; seeds: how many", "effect: Hedges"}, nil},
		{"single", single, report.HTML, []string{"effect: Cohen&#39;s h", "~: no difference"}, []string{"+ seeds:"}},
		{"single", single, report.LaTeX, []string{"effect: Cohen's h, the difference of the two proportions"}, []string{"+ seeds:"}},
		{"one", single[:1], report.Markdown, nil, []string{"effect:", "corrected", "~: no"}},
	} {
		got := write(t, c.format, build(t, c.runs, compare.Options{}))
		flat := strings.ReplaceAll(strings.Join(strings.Fields(got), " "), `\~`, "~")
		for _, want := range c.has {
			if !strings.Contains(flat, want) {
				t.Errorf("%s as %s does not say %q", c.name, c.format, want)
			}
		}
		for _, not := range c.hasNot {
			if strings.Contains(flat, not) {
				t.Errorf("%s as %s says %q of nothing it shows", c.name, c.format, not)
			}
		}
	}
}
