package sweep_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"patchlab/experiments"
	"patchlab/experiments/sweep"
)

// recipe makes a recipe of a few flags.
func recipe(flags map[string]string) (experiments.Recipe, error) {
	r, err := experiments.ReferenceRecipe("mixer-4", experiments.Data{Name: "shapes", Validation: .1}, 1)
	if err != nil {
		return r, err
	}
	r.Epochs = 27
	for name, value := range flags {
		x, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return r, fmt.Errorf("%s is %q", name, value)
		}
		switch name {
		case "seed":
			r.Seed = int64(x)
		case "dim":
			r.Model.Dim = int(x)
		case "learning-rate":
			r.Optimizer.LearningRate = x
		case "dropout":
			r.Model.Dropout = x
		default:
			return r, fmt.Errorf("unknown flag %s", name)
		}
	}
	return r, r.Validate()
}

func spec(search sweep.Search, candidates int, parameters ...string) sweep.Spec {
	s := sweep.Default()
	s.Name, s.Search, s.Candidates = "test", search, candidates
	for _, text := range parameters {
		p, err := sweep.ParseParameter(text)
		if err != nil {
			panic(err)
		}
		s.Parameters = append(s.Parameters, p)
	}
	return s
}

func plan(t *testing.T, s sweep.Spec) *sweep.Plan {
	t.Helper()
	p, err := sweep.NewPlan(s, recipe)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// epoch is what an epoch came to, by either metric.
func epoch(value float64) experiments.Evaluation {
	return experiments.Evaluation{Top1: value, Loss: value}
}

// train carries out all tasks until none is left, by a function that says what a
// trial's metric is after an epoch, and returns the results and how many epochs
// were trained in all.
func train(t *testing.T, p *sweep.Plan, results map[string]sweep.Result, value func(sweep.Trial, int) float64) (trained int) {
	t.Helper()
	for range 1000 {
		_, tasks := p.Next(results)
		if len(tasks) == 0 {
			return trained
		}
		task := tasks[0]
		r := results[task.Digest]
		until := task.Until
		if until == 0 {
			until, r.State = task.Recipe.Epochs, sweep.Finished
		} else {
			r.State = sweep.Stopped
		}
		for len(r.Epochs) < until {
			r.Epochs = append(r.Epochs, epoch(value(task.Trial, len(r.Epochs)+1)))
			trained++
		}
		results[task.Digest] = r
	}
	t.Fatal("the sweep does not end")
	return 0
}

func TestGridListsEveryCombinationWithEverySeed(t *testing.T) {
	s := spec(sweep.Grid, 0, "dim=8,16", "learning-rate=1e-4..1e-2:log:count=3")
	s.Seeds = []int64{1, 5}
	p := plan(t, s)
	trials, tasks := p.Next(nil)
	if len(trials) != 12 || len(tasks) != 12 {
		t.Fatalf("%d trials, %d tasks; want 12", len(trials), len(tasks))
	}
	if got, want := trials[3].Candidate.String(), "dim=8 learning-rate=0.001"; got != want || trials[3].Seed != 5 || trials[3].Number != 2 {
		t.Errorf("the fourth trial is %+v, want %s with seed 5", trials[3], want)
	}
	digests := map[string]bool{}
	for _, trial := range trials {
		digests[trial.Digest] = true
	}
	if len(digests) != 12 {
		t.Errorf("%d digests of 12 trials", len(digests))
	}
	// What is done, running or failed is no task.
	done := map[string]sweep.Result{trials[0].Digest: {State: sweep.Finished}, trials[1].Digest: {State: sweep.Running}, trials[2].Digest: {State: sweep.Failed}, trials[3].Digest: {State: sweep.Stopped}}
	if _, tasks := p.Next(done); len(tasks) != 9 || tasks[0].Digest != trials[3].Digest {
		t.Errorf("%d tasks are left, the first %+v", len(tasks), tasks[0])
	}
}

func TestMoreRandomCandidatesKeepTheFirst(t *testing.T) {
	few, _ := plan(t, spec(sweep.Random, 3, "learning-rate=1e-4..1e-1:log", "dim=8..64:step=8")).Next(nil)
	many, _ := plan(t, spec(sweep.Random, 200, "learning-rate=1e-4..1e-1:log", "dim=8..64:step=8")).Next(nil)
	dims, low := map[string]bool{}, 0
	for i, trial := range many {
		if i < len(few) && trial.Digest != few[i].Digest {
			t.Errorf("candidate %d is %s of 3, %s of 200", i, few[i].Candidate, trial.Candidate)
		}
		rate := trial.Recipe.Optimizer.LearningRate
		if rate < 1e-4 || rate > 1e-1 {
			t.Errorf("a rate of %g", rate)
		}
		if rate < math.Sqrt(1e-5) {
			low++
		}
		dims[trial.Candidate[1].Value] = true
	}
	if len(dims) != 8 || low < 70 || low > 130 { // a fair coin's 200 throws stay within in all but 2e-5 of cases
		t.Errorf("dims %v; %d of 200 rates are below the middle of the log scale", dims, low)
	}
}

// Successive halving trains the best to its end with few epochs in all.
func TestHalvingFindsTheBestWithFewEpochs(t *testing.T) {
	s := spec(sweep.Random, 27, "learning-rate=1e-4..1e-1:log")
	s.Seeds, s.EarlyStopping = []int64{1, 2}, &sweep.Halving{MinEpochs: 1, Reduction: 3}
	p := plan(t, s)
	value := func(trial sweep.Trial, epoch int) float64 { // best at 1e-2; seeds differ a little
		return 1 - math.Abs(math.Log10(trial.Recipe.Optimizer.LearningRate)+2)/5 - .5/float64(epoch+1) + .001*float64(trial.Seed)
	}
	results := map[string]sweep.Result{}
	trained := train(t, p, results, value)
	trials, _ := p.Next(results)
	top, finished := trials[0], map[int]int{}
	for _, trial := range trials {
		if value(trial, 1) > value(top, 1) {
			top = trial
		}
		if results[trial.Digest].State == sweep.Finished {
			finished[trial.Number]++
		}
	}
	if finished[top.Number] != 2 {
		t.Errorf("the best candidate, %d, was not trained to its end with both seeds: %v", top.Number, finished)
	}
	if all := 2 * 27 * 27; trained > all/4 {
		t.Errorf("%d epochs were trained, of %d", trained, all)
	}
}

// One that fails is passed over, and does not hold the others up.
func TestHalvingPassesOverFailures(t *testing.T) {
	s := spec(sweep.Grid, 0, "dim=8,16,24,32")
	s.EarlyStopping = &sweep.Halving{MinEpochs: 3, Reduction: 3}
	p := plan(t, s)
	trials, tasks := p.Next(nil)
	if tasks[0].Until != 3 {
		t.Fatalf("the first task is until epoch %d, want 3", tasks[0].Until)
	}
	results := map[string]sweep.Result{trials[3].Digest: {State: sweep.Failed}}
	train(t, p, results, func(trial sweep.Trial, _ int) float64 { return float64(trial.Recipe.Model.Dim) })
	for i, want := range []sweep.State{sweep.Stopped, sweep.Stopped, sweep.Finished, sweep.Failed} {
		if got := results[trials[i].Digest].State; got != want {
			t.Errorf("trial %d is %s, want %s", i, got, want)
		}
	}
}

// CMA-ES comes nearer to the optimum than random search of the same size, and the
// same seed gives the same trials in whatever order the results come.
func TestCMAESLearns(t *testing.T) {
	parameters := []string{"learning-rate=1e-4..1:log", "dropout=0..0.9"}
	distance := func(trial sweep.Trial) float64 {
		return math.Hypot((math.Log10(trial.Recipe.Optimizer.LearningRate)+2.7)/4, (trial.Recipe.Model.Dropout-.15)/.9)
	}
	search := func(s sweep.Spec) (nearest float64, digests []string) {
		s.Metric = sweep.ValLoss
		p, results := plan(t, s), map[string]sweep.Result{}
		train(t, p, results, func(trial sweep.Trial, _ int) float64 { return distance(trial) })
		trials, _ := p.Next(results)
		nearest = math.Inf(1)
		for _, trial := range trials {
			nearest = min(nearest, distance(trial))
			digests = append(digests, trial.Digest)
		}
		return nearest, digests
	}
	var better int
	for seed := range uint64(9) {
		learned, random := spec(sweep.CMAES, 60, parameters...), spec(sweep.Random, 60, parameters...)
		learned.SearchSeed, random.SearchSeed = seed, seed
		near, first := search(learned)
		if _, again := search(learned); len(first) != 60 || !slices.Equal(first, again) {
			t.Fatalf("seed %d: %d trials, which are others the second time", seed, len(first))
		}
		if far, _ := search(random); near < far {
			better++
		}
	}
	if better < 8 { // the seeds are fixed: so is this
		t.Errorf("CMA-ES came nearer than random search with %d of 9 seeds", better)
	}
}

// A generation waits for those of its trials that run, and no longer.
func TestCMAESWaitsForItsGeneration(t *testing.T) {
	p := plan(t, spec(sweep.CMAES, 8, "learning-rate=1e-4..1e-1:log"))
	trials, tasks := p.Next(nil)
	if len(trials) != 4 || len(tasks) != 4 {
		t.Fatalf("%d trials and %d tasks, want a generation of 4", len(trials), len(tasks))
	}
	results := map[string]sweep.Result{}
	for i, trial := range trials {
		results[trial.Digest] = sweep.Result{State: sweep.Finished, Epochs: []experiments.Evaluation{epoch(float64(i))}}
	}
	results[trials[2].Digest] = sweep.Result{State: sweep.Running}
	if trials, tasks := p.Next(results); len(trials) != 4 || len(tasks) != 0 {
		t.Errorf("%d trials and %d tasks while one runs, want 4 and 0", len(trials), len(tasks))
	}
	results[trials[2].Digest] = sweep.Result{State: sweep.Failed}
	if trials, tasks := p.Next(results); len(trials) != 8 || len(tasks) != 4 {
		t.Errorf("%d trials and %d tasks when it has failed, want 8 and 4", len(trials), len(tasks))
	}
}

// A trial is judged by the weights that it keeps, not by its luckiest epoch.
func TestKeptWeightsAreWhatCounts(t *testing.T) {
	epochs := []experiments.Evaluation{{Top1: .2, Loss: 2}, {Top1: .3, Loss: 1}, {Top1: .9, Loss: 3}, {Top1: .4, Loss: 4}}
	for _, c := range []struct {
		metric sweep.Metric
		keep   experiments.Keep
		want   float64
	}{
		{sweep.ValAccuracy, experiments.KeepLoss, .3}, {sweep.ValAccuracy, experiments.KeepAccuracy, .9}, {sweep.ValAccuracy, experiments.KeepLast, .4},
		{sweep.ValLoss, experiments.KeepLoss, 1}, {sweep.ValLoss, experiments.KeepAccuracy, 3}, {sweep.ValLoss, experiments.KeepLast, 4},
	} {
		if got, ok := c.metric.Kept(c.keep, epochs); !ok || got != c.want {
			t.Errorf("%s of what is kept by %s is %v, want %v", c.metric, c.keep, got, c.want)
		}
	}
	if _, ok := sweep.ValLoss.Kept(experiments.KeepLast, nil); ok {
		t.Error("a trial without epochs has a value")
	}
}

func TestRefusesWhatNoSweepCouldDo(t *testing.T) {
	good := spec(sweep.Random, 3, "dim=8,16")
	for want, change := range map[string]func(*sweep.Spec){
		"name":                     func(s *sweep.Spec) { s.Name = "../x" },
		"seed 4 is there twice":    func(s *sweep.Spec) { s.Seeds = []int64{4, 4} },
		"metric \"test_accuracy\"": func(s *sweep.Spec) { s.Metric = "test_accuracy" },
		"reduction 1":              func(s *sweep.Spec) { s.EarlyStopping = &sweep.Halving{MinEpochs: 1, Reduction: 1} },
		"candidates 0":             func(s *sweep.Spec) { s.Candidates = 0 },
		"search \"bayes\"":         func(s *sweep.Spec) { s.Search = "bayes" },
		"both fixed":               func(s *sweep.Spec) { s.Train["dim"] = "8" },
		"without an order (16, 8)": func(s *sweep.Spec) { s.Search, s.Parameters[0].Values = sweep.CMAES, []string{"16", "8"} },
		"leave the number":         func(s *sweep.Spec) { s.Search = sweep.Grid },
		"needs the count of values": func(s *sweep.Spec) {
			s.Search, s.Candidates = sweep.Grid, 0
			s.Parameters[0].Range = &sweep.Range{Min: 1, Max: 2}
			s.Parameters[0].Values = nil
		},
	} {
		s := good
		s.Parameters = slices.Clone(good.Parameters)
		s.Train = map[string]string{}
		change(&s)
		if _, err := sweep.NewPlan(s, recipe); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if _, err := sweep.NewPlan(spec(sweep.Grid, 0, "depth=1,2"), recipe); err == nil || !strings.Contains(err.Error(), "unknown flag depth") {
		t.Errorf("a flag that no recipe has: %v", err)
	}
	impossible, err := sweep.NewPlan(spec(sweep.Grid, 0, "dim=8,0"), recipe)
	if err != nil {
		t.Fatal(err)
	}
	if trials, tasks := impossible.Next(nil); len(tasks) != 1 || trials[1].Err == nil {
		t.Errorf("an impossible candidate beside a possible one: %d tasks, %v", len(tasks), trials[1].Err)
	}
}

func TestParseParameter(t *testing.T) {
	for text, want := range map[string]string{
		"dim=8,16":                     "[8 16] <nil>",
		"model=mixer:1,vit:1;mixer:2":  "[mixer:1,vit:1 mixer:2] <nil>",
		"dropout=0..0.5":               "[] &{0 0.5 false 0 0}",
		"learning-rate=1e-4..1e-2:log": "[] &{0.0001 0.01 true 0 0}",
		"dim=16..128:step=16:count=3":  "[] &{16 128 false 16 3}",
	} {
		p, err := sweep.ParseParameter(text)
		if got := fmt.Sprint(p.Values, " ", p.Range); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"dim", "dim=", "dim=8,8", "x=2..1", "x=0..1:log", "x=0..1:steps=2", "x=a..b", "x=0..1:count=1"} {
		if p, err := sweep.ParseParameter(text); err == nil {
			t.Errorf("%q was taken as %+v", text, p)
		}
	}
}

func TestReadNamesTheLine(t *testing.T) {
	check := func(flag, value string) error {
		if flag == "depth" || value == "many" {
			return errors.New("depth or many")
		}
		return nil
	}
	for text, want := range map[string]string{
		"seeds: [1]\nserch: grid\n":                          `x.yaml: line 2: "serch" is no key of a sweep; allowed: name, train, parameters, seeds, search, candidates, search-seed, metric, early-stopping`,
		"train:\n  model: mixer\n  depth: 3\n":               "x.yaml: line 3: depth or many",
		"parameters:\n  dim: [8, many]\n":                    "x.yaml: line 2: parameter dim: depth or many",
		"parameters:\n  dim: 8\n":                            "x.yaml: line 2: parameter dim: it must be a list",
		"parameters:\n  dim: {min: 1}\n":                     "x.yaml: line 2: the range of dim needs min and max",
		"parameters:\n  dim: {min: 1, max: 2, scale: exp}\n": "scale \"exp\"; allowed: linear, log",
		"parameters:\n  dim: {min: 1, max: 2, steps: 3}\n":   `x.yaml: line 2: "steps" is no key of the range of dim; allowed: min, max, scale, step, count`,
		"parameters: [1, 2]\n":                               "x.yaml: line 1: parameters must be a mapping",
		"candidates: few\n":                                  "x.yaml: line 1: candidates of a sweep must be a whole number",
		"seeds: [1, two]\n":                                  "x.yaml: line 1: seeds of a sweep must be a list of whole numbers",
		"parameters: {dim: {min: low, max: 2}}\n":            "x.yaml: line 1: min of the range of dim must be a number",
		"early-stopping: {min: 1}\n":                         `x.yaml: line 1: "min" is no key of early-stopping; allowed: min-epochs, reduction`,
		"early-stopping: fast\n":                             "x.yaml: line 1: early-stopping is a mapping of the keys min-epochs, reduction",
		"[1, 2]\n":                                           "x.yaml: line 1: a sweep is a mapping of the keys name",
		"search-seed: -1\n":                                  "x.yaml: line 1: search-seed of a sweep must be a whole number, 0 or more",
		"train: {dim: 8, dim: 16}\n":                         "x.yaml: line 1: dim of train is there already, in line 1",
		"seeds: [1\n":                                        "x.yaml: ",
		"train: {epochs: [1, 2]}\n":                          "values to try belong under parameters",
		"name: a\nname: b\n":                                 "line 2: name of a sweep is there already, in line 1",
	} {
		if _, err := sweep.Read(strings.NewReader(text), "x.yaml", check); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q gave %v; want %q in one line", text, err, want)
		}
	}
}

// Whatever a file holds, it is read or refused in one line, and what is read can be
// planned or is refused too.
func FuzzRead(f *testing.F) {
	f.Add("name: a\ntrain: {dim: 8}\nparameters:\n  learning-rate: {min: 1e-4, max: 1e-2, scale: log, count: 3}\n  dim: [8, 16]\nseeds: [1, 2]\n")
	f.Add("search: random\ncandidates: 3\nearly-stopping: {reduction: 2}\nparameters: {dropout: {min: 0, max: 0.5, step: 0.1}}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := sweep.Read(strings.NewReader(text), "x.yaml", func(string, string) error { return nil })
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if s.Name == "" {
			s.Name = "x"
		}
		s.Candidates = min(s.Candidates, 20)
		for i := range s.Parameters {
			if r := s.Parameters[i].Range; r != nil {
				r.Count = min(r.Count, 5)
			}
		}
		sweep.NewPlan(s, recipe)
	})
}
