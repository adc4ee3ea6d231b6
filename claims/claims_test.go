package claims

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// By hand: t(.975, 2) = 4.3027, so 1, 2, 3 has the interval 2 ± 4.3027·1/√3 = −.484 to 4.484.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		region  Region
		verdict Verdict
		because string
	}{
		{above(-.5), Supported, "wholly above -0.5"},
		{above(-.48), Undecided, "would likely"},
		{above(4.5), NotSupported, "no value of the interval is above 4.5"},
		{below(4.49), Supported, "wholly below 4.49"},
		{below(-1), NotSupported, "below -1"},
		{between(-1, 5), Supported, "between -1 and 5"},
		{between(0, 5), Undecided, "and values that are not"},
		{between(5, 6), NotSupported, "between 5 and 6"},
	} {
		p := Part{What: "x", Region: c.region, Values: []float64{1, 2, 3}}
		if err := p.Decide(); err != nil {
			t.Fatal(err)
		}
		if p.Mean != 2 || math.Abs(p.Interval.Low+.484) > .001 || math.Abs(p.Interval.High-4.484) > .001 {
			t.Errorf("mean %v, interval %v to %v; want 2, -0.484 to 4.484", p.Mean, p.Interval.Low, p.Interval.High)
		}
		if p.Verdict != c.verdict || !strings.Contains(p.Because, c.because) {
			t.Errorf("%v: %s, because %s; want %s because %s", c.region, p.Verdict, p.Because, c.verdict, c.because)
		}
	}
	if err := (&Part{Values: []float64{1}}).Decide(); err == nil {
		t.Error("one value was taken for an interval")
	}
}

// A claim holds where all its parts do, and falls with one.
func TestClaimOfParts(t *testing.T) {
	c := Claim{Name: "two", parts: []Part{{What: "a", Region: above(0)}, {What: "b", Region: above(0)}}}
	yes, no, open := []float64{1, 1.1, .9}, []float64{-1, -1.1, -.9}, []float64{-1, 0, 1.5}
	for _, try := range []struct {
		values [][]float64
		want   Verdict
	}{
		{[][]float64{yes, yes}, Supported}, {[][]float64{yes, open}, Undecided}, {[][]float64{open, no}, NotSupported},
		{[][]float64{no, yes}, NotSupported},
	} {
		f, err := c.decide(Measured{Values: try.values})
		if err != nil {
			t.Fatal(err)
		}
		if f.Verdict != try.want {
			t.Errorf("%v: %s, want %s", try.values, f.Verdict, try.want)
		}
	}
	if _, err := c.decide(Measured{Values: [][]float64{yes}}); err == nil {
		t.Error("a claim of two numbers was decided by one")
	}
}

func TestClaimsAreWhole(t *testing.T) {
	if len(All()) != 8 {
		t.Errorf("there are %d claims, the course makes 8", len(All()))
	}
	for _, c := range All() {
		if c.Name == "" || c.Section == "" || c.Statement == "" || c.Method == "" || len(c.parts) == 0 || c.measure == nil {
			t.Errorf("claim %+v lacks something", c)
		}
	}
	if names := Names(); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("two claims have one name: %v", names)
	}
	if _, err := Pick([]string{"cost", "costs"}); err == nil || !strings.Contains(err.Error(), `"costs"; allowed: bottleneck, `) {
		t.Errorf("error %v should name the claim and the allowed ones", err)
	}
}

// Attention by hand: heads that look alike diverge by 0 bits, heads that share no patch by 1; who looks
// everywhere alike looks as far as even attention does.
func TestAttentionByHand(t *testing.T) {
	const side, patches = 4, 16
	even := attention{images: 2, heads: 2, side: side, scores: make([]float32, 2*2*patches*patches)}
	for i := range even.scores {
		even.scores[i] = 1. / patches
	}
	if ring, inner := even.far(); math.Abs(ring-1) > 1e-6 || math.Abs(inner-1) > 1e-6 {
		t.Errorf("even attention is %v and %v times even", ring, inner)
	}
	if d := even.divergence(); math.Abs(d) > 1e-9 {
		t.Errorf("heads that look alike diverge by %v bits", d)
	}
	// The first head looks at the corner, the second at an inner patch.
	apart := attention{images: 1, heads: 2, side: side, scores: make([]float32, 2*patches*patches)}
	for query := range patches {
		apart.row(0, 0, query)[0], apart.row(0, 1, query)[5] = 1, 1
	}
	if d := apart.divergence(); math.Abs(d-1) > 1e-9 {
		t.Errorf("heads that share no patch diverge by %v bits, want 1", d)
	}
	// Of the 12 ring queries 9 lie at least 2 patches from the corner: half a head's attention each; an even
	// head gives each of them 1/16 for each of the far ring patches.
	far := 0
	for query := range patches {
		for key := range patches {
			y, x := query/side-key/side, query%side-key%side
			ring := func(p int) bool { return p/side%(side-1) == 0 || p%side%(side-1) == 0 }
			if ring(query) && ring(key) && y*y+x*x >= 4 {
				far++
			}
		}
	}
	if ring, _ := apart.far(); math.Abs(ring-9*.5/(float64(far)/patches)) > 1e-6 {
		t.Errorf("far attention is %v times even, want %v", ring, 9*.5/(float64(far)/patches))
	}
}

// bench measures on 640 shapes.
func bench(t testing.TB, kind backend.Kind) *Bench {
	t.Helper()
	t.Setenv(backend.OfflineEnv, "1")
	b, info, err := backend.Open(t.Context(), kind, io.Discard)
	if err != nil {
		t.Skipf("no %s backend here: %v", kind, err)
	}
	t.Cleanup(b.Finalize)
	path := filepath.Join(t.TempDir(), "claims.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &Bench{
		Scale: Scale{Seeds: 2, Images: 640, Tests: 50, Epochs: 1, Steps: 2}, Data: "shapes", Backend: b, Info: info, DB: db, DBPath: path,
		Load: func(train, test int) (*datasets.Dataset, error) {
			return datasets.Load(t.Context(), "shapes", datasets.Options{TrainLimit: train, TestLimit: test})
		},
		Say: t.Logf,
	}
}

// Two claims that share their networks are measured: each network is trained once, an interrupted training
// goes on, and what was found is found again.
func TestMeasure(t *testing.T) {
	b := bench(t, backend.XLA)
	ctx, stop := context.WithCancel(t.Context())
	steps := 0
	b.Report = func(e experiments.Event) {
		if e.Phase == experiments.Training {
			if steps++; steps == 25 { // in the second seed's training
				stop()
			}
		}
	}
	if _, err := b.Measure(ctx, heads()); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	if _, found, err := b.Recorded(t.Context(), heads()); found || err != nil {
		t.Errorf("a claim that was interrupted is decided: %v, %v", found, err)
	}
	steps = 0
	b.Report = func(e experiments.Event) {
		if e.Phase == experiments.Training {
			steps++
		}
	}
	first, err := b.Measure(t.Context(), heads())
	if err != nil {
		t.Fatal(err)
	}
	if steps != 2*18-25 { // 576 images in batches of 32, two seeds
		t.Errorf("%d steps were made after the interruption, want %d", steps, 2*18-25)
	}
	if _, err := b.Measure(t.Context(), farBackground()); err != nil {
		t.Fatal(err)
	}
	if steps != 2*18-25 {
		t.Errorf("the second claim trained again: %d steps", steps)
	}
	again, found, err := b.Recorded(t.Context(), heads())
	if err != nil || !found {
		t.Fatalf("the finding is not there: %v", err)
	}
	if again.Verdict != first.Verdict || !slices.Equal(again.Parts[0].Values, first.Parts[0].Values) {
		t.Errorf("found %+v, measured %+v", again, first)
	}
	runs, err := b.DB.Runs(t.Context(), tracker.Query{Experiment: Experiment})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if r.Status != tracker.Finished {
			t.Errorf("run %s is %s", r.Name, r.Status)
		}
		if r.Params["recipe"] != "" && !(r.Metrics[processorMetric].Value > 0) {
			t.Errorf("run %s has no processor time", r.Name)
		}
	}
	if len(runs) != 4 {
		t.Errorf("%d runs, want two trainings and two findings", len(runs))
	}
	if again.Build != b.env["build"] || again.Trainings.Count != 2 || !(again.Trainings.Seconds > 0) || !slices.Equal(again.Trainings.Builds, []string{again.Build}) {
		t.Errorf("the finding is by %q, its trainings are %+v", again.Build, again.Trainings)
	}
	b.Scale.Steps++
	if _, found, err := b.Recorded(t.Context(), heads()); found || err != nil {
		t.Errorf("a finding of another scale was taken: %v, %v", found, err)
	}

	var text strings.Builder
	book := Book{Data: "shapes", Machine: "a machine", Backend: "xla:cpu", Command: "patchlab claims", Scale: b.Scale, Findings: map[string]Finding{"heads": first}}
	if err := book.WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| More heads learn different patterns. | divergence of two heads gained by training (bits): ", "| not measured yet |",
		"Supported if ViT's exponent is between 1.6 and 2.4; and Mixer's exponent is between 0.6 and 1.4.", "**" + capital(string(first.Verdict)) + ".** Measured 20", " by " + first.Build + " in ",
		" Its 2 networks were trained from 20", "| not measured yet by this build |", "\nNot measured yet.\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
}

// prepare lets a bench know where it measures.
func prepare(t testing.TB, b *Bench) {
	t.Helper()
	if _, err := b.setting(t.Context(), bottleneck()); err != nil {
		t.Fatal(err)
	}
}

// What another build or machine measured is no time to compare with; accuracies are another machine's alone.
func TestAnotherBuild(t *testing.T) {
	b := bench(t, backend.Go)
	prepare(t, b)
	settings := func() (all []string) {
		for _, c := range []Claim{hybrid(), cost(), slowInference(), bottleneck(), position()} {
			s, err := b.setting(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	trained := func(exact bool) (runs int) {
		b.exact, b.trainings = exact, Trainings{}
		if _, err := b.reverse(t.Context(), true, 3, 1); err != nil {
			t.Fatal(err)
		}
		all, err := b.DB.Runs(t.Context(), tracker.Query{Experiment: Experiment})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	here, build := settings(), b.env["build"]
	for range 2 {
		if runs := trained(true); runs != 1 {
			t.Errorf("one build trained %d times", runs)
		}
	}
	b.env["build"] = "commit 0123456789ab"
	for i, s := range settings() {
		if compares := i < 3; (s == here[i]) == compares {
			t.Errorf("claim %d, which compares times (%v), has the setting %s by this build, %s by another", i, compares, here[i], s)
		}
	}
	if trained(false) != 1 || !slices.Equal(b.trainings.Builds, []string{build}) {
		t.Errorf("an accuracy of build %s was measured again, by %v", build, b.trainings.Builds)
	}
	if trained(true) != 2 || !slices.Equal(b.trainings.Builds, []string{b.env["build"]}) || !(b.trainings.Seconds > 0) {
		t.Errorf("a time is that of %v, want this build's", b.trainings)
	}
	b.env["machine"] = "another"
	for i, s := range settings() {
		if s == here[i] {
			t.Errorf("claim %d is that of another machine", i)
		}
	}
	if trained(false) != 3 {
		t.Error("what another machine trained was taken")
	}
}

// A training that ended early goes on, whatever ended it, but by the build that began it; one that diverged begins
// anew.
func TestGoOn(t *testing.T) {
	b := bench(t, backend.Go)
	prepare(t, b)
	for seed, c := range []struct {
		status   tracker.Status
		tags     map[string]string
		build    string
		wantMade int // of 18 steps, 5 of them made before
	}{
		{status: tracker.Killed, wantMade: 13},
		{status: tracker.Failed, tags: map[string]string{lab.TagError: "no space left"}, wantMade: 13},
		{status: tracker.Failed, tags: map[string]string{lab.TagDiverged: "step 5"}, wantMade: 18},
		{status: tracker.Killed, build: "commit 0123456789ab", wantMade: 18},
	} {
		recipe, err := b.recipe("mixer:1", false, b.Scale.Images, 1, int64(seed+1))
		if err != nil {
			t.Fatal(err)
		}
		recipe.Model.PatchSize, recipe.Model.Dim = 16, 4
		ctx, stop := context.WithCancel(t.Context())
		steps := 0
		b.Report = func(e experiments.Event) {
			if e.Phase == experiments.Training {
				if steps++; steps == 5 {
					stop()
				}
			}
		}
		if _, err := b.train(ctx, recipe); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want the context's", err)
		}
		begun, err := b.runs(t.Context(), func(r tracker.RunInfo) bool { return r.Params["recipe"] == recipe.Digest() })
		if err != nil || len(begun) != 1 {
			t.Fatalf("%d runs: %v", len(begun), err)
		}
		run, err := b.DB.Resume(t.Context(), begun[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(run.SetTags(c.tags), run.Finish(c.status)); err != nil {
			t.Fatal(err)
		}
		steps = 5 // past the stop
		if c.build != "" {
			b.env["build"] = c.build
		}
		if _, err := b.train(t.Context(), recipe); err != nil {
			t.Fatal(err)
		}
		if steps-5 != c.wantMade {
			t.Errorf("%s %v: %d steps were made, want %d", c.status, c.tags, steps-5, c.wantMade)
		}
	}
}

// A build is a commit only where nothing was changed since.
func TestBuildName(t *testing.T) {
	program := filepath.Join(t.TempDir(), "patchlab")
	if err := os.WriteFile(program, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const commit, sum = "9ab080dcd9ad0123456789", "program ba7816bf8f01" // SHA-256 of "abc", FIPS 180-4
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"vcs.revision": commit, "vcs.modified": "false"}, "commit 9ab080dcd9ad"},
		{map[string]string{"vcs.revision": commit, "vcs.modified": "true"}, sum + " (commit 9ab080dcd9ad with changes)"},
		{nil, sum},
	} {
		if got, err := name(c.settings, program); err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.settings, got, err, c.want)
		}
	}
}

// Networks of sequences are trained once and recorded, in pure Go too.
func TestReverse(t *testing.T) {
	b := bench(t, backend.Go)
	prepare(t, b)
	first, err := b.reverse(t.Context(), true, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.reverse(t.Context(), true, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := b.DB.Runs(t.Context(), tracker.Query{Experiment: Experiment})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 1 || first != again || runs[0].Metrics["symbols_right"].Value != first || runs[0].Metrics["step_loss"].Count != 2 {
		t.Errorf("%v and %v from %d runs, want one run found again", first, again, len(runs))
	}
}

func TestScaleValidate(t *testing.T) {
	for _, s := range []Scale{Default(), Quick()} {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []Scale{{}, {Seeds: 1, Images: 1000, Tests: 100, Epochs: 1, Steps: 1}, {Seeds: 2, Images: 100, Tests: 100, Epochs: 1, Steps: 1}} {
		if s.Validate() == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}
