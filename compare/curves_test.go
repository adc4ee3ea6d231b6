package compare_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"patchlab/compare"
	"patchlab/compare/comparetest"
)

// TestEqualBudgets: made-up curves rise with epochs; the slow configuration has
// done less of its way in the time in which the fast one has done all.
func TestEqualBudgets(t *testing.T) {
	runs := []comparetest.Run{
		{Model: "fast", Seed: 1, Accuracy: .6, TrainPerS: 4000, Epochs: 10, FLOPs: 1e6},
		{Model: "slow", Seed: 1, Accuracy: .6, TrainPerS: 2000, Epochs: 10, FLOPs: 1e6},
		{Model: "short", Seed: 1, Accuracy: .6, TrainPerS: 4000, Epochs: 4, FLOPs: 1e6},
	}
	db := open(t, runs)
	r, err := compare.Build(context.Background(), db, compare.Options{Curves: true, Target: .5})
	if err != nil {
		t.Fatal(err)
	}
	table := r.Tables[0]
	amount, at := map[string]float64{}, map[string]map[string]float64{}
	for _, e := range table.Equal {
		if _, first := amount[e.Budget]; first {
			if e.Amount <= compare.Number(amount[e.Budget]) || e.Rows[2].Name == "short" && e.Rows[2].Ended != 1 {
				t.Errorf("the second budget of %s: %+v, want a larger one that short did not use up", e.Budget, e)
			}
			continue
		}
		amount[e.Budget], at[e.Budget] = float64(e.Amount), map[string]float64{}
		for _, q := range e.Rows {
			at[e.Budget][q.Name] = float64(q.Mean)
		}
	}
	if amount["epochs"] != 4 || amount["flops"] != 4*3*1e6*45_000 {
		t.Errorf("budgets %v, want 4 epochs and 3 x FLOPs x images x 4", amount)
	}
	if !(at["seconds"]["slow"] < at["seconds"]["fast"]) || !(at["seconds"]["fast"] < at["seconds"]["short"]) {
		t.Errorf("at equal time %v, want slow < fast < short (which spent it all)", at["seconds"])
	}
	history, err := db.History(context.Background(), table.Row("slow").Runs[0].ID, "val_accuracy")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slow after 4 epochs", compare.Number(at["epochs"]["slow"]), history[3].Value)
	if fast, slow := table.Row("fast").ToTarget.Mean, table.Row("slow").ToTarget.Mean; !(fast*1.6 < slow) {
		t.Errorf("time to the target: fast %v, slow %v; want about half", fast, slow)
	}
	never := build(t, runs, compare.Options{Target: .9}).Tables[0]
	if q := never.Rows[0].ToTarget; q.N != 0 || !hasWarning(never.Warnings, "target") {
		t.Errorf("a target that no run reaches: %d times, warnings %v", q.N, never.Warnings)
	}
}

func TestStepDistribution(t *testing.T) {
	runs := []comparetest.Run{{Model: "a", Seed: 1, Accuracy: .6, TrainPerS: 1280, Steps: 2000}}
	d := build(t, runs, compare.Options{Steps: true}).Tables[0].Rows[0].Steps
	if d == nil || d.Steps != 2000-d.Warmup || d.Runs != 1 {
		t.Fatalf("distribution %+v, want that of 2,000 steps less the warm-up", d)
	}
	total := 0
	first := float64(d.Histogram[0].To / d.Histogram[0].From)
	for i, h := range d.Histogram {
		total += h.Steps
		if ratio := float64(h.To / h.From); math.Abs(ratio-first) > 1e-9 || !(ratio > 1) {
			t.Errorf("bin %d is %v times as long at its end, the first %v: not equal on a logarithmic scale", i, ratio, first)
		}
	}
	if d.Histogram[0].From != d.Quantiles[0] {
		t.Errorf("the histogram begins at %v ms, want where the axis does, at the first hundredth, %v ms", d.Histogram[0].From, d.Quantiles[0])
	}
	if total != d.Steps {
		t.Errorf("the histogram holds %d steps of %d", total, d.Steps)
	}
	// The made-up step takes 95 + 10·E ms, E exponential: median 95 + 10·ln 2.
	if median := float64(d.Quantiles[3]); math.Abs(median-(95+10*math.Ln2)) > 1 {
		t.Errorf("median %v ms, want about %v: the compilation must not count", median, 95+10*math.Ln2)
	}
	if !slices.IsSorted(d.Quantiles[:]) {
		t.Errorf("quantiles %v do not ascend", d.Quantiles)
	}
}

// TestBandsEndTogether: where one run ended before another, the mean over
// seeds ends too, instead of jumping to the one that went on.
func TestBandsEndTogether(t *testing.T) {
	curve := func(values ...compare.Number) (c compare.Curve) {
		for i, v := range values {
			c.Epochs = append(c.Epochs, int64(i+1))
			c.ValAccuracy, c.Seconds = append(c.ValAccuracy, v), append(c.Seconds, compare.Number(i+1))
		}
		return c
	}
	bands := compare.Bands([]compare.Curve{curve(.1, .2, .3), curve(.3, .4)}, .95)
	if len(bands) != 2 || bands[1].N != 2 {
		t.Fatalf("bands %+v, want two epochs of two runs each", bands)
	}
	near(t, "mean after epoch 2", compare.Number(bands[1].Mean), .3)
	if !(bands[1].Low < .2 && bands[1].High > .4) {
		t.Errorf("interval %v to %v of .2 and .4, want a wide one", bands[1].Low, bands[1].High)
	}
}
