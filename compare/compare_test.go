package compare_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/tracker"
)

func Example() {
	folder, err := os.MkdirTemp("", "compare")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "runs.db")
	_, err = comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-2", Seed: 1, Accuracy: .6892, TrainPerS: 1900},
		{Model: "mixer-2", Seed: 2, Accuracy: .6815, TrainPerS: 1910},
		{Model: "vit-2", Seed: 1, Accuracy: .6468, TrainPerS: 900},
		{Model: "vit-2", Seed: 2, Accuracy: .6421, TrainPerS: 910},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	report, err := compare.Build(context.Background(), db, compare.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	table := report.Tables[0]
	for _, row := range table.Rows {
		fmt.Printf("%-8s %.4f, %d seeds\n", row.Name, float64(row.Quantities["accuracy"].Mean), row.Seeds)
	}
	pair, _ := table.Pair("mixer-2", "vit-2")
	fmt.Printf("%s: %s, p = %.3f\n", pair.Test, pair.Verdict, float64(pair.Adjusted))
	// Output:
	// mixer-2  0.6854, 2 seeds
	// vit-2    0.6444, 2 seeds
	// paired t: better, p = 0.023
}

// build compares made-up runs.
func build(t *testing.T, runs []comparetest.Run, o compare.Options) *compare.Report {
	t.Helper()
	report, err := compare.Build(context.Background(), open(t, runs), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func open(t *testing.T, runs []comparetest.Run) *tracker.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runs.db")
	if _, err := comparetest.Create(context.Background(), path, runs); err != nil {
		t.Fatal(err)
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// seeded makes one run for each accuracy, seeds counted from 1.
func seeded(model string, accuracies ...float64) []comparetest.Run {
	var out []comparetest.Run
	for i, a := range accuracies {
		out = append(out, comparetest.Run{Model: model, Seed: i + 1, Accuracy: a, TrainPerS: 1000})
	}
	return out
}

func near(t *testing.T, what string, got compare.Number, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-9) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func hasWarning(warnings []compare.Warning, code string) bool {
	return slices.ContainsFunc(warnings, func(w compare.Warning) bool { return w.Code == code })
}

// TestNeverMixed: each difference in machine, backend, precision, data or
// number of images gives a table of its own, and --across joins exactly what
// it names.
func TestNeverMixed(t *testing.T) {
	base := comparetest.Run{Model: "mixer-2", Seed: 1, Accuracy: .6, TrainPerS: 1000}
	gpu, cuda, half, shapes, fewer := base, base, base, base, base
	half.Precision = "bfloat16"
	gpu.Machine, cuda.Backend, shapes.Data, fewer.TestImages = "Example GPU", "xla:cuda", "shapes", 2000
	runs := []comparetest.Run{base, gpu, cuda, half, shapes, fewer}
	for _, c := range []struct {
		across string
		tables int
	}{
		{"", 6}, {"machine", 5}, {"machine,backend", 4}, {"dataset", 4}, {"all", 1}, {"precision", 5},
	} {
		var across []string
		if c.across != "" {
			across = strings.Split(c.across, ",")
		}
		r := build(t, runs, compare.Options{Across: across})
		if len(r.Tables) != c.tables {
			t.Errorf("across %q: %d tables, want %d", c.across, len(r.Tables), c.tables)
		}
		if got, want := hasWarning(r.Warnings, "separated"), c.tables > 1; got != want {
			t.Errorf("across %q: says that tables are separated: %v, want %v", c.across, got, want)
		}
	}
	r := build(t, runs, compare.Options{Across: []string{"machine"}})
	for _, table := range r.Tables {
		q := table.Rows[0].Quantities
		if mixed := len(table.Settings) == 2; mixed {
			if q["train"].Mark != "a+b" || q["accuracy"].Mark != "" || q["params"].Mark != "" {
				t.Errorf("machines mixed: marks %q on speed, %q on accuracy, %q on parameters, want a+b on speed only",
					q["train"].Mark, q["accuracy"].Mark, q["params"].Mark)
			}
			if !hasWarning(table.Warnings, "mixed") {
				t.Error("a mixed table does not say so")
			}
		} else if q["train"].Mark != "" {
			t.Errorf("a table of one machine is marked %q", q["train"].Mark)
		}
	}
}

// TestUnfinished: only finished runs count, the others are named by reason.
func TestUnfinished(t *testing.T) {
	runs := seeded("mixer-2", .6, .62, .1, .1, .1)
	runs[2].Status, runs[3].Status, runs[4].Status = tracker.Failed, tracker.Killed, tracker.Running
	r := build(t, runs, compare.Options{})
	near(t, "mean accuracy", r.Tables[0].Rows[0].Quantities["accuracy"].Mean, .61)
	if r.Counted != 2 {
		t.Errorf("%d runs counted, want 2", r.Counted)
	}
	reasons := map[string]int{}
	for _, e := range r.Excluded {
		reasons[e.Reason] += e.Runs
		if len(e.IDs) != e.Runs {
			t.Errorf("%s: %d IDs for %d runs", e.Reason, len(e.IDs), e.Runs)
		}
	}
	if reasons["failed"] != 1 || reasons["killed"] != 1 || reasons["running"]+reasons["crashed"] != 1 {
		t.Errorf("not counted: %v, want one failed, one killed, one running or crashed", reasons)
	}
}

// TestLimit: of more runs than the limit the latest are compared, and the report says so.
func TestLimit(t *testing.T) {
	runs := []comparetest.Run{
		{Model: "oldest", Seed: 1, Accuracy: .5, TrainPerS: 1000},
		{Model: "mixer-2", Seed: 1, Accuracy: .6, TrainPerS: 1000},
		{Model: "vit-2", Seed: 1, Accuracy: .7, TrainPerS: 1000},
	}
	report := build(t, runs, compare.Options{Limit: 2})
	if report.Counted != 2 || report.Tables[0].Row("oldest") != nil || len(report.Warnings) != 1 ||
		!strings.HasPrefix(report.Warnings[0].Text, "only the latest 2 of the runs found") {
		t.Errorf("of 3 runs %d are compared, with the warnings %+v", report.Counted, report.Warnings)
	}
	if report := build(t, runs, compare.Options{Limit: 3}); report.Counted != 3 || len(report.Warnings) > 0 {
		t.Errorf("of 3 runs %d are compared, with the warnings %+v", report.Counted, report.Warnings)
	}
}

// TestRepeats: a recipe and seed run again is no new evidence.
func TestRepeats(t *testing.T) {
	runs := seeded("mixer-2", .6, .64)
	runs = append(runs, runs[0], runs[0], runs[0])
	row := build(t, runs, compare.Options{}).Tables[0].Rows[0]
	near(t, "mean over seeds", row.Quantities["accuracy"].Mean, .62)
	if row.Quantities["accuracy"].N != 2 || row.Seeds != 2 || len(row.Runs) != 5 || row.Quantities["train"].N != 5 {
		t.Errorf("accuracy over %d seeds, speed over %d of %d runs; want 2, 5, 5",
			row.Quantities["accuracy"].N, row.Quantities["train"].N, len(row.Runs))
	}
}

// TestOneSeed: runs of one seed are one piece of evidence, whatever their
// recipes: no interval over seeds, no test that needs several.
func TestOneSeed(t *testing.T) {
	var runs []comparetest.Run
	for i, accuracy := range []float64{.60, .64, .61, .65} {
		runs = append(runs, comparetest.Run{Model: "a", Seed: 1, Accuracy: accuracy, TrainPerS: 1000, Epochs: 30 + 10*(i%2),
			TestImages: 1000, Predictions: true})
	}
	runs = append(runs, comparetest.Run{Model: "b", Seed: 1, Accuracy: .5, TrainPerS: 1000, TestImages: 1000, Predictions: true})
	for _, bca := range []bool{false, true} {
		table := build(t, runs, compare.Options{BCa: bca}).Tables[0]
		row := table.Row("a")
		q := row.Quantities["accuracy"]
		near(t, "mean", q.Mean, .625)
		if row.Seeds != 1 || q.N != 1 || q.Method != "Wilson" {
			t.Errorf("BCa %v: %d seeds, %d values, a %s interval; want 1, 1, Wilson", bca, row.Seeds, q.N, q.Method)
		}
		if !hasWarning(table.Warnings, "shared-seed") || !hasWarning(table.Warnings, "repeats") || !hasWarning(table.Warnings, "mixed-recipes") {
			t.Errorf("BCa %v: warnings %v, want of a shared seed, of repeats and of mixed recipes", bca, table.Warnings)
		}
		p, _ := table.Pair("a", "b")
		if p.Test != "two proportions" {
			t.Errorf("BCa %v: the test is %q; a mean over recipes has no answers of its own", bca, p.Test)
		}
		near(t, "difference", p.Difference, .125)
	}
	// Two recipes with each of three seeds are three accuracies.
	three := append(seeded("a", .6, .62, .64), seeded("a", .62, .64, .66)...)
	for i := range 3 {
		three[3+i].Epochs = 9
	}
	row := build(t, three, compare.Options{}).Tables[0].Rows[0]
	q := row.Quantities["accuracy"]
	near(t, "mean over seeds", q.Mean, .63)
	near(t, "deviation over seeds", q.StdDev, .02)
	if row.Seeds != 3 || q.Method != "t" {
		t.Errorf("%d seeds with a %s interval, want 3 and t", row.Seeds, q.Method)
	}
}

// TestPlural: one is not "accuracies", "images" or "runs".
func TestPlural(t *testing.T) {
	run := comparetest.Run{Model: "a", Seed: 1, Accuracy: .5, TrainPerS: 10, TestImages: 1}
	table := build(t, []comparetest.Run{run, run}, compare.Options{}).Tables[0]
	want := "a: 1 of 2 runs repeats a recipe and seed; a repeat is no new evidence, so 1 accuracy counts"
	if len(table.Warnings) != 1 || table.Warnings[0].Text != want {
		t.Errorf("warnings %v, want %q", table.Warnings, want)
	}
}

// TestChoiceOfTest: the data decide which test is made.
func TestChoiceOfTest(t *testing.T) {
	single := func(model string, accuracy float64, predictions bool) []comparetest.Run {
		return []comparetest.Run{{Model: model, Seed: 1, Accuracy: accuracy, TrainPerS: 1000, TestImages: 1000, Predictions: predictions}}
	}
	unpaired := seeded("b", .61, .62, .64)
	unpaired[0].Seed = 9
	for _, c := range []struct {
		want string
		runs []comparetest.Run
	}{
		{"paired t", append(seeded("a", .6, .61, .63), seeded("b", .62, .61, .66)...)},
		{"Welch t", append(seeded("a", .6, .61, .63), unpaired...)},
		{"Welch t", append(seeded("a", .6, .61, .63), seeded("b", .62, .61)...)},
		{"pooled t", append(seeded("a", .6, .61, .63), seeded("b", .62)...)},
		{"pooled t", append(seeded("a", .6), seeded("b", .62, .63)...)},
		{"McNemar exact", append(single("a", .6, true), single("b", .64, true)...)},
		{"two proportions", append(single("a", .6, true), single("b", .64, false)...)},
	} {
		table := build(t, c.runs, compare.Options{}).Tables[0]
		p, ok := table.Pair("a", "b")
		if !ok || p.Test != c.want {
			t.Errorf("test is %q, want %q", p.Test, c.want)
			continue
		}
		mean := table.Row("a").Quantities["accuracy"].Mean - table.Row("b").Quantities["accuracy"].Mean
		near(t, c.want+": difference", p.Difference, float64(mean))
		turned, _ := table.Pair("b", "a")
		near(t, c.want+": turned", turned.Difference, -float64(p.Difference))
		near(t, c.want+": turned low", turned.Low, -float64(p.High))
		if len(p.Assumptions) == 0 {
			t.Errorf("%s: says nothing of what it assumes", c.want)
		}
		if !(p.Low <= p.Difference && p.Difference <= p.High) {
			t.Errorf("%s: difference %v outside its interval %v to %v", c.want, p.Difference, p.Low, p.High)
		}
	}
}

// TestMoreSeeds: what is not shown gets a number of seeds, what is shown none.
func TestMoreSeeds(t *testing.T) {
	table := build(t, append(append(seeded("a", .600, .612, .607), seeded("b", .604, .611, .612)...),
		seeded("c", .400, .412, .408)...), compare.Options{}).Tables[0]
	close, _ := table.Pair("a", "b")
	if close.Verdict != compare.NotShown || close.MoreSeeds < 1 {
		t.Errorf("close accuracies: %s with %d more seeds, want ~ and some", close.Verdict, close.MoreSeeds)
	}
	far, _ := table.Pair("a", "c")
	if far.Verdict != compare.Better || far.MoreSeeds != 0 {
		t.Errorf("far accuracies: %s with %d more seeds, want better and none", far.Verdict, far.MoreSeeds)
	}
	if !(far.Adjusted >= far.P) {
		t.Errorf("Holm's p %v is below the raw p %v", far.Adjusted, far.P)
	}
}

// TestWarningsAreGathered: many rows with the same trouble give one sentence
// that names them.
func TestWarningsAreGathered(t *testing.T) {
	var runs []comparetest.Run
	for _, model := range []string{"a", "b", "c", "d", "e"} {
		runs = append(runs, append(seeded(model, .5), seeded(model, .5)...)...)
	}
	var texts []string
	for _, w := range build(t, runs, compare.Options{}).Tables[0].Warnings {
		if w.Code == "repeats" {
			texts = append(texts, w.Text)
		}
	}
	if len(texts) != 1 || !strings.HasPrefix(texts[0], "a: 1 of 2 runs repeats") || !strings.HasSuffix(texts[0], "much the same goes for b, c, d and e") {
		t.Errorf("warnings %q, want one that names all five", texts)
	}
	if n := len(build(t, runs[:4], compare.Options{}).Tables[0].Warnings); n != 2 {
		t.Errorf("%d warnings of two rows, want one each", n)
	}
}

// TestPureGoHasNoPlugin: beside runs with a plugin it is no other version of it;
// another commit is one.
func TestPureGoHasNoPlugin(t *testing.T) {
	runs := seeded("a", .5, .6)
	runs[1].Backend = "go"
	across := compare.Options{Across: []string{"all"}}
	if w := build(t, runs, across).Tables[0].Warnings; hasWarning(w, "versions") {
		t.Errorf("one plugin and pure Go are warned of: %v", w)
	}
	runs[1].Commit = "another"
	if w := build(t, runs, across).Tables[0].Warnings; !hasWarning(w, "versions") {
		t.Errorf("two commits are not warned of: %v", w)
	}
}

// TestIntervalsStayAccuracies: two seeds far apart make a t interval wider
// than there are accuracies; it is cut at 0 and 1.
func TestIntervalsStayAccuracies(t *testing.T) {
	q := build(t, seeded("a", .2, .9), compare.Options{}).Tables[0].Rows[0].Quantities["accuracy"]
	if q.Low != 0 || q.High != 1 || q.Method != "t" {
		t.Errorf("interval %v to %v by %s, want 0 to 1 by t", q.Low, q.High, q.Method)
	}
	single := build(t, seeded("a", .2), compare.Options{}).Tables[0].Rows[0].Quantities["top5"]
	if !(single.Low > 0 && single.Low < single.Mean && single.Mean < single.High && single.High < 1) {
		t.Errorf("binomial interval %v to %v about %v", single.Low, single.High, single.Mean)
	}
}

// TestByAnything: parameters, environment, tags, experiment and run group.
func TestByAnything(t *testing.T) {
	runs := append(seeded("a", .5, .6), seeded("b", .5)...)
	runs[1].Batch = 64
	for by, want := range map[string]int{
		"model": 2, "batch": 2, "seed": 2, "environment.os": 1, "env.os": 1, "params.model": 2, "experiment": 1, "run": 3,
	} {
		if rows := build(t, runs, compare.Options{By: []string{by}}).Tables[0].Rows; len(rows) != want {
			t.Errorf("by %s: %d rows, want %d", by, len(rows), want)
		}
	}
	rows := build(t, runs, compare.Options{By: []string{"model", "batch"}, Sort: "name"}).Tables[0].Rows
	if len(rows) != 3 || rows[0].Name != "a · 64" || rows[0].Group["batch"] != "64" {
		t.Errorf("by model and batch: %d rows, the first %q", len(rows), rows[0].Name)
	}
}

// TestManyConfigurations: of very many single runs not every pair is tested
// and no predictions are read, and the report says the first.
func TestManyConfigurations(t *testing.T) {
	var runs []comparetest.Run
	for i := range 101 {
		runs = append(runs, comparetest.Run{Model: fmt.Sprint("m", i), Seed: 1, Accuracy: .5 + .001*float64(i), TrainPerS: 1000,
			TestImages: 100, Predictions: i < 2, Epochs: 1})
	}
	for _, c := range []struct {
		runs, pairs int
		test        string
		warned      bool
	}{{101, 100, "two proportions", true}, {50, 49, "McNemar exact", true}, {40, 780, "McNemar exact", false}} {
		table := build(t, runs[:c.runs], compare.Options{Sort: "-accuracy"}).Tables[0]
		p, _ := table.Pair("m0", "m1")
		if len(table.Pairs) != c.pairs || p.Test != c.test || hasWarning(table.Warnings, "some-pairs") != c.warned {
			t.Errorf("%d runs: %d pairs, m0 and m1 by %q, warned %v; want %d, %q, %v", c.runs, len(table.Pairs), p.Test,
				hasWarning(table.Warnings, "some-pairs"), c.pairs, c.test, c.warned)
		}
	}
}
