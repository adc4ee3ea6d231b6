package compare_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/tracker"
)

// diff sets the first two of these runs side by side.
func diff(t *testing.T, a, b comparetest.Run) *compare.Diff {
	t.Helper()
	db := open(t, []comparetest.Run{a, b})
	runs, err := db.Runs(context.Background(), tracker.Query{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := compare.DiffRuns(context.Background(), db, runs[1], runs[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func keys(changes []compare.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Key+": "+c.A+" > "+c.B)
	}
	return strings.Join(out, "; ")
}

func TestDiffOfEqualRuns(t *testing.T) {
	run := comparetest.Run{Model: "a", Seed: 1, Accuracy: .6, TrainPerS: 1000, Predictions: true, Dirty: true}
	d := diff(t, run, run)
	if n := len(d.Params) + len(d.Recipe) + len(d.Code) + len(d.Patch) + len(d.Environment) + len(d.Data); n != 0 {
		t.Errorf("%d differences between equal runs", n)
	}
	want := "Both runs have the same parameters, recipe, code, environment and data. What they trained is the same bit for bit, as far as both went."
	if d.Verdict != want {
		t.Errorf("verdict %q, want %q", d.Verdict, want)
	}
	for _, r := range d.Results {
		if !r.Same {
			t.Errorf("%s: %v and %v are not the same", r.Key, r.A, r.B)
		}
	}
	if d.Predictions == nil || d.Predictions.P != 1 {
		t.Errorf("predictions %+v, want a test with p = 1", d.Predictions)
	}
}

func TestDiff(t *testing.T) {
	a := comparetest.Run{Model: "a", Seed: 1, Accuracy: .6, TrainPerS: 1000, TestImages: 1000, Predictions: true, Dirty: true}
	b := comparetest.Run{Model: "longer", Seed: 1, Accuracy: .7, TrainPerS: 1000, TestImages: 1000, Predictions: true,
		Batch: 64, Epochs: 7, Machine: "other", Commit: "fff", Dirty: true}
	d := diff(t, a, b)
	for _, c := range []struct {
		what, got, want string
	}{
		{"parameters", keys(d.Params), "batch: 128 > 64"},
		{"recipe", keys(d.Recipe), "batch: 128 > 64; epochs: 5 > 7; model.ID: a > longer"},
		{"environment", keys(d.Environment), "machine: Example CPU × 2 cores > other"},
		{"code", keys(d.Code), "git_commit: 0123abc > fff"},
		{"data", keys(d.Data), ""},
		{"verdict", d.Verdict, "The runs differ in parameters, recipe, code and environment. What they trained parts after epoch 1, in train_loss."},
	} {
		if !strings.HasPrefix(c.got, c.want) || c.want == "" && c.got != "" {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if !slices.Contains(d.Patch, "-+\twidth := 101") || !slices.Contains(d.Patch, "++\twidth := 106") || !slices.Contains(d.Patch, " -\twidth := 128") {
		t.Errorf("patch %q lacks the changed line, or the one that both changed", d.Patch)
	}
	for _, c := range d.Curves {
		if c.Key == "val_accuracy" && (c.Common != 5 || c.OnlyB != 2 || c.OnlyA != 0 || c.First == nil || *c.First != 1) {
			t.Errorf("val_accuracy: %+v, want 5 common steps, 2 only in B, parting at 1", c)
		}
		if compare.Timed(c.Key) {
			t.Errorf("%s measures the machine and cannot part trainings", c.Key)
		}
	}
	if p := d.Predictions; p == nil || p.Test != "McNemar exact" || p.Verdict != compare.Worse {
		t.Errorf("predictions: %+v, want McNemar's test to show A worse", p)
	}
}

// TestDiffOfDamagedFiles: what can be read is compared, what can't is said.
func TestDiffOfDamagedFiles(t *testing.T) {
	var runs []comparetest.Run
	for i, model := range []string{"a", "b"} {
		runs = append(runs, comparetest.Run{Model: model, Seed: 1, Accuracy: .6 + .1*float64(i), TrainPerS: 10, TestImages: 100, Predictions: true})
	}
	path := filepath.Join(t.TempDir(), "runs.db")
	ids, err := comparetest.Create(context.Background(), path, runs)
	if err != nil {
		t.Fatal(err)
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	damage(t, db, path, ids[1], "recipe.json")
	damage(t, db, path, ids[0], compare.PredictionsName)
	var infos [2]tracker.RunInfo
	for i, id := range ids {
		if infos[i], err = db.Find(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	d, err := compare.DiffRuns(context.Background(), db, infos[0], infos[1], 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Params) == 0 || len(d.Results) == 0 || len(d.Curves) == 0 || len(d.Recipe) != 0 || d.Predictions != nil {
		t.Errorf("of damaged files: %+v", d)
	}
	if len(d.Warnings) != 2 || d.Warnings[0].Row != ids[1] || d.Warnings[1].Row != ids[0] ||
		!strings.Contains(d.Warnings[0].Text, "recipe.json") || !strings.Contains(d.Warnings[1].Text, "damaged") {
		t.Errorf("warnings %+v, want one of each file", d.Warnings)
	}
}

// TestDiffOfDivergedRuns: a value that is no number is not near one that is.
func TestDiffOfDivergedRuns(t *testing.T) {
	db, err := tracker.Open(filepath.Join(t.TempDir(), "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	nan, infinite := math.NaN(), math.Inf(1)
	var infos [2]tracker.RunInfo
	for i, losses := range [][]map[string]float64{
		{{"one": 1, "both": nan, "grown": 1}, {"one": 2, "both": 2, "grown": infinite}},
		{{"one": nan, "both": nan, "grown": 1}, {"one": 2.5, "both": 2, "grown": 3}},
	} {
		run, err := db.Start(t.Context(), tracker.Spec{})
		if err != nil {
			t.Fatal(err)
		}
		for step, values := range losses {
			if err := run.Log(int64(step), values); err != nil {
				t.Fatal(err)
			}
		}
		if err := run.Finish(tracker.Finished); err != nil {
			t.Fatal(err)
		}
		if infos[i], err = db.Find(t.Context(), run.ID()); err != nil {
			t.Fatal(err)
		}
	}
	d, err := compare.DiffRuns(t.Context(), db, infos[0], infos[1], 1)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]compare.CurveChange{}
	for _, c := range d.Curves {
		got[c.Key] = c
	}
	if c := got["one"]; c.First == nil || *c.First != 0 || !math.IsInf(float64(c.Largest), 1) || c.At != 0 {
		t.Errorf("NaN against 1: %+v", c)
	}
	if c := got["both"]; c.First != nil || c.Largest != 0 {
		t.Errorf("NaN against NaN: %+v", c)
	}
	if c := got["grown"]; c.First == nil || *c.First != 1 || !math.IsInf(float64(c.Largest), 1) {
		t.Errorf("infinity against 3: %+v", c)
	}
}
