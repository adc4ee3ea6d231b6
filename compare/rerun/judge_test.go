package rerun

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/tracker"
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
		if got := judge(&compare.Diff{Curves: test.curves, Results: test.results}, test.sameWeights, .01); !strings.HasPrefix(got.Sentence, test.want) || !strings.HasPrefix(test.want, string(got.Outcome)) {
			t.Errorf("%s: the verdict is %+v, want %q", name, got, test.want)
		}
	}
}

// A stored verdict is read back whole from both runs; one that nobody stored, or of
// an unknown outcome, is an error.
func TestVerdictIsStored(t *testing.T) {
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var runs [2]tracker.RunInfo
	find := func() {
		for i := range runs {
			if runs[i], err = db.Find(t.Context(), []string{"old", "again"}[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, loss := range map[string]float64{"old": .5, "again": .505} {
		run, err := db.Start(t.Context(), tracker.Spec{Experiment: "e", Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(run.Log(1, map[string]float64{"val_loss": loss}), run.Log(2, map[string]float64{"val_loss": .4}),
			run.AddArtifact("weights.safetensors", strings.NewReader(name)), run.Finish(tracker.Finished)); err != nil {
			t.Fatal(err)
		}
	}
	find()
	if v, err := Stored(runs[0]); err == nil {
		t.Errorf("without a verdict: %+v", v)
	}
	v, err := Judge(t.Context(), db, runs[0], runs[1], .01)
	if want := "within tolerance: no epoch differs by more than 0.005; val_loss first departs at step 1, by at most 0.005"; err != nil || v != (Verdict{Within, want}) {
		t.Errorf("the verdict is %+v, %v", v, err)
	}
	if v, err := Judge(t.Context(), db, runs[0], runs[0], .01); err != nil || v.Outcome != Reproduced {
		t.Errorf("of a run and itself: %+v, %v", v, err)
	}
	if err := v.Store(t.Context(), db, runs[0].ID, runs[1].ID); err != nil {
		t.Fatal(err)
	}
	find()
	for _, run := range runs {
		if got, err := Stored(run); err != nil || got != v {
			t.Errorf("%s carries %+v, %v", run.Name, got, err)
		}
	}
	if runs[0].Tags[TagBy] != runs[1].ID {
		t.Errorf("the old run has the tags %v", runs[0].Tags)
	}
	runs[0].Tags[TagOutcome] = "not so bad"
	if v, err := Stored(runs[0]); err == nil || !strings.Contains(err.Error(), `"not so bad"`) {
		t.Errorf("of an unknown outcome: %+v, %v", v, err)
	}
}
