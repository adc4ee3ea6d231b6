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
	alike := compare.CurveChange{Key: "val_loss", Common: 9}
	for name, test := range map[string]struct {
		curves      []compare.CurveChange
		sameWeights bool
		want        string
	}{
		"alike":            {[]compare.CurveChange{alike}, true, "reproduced bit for bit"},
		"the clock":        {[]compare.CurveChange{alike, change("train_seconds", 1, 5)}, true, "reproduced bit for bit"},
		"other weights":    {[]compare.CurveChange{alike}, false, "within tolerance: the same losses, other weights"},
		"near":             {[]compare.CurveChange{change("val_loss", 2, .009)}, false, "within tolerance: no epoch differs by more than 0.009; val_loss first departs at step 2"},
		"far":              {[]compare.CurveChange{change("val_loss", 2, .011)}, false, "not reproduced: an epoch differs by 0.011; val_loss first departs at step 2"},
		"steps say where":  {[]compare.CurveChange{change("step_loss", 40, 3), change("val_loss", 2, .001)}, false, "within tolerance: no epoch differs by more than 0.001; step_loss first departs at step 40"},
		"NaN in one":       {[]compare.CurveChange{change("val_loss", 3, math.Inf(1))}, false, "not reproduced: val_loss first departs at step 3, and at step 3 is finite in one run alone"},
		"NaN later":        {[]compare.CurveChange{change("val_loss", 3, math.Inf(1)), change("train_loss", 1, .001)}, false, "not reproduced: train_loss first departs at step 1"},
		"a step more":      {[]compare.CurveChange{{Key: "val_loss", Common: 9, OnlyB: 1}}, false, "not reproduced: the runs have different steps"},
		"NaN and one more": {[]compare.CurveChange{change("train_loss", 1, math.Inf(1)), {Key: "val_loss", Common: 9, OnlyA: 1}}, false, "not reproduced: the runs have different steps"},
	} {
		if got := judge(&compare.Diff{Curves: test.curves}, test.sameWeights, .01); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: the verdict is %q, want %q", name, got, test.want)
		}
	}
}
