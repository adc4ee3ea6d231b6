package sweeps

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/lab"
	"patchlab/tracker"
)

// asProgram makes the test binary stand for a patchlab whose trainings fail at once,
// or never end.
const asProgram = "PATCHLAB_TEST_SWEEPS"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "fail":
		fmt.Println("out of luck")
		os.Exit(1)
	case "wait":
		select {} // until a signal ends it
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// recipe makes a recipe of a learning rate and a seed.
func recipe(flags map[string]string) (experiments.Recipe, error) {
	r, err := experiments.ReferenceRecipe("mixer-4", experiments.Data{Name: "shapes", Validation: .1}, 1)
	if err != nil {
		return r, err
	}
	fmt.Sscan(flags["seed"], &r.Seed)
	fmt.Sscan(flags["learning-rate"], &r.Optimizer.LearningRate)
	return r, r.Validate()
}

// load takes any dataset's digest for "abc".
func load(experiments.Data) (string, error) { return "abc", nil }

// begin begins a sweep of three learning rates.
func begin(t *testing.T, launcher string) (*Sweep, *sweep.Plan) {
	t.Helper()
	spec := sweep.Default()
	spec.Name = "rates"
	p, err := sweep.ParseParameter("learning-rate=0.001,0.002,0.003")
	must(t, err)
	spec.Parameters = []sweep.Parameter{p}
	plan, err := sweep.NewPlan(spec, recipe)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "rates"+Suffix)
	s := &Sweep{Dir: dir, Config: Config{Spec: spec, Launcher: launcher, Backend: backend.Go, Experiment: "rates",
		DB: filepath.Join(dir, "results.db")}}
	unlock, err := s.Begin()
	must(t, err)
	t.Cleanup(unlock)
	trials, _ := plan.Next(nil)
	_, err = s.Know(trials, load)
	must(t, err)
	must(t, s.Save())
	return s, plan
}

// record records a run of a trial with a validation accuracy after each epoch.
func record(t *testing.T, path string, trial sweep.Trial, status tracker.Status, values ...float64) tracker.RunInfo {
	t.Helper()
	db, err := tracker.Open(path)
	must(t, err)
	defer db.Close()
	run, err := db.Start(t.Context(), tracker.Spec{Experiment: "rates", Name: trial.Name("rates"), Params: map[string]string{"recipe": trial.Digest},
		Environment: map[string]string{"backend": "go"}, Inputs: []tracker.Input{{Name: "shapes", Digest: "abc"}}})
	must(t, err)
	for i, v := range values {
		must(t, run.Log(int64(i+1), map[string]float64{"val_accuracy": v, "val_loss": 1 - v}))
	}
	must(t, run.Finish(status))
	info, err := db.Find(t.Context(), run.ID())
	must(t, err)
	return info
}

// A trial whose process fails is tried twice, then given up; the others are tried
// all the same.
func TestLocalGivesUp(t *testing.T) {
	t.Setenv(asProgram, "fail")
	s, plan := begin(t, LaunchLocal)
	program, err := os.Executable()
	must(t, err)
	trials, _ := plan.Next(nil)
	record(t, s.DB, trials[1], tracker.Finished, .5, .6)
	ended := map[string]int{}
	l := Local{Sweep: s, Plan: plan, Load: load, Results: NewResults(s), Program: program, Cores: [][]int{{0}, {0}}}
	l.Ended = func(end End) {
		ended[end.Task.Digest]++
		if end.Recorded || end.Err == nil || s.LastLine(end.Task.Digest) != "out of luck" {
			t.Errorf("a trial ended with %+v; its log says %q", end, s.LastLine(end.Task.Digest))
		}
	}
	p, err := l.Run(t.Context())
	if err != nil || p.Lost != 2 || p.Stopped || p.Counts().Finished != 1 || len(p.Tasks) != 0 {
		t.Errorf("the sweep ended with %+v, %v", p, err)
	}
	if len(ended) != 2 || ended[trials[0].Digest] != 2 || ended[trials[2].Digest] != 2 {
		t.Errorf("trials were tried so often: %v", ended)
	}
}

// Stopped by its file or by its context, a sweep ends its trials, and no trial was
// tried in vain.
func TestLocalStops(t *testing.T) {
	t.Setenv(asProgram, "wait")
	for name, stop := range map[string]func(*Sweep, context.CancelFunc){
		"by its file":    func(s *Sweep, _ context.CancelFunc) { must(t, s.Stop()) },
		"by its context": func(_ *Sweep, cancel context.CancelFunc) { cancel() },
	} {
		s, plan := begin(t, LaunchLocal)
		program, err := os.Executable()
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := Local{Sweep: s, Plan: plan, Load: load, Results: NewResults(s), Program: program, Cores: [][]int{{0}}}
		stopping, ends := 0, 0
		l.Tick = func(running []sweep.Task, of int) {
			if len(running) != 1 || of != 3 {
				t.Errorf("%s: %d run of %d", name, len(running), of)
			}
			stop(s, cancel)
		}
		l.Stopping = func(n int) { stopping = n }
		l.Ended = func(End) { ends++ }
		p, err := l.Run(ctx)
		if !p.Stopped || p.Lost != 0 || !errors.Is(err, ctx.Err()) || stopping != 1 || ends != 1 || len(l.tries) != 0 {
			t.Errorf("%s it ended with %+v, %v; %d were stopping, %d ended, tried %v", name, p, err, stopping, ends, l.tries)
		}
	}
}

// A trial that got no further in three rounds since a person began is given up; one
// that got further is not.
func TestRoundsGiveUp(t *testing.T) {
	s, plan := begin(t, LaunchSlurm)
	trials, _ := plan.Next(nil)
	record(t, s.TrialDB(trials[0].Digest), trials[0], tracker.Killed, .5)
	record(t, s.TrialDB(trials[1].Digest), trials[1], tracker.Failed)
	most := func(context.Context) (int, error) { return 2, nil }
	var names []string
	for round := range 6 {
		step, err := s.next(t.Context(), plan, Turn{Begun: round == 0 || round == 5, Load: load}, most)
		must(t, err)
		must(t, s.saveRound(step.Round))
		if step.Merged == nil || round == 0 && step.Merged.Added != 2 || len(step.Unmerged) > 0 {
			t.Errorf("round %d merged %+v, not %v", round+1, step.Merged, step.Unmerged)
		}
		var these []string
		for _, task := range step.Round.Tasks {
			these = append(these, fmt.Sprintf("%s at %d", task.Name, task.Epochs))
			if r, err := s.ReadTrial(task.Digest); err != nil || r.Digest() != task.Digest {
				t.Errorf("the recipe of %s: %v", task.Name, err)
			}
		}
		names = append(names, fmt.Sprint(step.Round.Number, these, step.GivenUp))
	}
	want := []string{ // the third trial, which the array has no place for, comes when two are given up
		"1 [rates-001-s1 at 1 rates-002-s1 at 0] 0", "2 [rates-001-s1 at 1 rates-002-s1 at 0] 0", "3 [rates-001-s1 at 1 rates-002-s1 at 0] 0",
		"4 [rates-003-s1 at 0] 2", "5 [rates-003-s1 at 0] 2", "6 [rates-001-s1 at 1 rates-002-s1 at 0] 0",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the rounds were\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

// What diverged is trained anew where a person asks for it, instead of the old run.
func TestRoundsRetryFailed(t *testing.T) {
	s, plan := begin(t, LaunchSlurm)
	trials, _ := plan.Next(nil)
	info := record(t, s.DB, trials[0], tracker.Failed, .1)
	db, err := tracker.Open(s.DB)
	must(t, err)
	must(t, errors.Join(db.SetTags(t.Context(), info.ID, map[string]string{lab.TagDiverged: "step 3"}), db.Close()))
	most := func(context.Context) (int, error) { return 9, nil }
	for retry, want := range map[bool]int{false: 2, true: 3} {
		step, err := s.next(t.Context(), plan, Turn{Begun: true, RetryFailed: retry, Load: load}, most)
		must(t, err)
		if len(step.Round.Tasks) != want || retry && step.Round.Tasks[0].InsteadOf != info.ID {
			t.Errorf("retrying %t: %+v", retry, step.Round.Tasks)
		}
	}
	must(t, s.Stop())
	if step, err := s.next(t.Context(), plan, Turn{Load: load}, most); err != nil || !step.Stopped || len(step.Round.Tasks) > 0 {
		t.Errorf("a stopped sweep went on with %+v, %v", step.Round, err)
	}
}

// Of several runs of a recipe the one that came furthest counts, if it is on the
// sweep's backend and images.
func TestResults(t *testing.T) {
	s, plan := begin(t, LaunchLocal)
	trials, _ := plan.Next(nil)
	further := record(t, s.DB, trials[0], tracker.Killed, .3, .4)
	record(t, s.DB, trials[0], tracker.Killed, .5)
	record(t, s.DB, trials[1], tracker.Finished, .6, .7)
	record(t, s.DB, trials[2], tracker.Finished, math.NaN())
	r := NewResults(s)
	runs, err := r.Read(t.Context(), s.DB)
	must(t, err)
	if first := runs[trials[0].Digest]; first.Run.ID != further.ID || first.Word() != "killed" || len(first.Epochs) != 2 || first.Epochs[1].Top1 != .4 || first.Epochs[1].Loss != .6 {
		t.Errorf("the first trial is %+v", first)
	}
	_, tasks := plan.Next(runs.Results())
	if got := Count(trials, tasks, runs).String(); got != "2 finished, 1 to continue" {
		t.Errorf("the trials are %s", got)
	}
	var order []int
	for _, c := range Best(s.Spec, trials, runs) {
		order = append(order, c.Number)
	}
	if !slices.Equal(order, []int{2, 1}) { // the third came to no number
		t.Errorf("the best are %v", order)
	}
	s.Backend = backend.XLA
	if runs, err := r.Read(t.Context(), s.DB); err != nil || len(runs) != 0 || !strings.HasPrefix(r.Uncounted[trials[0].Digest], "on backend go, whose losses are not those of xla") {
		t.Errorf("on another backend: %d runs, %v, %v", len(runs), r.Uncounted, err)
	}
	s.Backend, s.Images = backend.Go, map[string]string{"shapes 0 0": "def"}
	if runs, err := r.Read(t.Context(), s.DB); err != nil || len(runs) != 0 || r.Uncounted[trials[0].Digest] != "with other images than are found now" {
		t.Errorf("with other images: %d runs, %v, %v", len(runs), r.Uncounted, err)
	}
}

// One process at a time is at a sweep; what Save writes, Open reads.
func TestFolder(t *testing.T) {
	s, _ := begin(t, LaunchLocal)
	if _, err := s.Lock(); !errors.Is(err, ErrBusy) || !s.Busy() {
		t.Errorf("a second process: %v", err)
	}
	again, err := Open(strings.TrimSuffix(s.Dir, Suffix))
	if err != nil || again.Dir != s.Dir || again.Images["shapes 0 0"] != "abc" || again.Spec.Name != "rates" {
		t.Errorf("opened: %+v, %v", again, err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	must(t, os.WriteFile(s.LogPath("0123456789abcdef"), []byte("epoch 3/9  loss 1\nepoch 4/9  loss 1\nsaving\n"), 0o600))
	if epoch, of := s.Epoch("0123456789abcdef"); epoch != 4 || of != 9 || s.LastLine("0123456789abcdef") != "saving" {
		t.Errorf("epoch %d of %d, at last %q", epoch, of, s.LastLine("0123456789abcdef"))
	}
}

// Without a name, the only sweep of the current folder is meant.
func TestOpenTheOnly(t *testing.T) {
	s, _ := begin(t, LaunchLocal)
	t.Chdir(filepath.Dir(s.Dir))
	if only, err := Open(""); err != nil || only.Spec.Name != "rates" {
		t.Errorf("the only one: %+v, %v", only, err)
	}
	must(t, os.Mkdir("second"+Suffix, 0o755))
	if _, err := Open(""); err == nil || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "2 sweeps") {
		t.Errorf("of two: %v", err)
	}
	t.Chdir(t.TempDir())
	if _, err := Open(""); !errors.Is(err, ErrNone) {
		t.Errorf("of none: %v", err)
	}
	must(t, os.Mkdir("empty"+Suffix, 0o755))
	if _, err := Open(""); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "empty"+Suffix+" has no "+specFile) {
		t.Errorf("of an empty folder: %v", err)
	}
}

// Of many kinds of work 12 are measured, and the others scaled by their FLOPs.
func TestPredict(t *testing.T) {
	var trials []sweep.Trial
	for i := range 30 {
		r, err := recipe(map[string]string{"seed": "1", "learning-rate": "0.001"})
		must(t, err)
		r.Model.Dim = 16 * (i + 1)
		trials = append(trials, sweep.Trial{Recipe: r, Digest: r.Digest()})
		r.Seed, r.Epochs = 2, 5 // which cost what the others cost
		trials = append(trials, sweep.Trial{Recipe: r, Digest: r.Digest()})
	}
	calls := 0
	costs, err := Predict(trials, func(r experiments.Recipe, at, measured, kinds int) (experiments.Cost, error) {
		if calls++; at != calls || measured != 12 || kinds != 30 {
			t.Errorf("call %d: %d of %d, %d kinds", calls, at, measured, kinds)
		}
		return experiments.Cost{StepSeconds: float64(r.Model.FLOPs()), Steps: 9, Batch: r.Batch}, nil
	})
	if err != nil || calls != 12 || costs.Steps() != 9 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	for _, trial := range trials {
		if got, want := costs.Of(trial.Recipe).StepSeconds, float64(trial.Recipe.Model.FLOPs()); math.Abs(got-want) > 1e-9*want {
			t.Errorf("dim %d takes %g, want %g", trial.Recipe.Model.Dim, got, want)
		}
	}
}
