package sweep

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"patchlab/experiments"
)

// Search says how configurations are chosen.
type Search string

// The searches: every combination, independent draws, or draws from a normal
// distribution that learns from the results.
const (
	Grid   Search = "grid"
	Random Search = "random"
	CMAES  Search = "cmaes"
)

// Metric is what trials are judged by, on the validation images.
type Metric string

// The metrics: the accuracy, the higher the better, and the loss, the lower.
const (
	ValAccuracy Metric = "val_accuracy"
	ValLoss     Metric = "val_loss"
)

// Halving stops trials early: asynchronous successive halving. Every candidate
// trains for MinEpochs; the best 1/Reduction of those that got as far train
// Reduction times as long, and so on up to the recipe's epochs.
type Halving struct {
	MinEpochs int `json:"min_epochs"`
	Reduction int `json:"reduction"`
}

// DefaultHalving starts at one epoch and keeps a third.
func DefaultHalving() Halving { return Halving{MinEpochs: 1, Reduction: 3} }

// Spec says what a sweep tries.
type Spec struct {
	Name string `json:"name"`
	// Train are flags of "patchlab train", the same for all trials.
	Train map[string]string `json:"train,omitempty"`
	// Parameters are the flags that are tried. A candidate has one value of each.
	Parameters []Parameter `json:"parameters,omitempty"`
	// Seeds are trained with for each candidate: one trial a seed.
	Seeds  []int64 `json:"seeds"`
	Search Search  `json:"search"`
	// Candidates is how many configurations are tried; the grid needs none.
	Candidates int `json:"candidates,omitempty"`
	// SearchSeed decides the draws.
	SearchSeed    uint64   `json:"search_seed"`
	Metric        Metric   `json:"metric"`
	EarlyStopping *Halving `json:"early_stopping,omitempty"`
}

// Default is a spec that lacks only its parameters: a grid with seed 1, judged
// by the validation accuracy.
func Default() Spec {
	return Spec{Train: map[string]string{}, Seeds: []int64{1}, Search: Grid, SearchSeed: 1, Metric: ValAccuracy}
}

// maxTrials bounds a sweep, so that a slip in a grid gets an answer.
const maxTrials = 100_000

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Validate reports the first thing that no sweep could do, and what is allowed.
func (s Spec) Validate() error {
	if !validName.MatchString(s.Name) {
		return fmt.Errorf("name %q; allowed: 1 to 64 letters, digits, dots, dashes and underscores", s.Name)
	}
	if len(s.Seeds) == 0 {
		return errors.New("no seeds; at least one is needed")
	}
	for i, seed := range s.Seeds {
		if slices.Contains(s.Seeds[:i], seed) {
			return fmt.Errorf("seed %d is there twice", seed)
		}
	}
	if s.Metric != ValAccuracy && s.Metric != ValLoss {
		return fmt.Errorf("metric %q; allowed: %s, %s", s.Metric, ValAccuracy, ValLoss)
	}
	if h := s.EarlyStopping; h != nil {
		if h.MinEpochs < 1 || h.Reduction < 2 {
			return fmt.Errorf("early stopping: min-epochs %d, reduction %d; allowed: 1 or more, 2 or more", h.MinEpochs, h.Reduction)
		}
	}
	if err := s.validateParameters(); err != nil {
		return err
	}
	return s.validateSearch()
}

func (s Spec) validateParameters() error {
	seen := map[string]bool{}
	for _, p := range s.Parameters {
		_, fixed := s.Train[p.Name]
		switch {
		case seen[p.Name]:
			return fmt.Errorf("parameter %s is there twice", p.Name)
		case fixed:
			return fmt.Errorf("%s is both fixed and a parameter; it must be one of them", p.Name)
		case p.Name == "seed":
			return errors.New("seed is no parameter; the seeds have a list of their own")
		case p.Name == "epochs" && s.EarlyStopping != nil:
			return errors.New("epochs is no parameter where trials are stopped early: candidates are compared at equal epochs")
		}
		seen[p.Name] = true
		if err := p.validate(); err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	if _, fixed := s.Train["seed"]; fixed {
		return errors.New("seed is no flag of a sweep; the seeds have a list of their own")
	}
	return nil
}

func (s Spec) validateSearch() error {
	switch s.Search {
	case Grid:
		if s.Candidates != 0 {
			return fmt.Errorf("a grid tries every combination; leave the number of candidates, %d, out", s.Candidates)
		}
		size := len(s.Seeds)
		for _, p := range s.Parameters {
			if p.Range != nil && p.Range.Count == 0 {
				return fmt.Errorf("parameter %s is a range, of which a grid needs the count of values", p.Name)
			}
			if size *= p.size(); size > maxTrials {
				return fmt.Errorf("the grid has more than %d trials; search at random instead", maxTrials)
			}
		}
		return nil
	case Random, CMAES:
		if s.Candidates < 1 || s.Candidates*len(s.Seeds) > maxTrials {
			return fmt.Errorf("candidates %d, seeds %d; a %s search needs 1 or more candidates, and at most %d trials",
				s.Candidates, len(s.Seeds), s.Search, maxTrials)
		}
		if len(s.Parameters) == 0 {
			return fmt.Errorf("a %s search needs at least one parameter", s.Search)
		}
	default:
		return fmt.Errorf("search %q; allowed: %s, %s, %s", s.Search, Grid, Random, CMAES)
	}
	if s.Search == CMAES {
		for _, p := range s.Parameters {
			if !p.ordered() {
				return fmt.Errorf("parameter %s has values without an order (%s), which cmaes cannot search; use grid or random, or a sweep for each",
					p.Name, strings.Join(p.Values, ", "))
			}
		}
	}
	return nil
}

// lowerIsBetter reports the metric's direction.
func (m Metric) lowerIsBetter() bool { return m == ValLoss }

// Kept is the metric of the weights that a trial keeps of its epochs so far: those
// that a training which ended here would be tested with. ok is false where there are
// none.
func (m Metric) Kept(keep experiments.Keep, epochs []experiments.Evaluation) (value float64, ok bool) {
	if len(epochs) == 0 {
		return 0, false
	}
	kept := epochs[0]
	for _, e := range epochs[1:] {
		if keep.Better(e, kept) {
			kept = e
		}
	}
	if m == ValLoss {
		return kept.Loss, true
	}
	return kept.Top1, true
}
