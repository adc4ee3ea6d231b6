package sweep

import (
	"fmt"
	"maps"
	"strconv"

	"patchlab/experiments"
)

// State is what became of a trial so far.
type State int

// The states. A trial is Stopped where it can continue: it was interrupted,
// paused or killed. Failed is for good: training it again would end the same.
const (
	Missing State = iota
	Stopped
	Running
	Failed
	Finished
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"missing", "stopped", "running", "failed", "finished"}[s]
}

// Result is what is known of a trial.
type Result struct {
	State State
	// Epochs are the Loss and Top1 on the images held out, after each completed epoch.
	Epochs []experiments.Evaluation
	// Until is the epoch that a running trial was started for; 0 is its last.
	Until int
}

// Trial is a candidate trained with a seed.
type Trial struct {
	Number    int // the candidate's, from 1
	Candidate Candidate
	Seed      int64
	Recipe    experiments.Recipe
	Digest    string // the recipe's, or "" where there is none
	Err       error  // why the candidate makes no recipe
}

// Name is unique in the sweep, such as "rates-003-s1".
func (t Trial) Name(sweep string) string { return fmt.Sprintf("%s-%03d-s%d", sweep, t.Number, t.Seed) }

// Task is a trial to train now, until an epoch; 0 is the recipe's last.
type Task struct {
	Trial
	Until int
}

// Plan says what a sweep has left to do.
type Plan struct {
	Spec   Spec
	recipe func(flags map[string]string) (experiments.Recipe, error)
	made   map[string]Trial // by candidate and seed
}

// NewPlan makes a plan. The function makes a recipe of flags of "patchlab train".
func NewPlan(spec Spec, recipe func(flags map[string]string) (experiments.Recipe, error)) (*Plan, error) {
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	p := &Plan{Spec: spec, recipe: recipe, made: map[string]Trial{}}
	trials, _ := p.Next(nil)
	for _, t := range trials {
		if t.Err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("sweep: no trial can be made: %s: %w", trials[0].Candidate, trials[0].Err)
}

// Next returns all trials known so far and those to train now, the most
// promising first, by the results so far under the trials' digests. Nothing is
// left where no task comes and none of the trials is running. The same results
// give the same answer.
func (p *Plan) Next(results map[string]Result) ([]Trial, []Task) {
	switch p.Spec.Search {
	case CMAES:
		return p.evolve(results)
	case Random:
		c := p.cohort(p.Spec.random(), 1, results)
		return c.trials(), c.tasks()
	default:
		c := p.cohort(p.Spec.grid(), 1, results)
		return c.trials(), c.tasks()
	}
}

// evolve is Next for CMA-ES: a generation begins when the one before is through.
// Where the model breaks down, as it may when all values are equal, no more come.
func (p *Plan) evolve(results map[string]Result) (trials []Trial, tasks []Task) {
	e, err := newEvolution(len(p.Spec.Parameters), p.Spec.SearchSeed)
	for done := 0; err == nil; {
		var candidates []Candidate
		for _, point := range e.asked[:min(len(e.asked), p.Spec.Candidates-done)] {
			candidates = append(candidates, p.Spec.candidate(point.Params))
		}
		c := p.cohort(candidates, done+1, results)
		trials, tasks = append(trials, c.trials()...), c.tasks()
		done += len(candidates)
		if len(tasks) > 0 || c.running() || done == p.Spec.Candidates {
			return trials, tasks
		}
		err = e.tell(c.ranks())
	}
	return trials, tasks
}

// trial makes a candidate's trial with a seed.
func (p *Plan) trial(c Candidate, number int, seed int64) Trial {
	key := fmt.Sprint(c, seed)
	t, ok := p.made[key]
	if !ok {
		flags := maps.Clone(p.Spec.Train)
		if flags == nil {
			flags = map[string]string{}
		}
		for _, s := range c {
			flags[s.Name] = s.Value
		}
		flags["seed"] = strconv.FormatInt(seed, 10)
		t = Trial{Candidate: c, Seed: seed}
		if t.Recipe, t.Err = p.recipe(flags); t.Err == nil {
			t.Digest = t.Recipe.Digest()
		}
		p.made[key] = t
	}
	t.Number = number
	return t
}
