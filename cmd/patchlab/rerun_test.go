package main

import (
	"math"
	"strings"
	"testing"

	"patchlab/compare"
)

func TestJudge(t *testing.T) {
	change := func(key string, first int64, largest float64) compare.CurveChange {
		return compare.CurveChange{Key: key, Common: 9, First: &first, Largest: compare.Number(largest), At: first}
	}
	result := func(key string, a, b float64) compare.ResultChange {
		return compare.ResultChange{Key: key, A: compare.Number(a), B: compare.Number(b), Diff: compare.Number(b - a), Same: a == b}
	}
	alike := compare.CurveChange{Key: "val_loss", Common: 9}
	for name, test := range map[string]struct {
		curves      []compare.CurveChange
		sameWeights bool
		want        string
		results     []compare.ResultChange
	}{
		"alike":            {[]compare.CurveChange{alike}, true, "reproduced bit for bit", nil},
		"the clock":        {[]compare.CurveChange{alike, change("train_seconds", 1, 5)}, true, "reproduced bit for bit", nil},
		"other weights":    {[]compare.CurveChange{alike}, false, "within tolerance: the same losses, other weights", nil},
		"near":             {[]compare.CurveChange{change("val_loss", 2, .009)}, false, "within tolerance: no epoch differs by more than 0.009; val_loss first departs at step 2", nil},
		"far":              {[]compare.CurveChange{change("val_loss", 2, .011)}, false, "not reproduced: an epoch differs by 0.011; val_loss first departs at step 2", nil},
		"steps say where":  {[]compare.CurveChange{change("step_loss", 40, 3), change("val_loss", 2, .001)}, false, "within tolerance: no epoch differs by more than 0.001; step_loss first departs at step 40", nil},
		"NaN in one":       {[]compare.CurveChange{change("val_loss", 3, math.Inf(1))}, false, "not reproduced: val_loss first departs at step 3, and at step 3 is finite in one run alone", nil},
		"NaN later":        {[]compare.CurveChange{change("val_loss", 3, math.Inf(1)), change("train_loss", 1, .001)}, false, "not reproduced: train_loss first departs at step 1", nil},
		"a step more":      {[]compare.CurveChange{{Key: "val_loss", Common: 9, OnlyB: 1}}, false, "not reproduced: the runs have different steps", nil},
		"NaN and one more": {[]compare.CurveChange{change("train_loss", 1, math.Inf(1)), {Key: "val_loss", Common: 9, OnlyA: 1}}, false, "not reproduced: the runs have different steps", nil},
		"a better test": {[]compare.CurveChange{alike}, true, "not reproduced: test_accuracy differs by 0.4",
			[]compare.ResultChange{result("test_accuracy", .9, .5), result("test_loss", 1, 1)}},
		"a test of one alone": {[]compare.CurveChange{alike}, true, "not reproduced: test_accuracy has a value in one run alone",
			[]compare.ResultChange{result("test_accuracy", .9, math.NaN())}},
		"a near test":         {[]compare.CurveChange{alike}, true, "within tolerance: the same losses in training, but test_loss differs by 0.005", []compare.ResultChange{result("test_loss", 1, 1.005)}},
		"another best epoch":  {[]compare.CurveChange{change("val_loss", 2, .001)}, false, "within tolerance: no epoch differs by more than 0.001", []compare.ResultChange{result("best_epoch", 3, 4)}},
		"a false best epoch":  {[]compare.CurveChange{alike}, true, "not reproduced: best_epoch differs by 1", []compare.ResultChange{result("best_epoch", 3, 4)}},
		"a time is no result": {[]compare.CurveChange{alike}, true, "reproduced bit for bit", []compare.ResultChange{result("compile_seconds", 3, 4)}},
		"a curve's last":      {[]compare.CurveChange{alike}, true, "reproduced bit for bit", []compare.ResultChange{result("val_loss", 3, 4)}},
	} {
		if got := judge(&compare.Diff{Curves: test.curves, Results: test.results}, test.sameWeights, .01); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: the verdict is %q, want %q", name, got, test.want)
		}
	}
}
