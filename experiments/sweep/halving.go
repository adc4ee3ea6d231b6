package sweep

import (
	"cmp"
	"math"
	"slices"
)

// cohort is a set of candidates that are compared with each other.
type cohort struct {
	metric  Metric
	halving *Halving
	members []*member
}

// member is a candidate with its trials.
type member struct {
	trials  []Trial
	results []Result
	rung    int // of the limits below: how far it may train
}

func (p *Plan) cohort(candidates []Candidate, first int, results map[string]Result) *cohort {
	c := &cohort{metric: p.Spec.Metric, halving: p.Spec.EarlyStopping}
	for i, candidate := range candidates {
		m := &member{}
		for _, seed := range p.Spec.Seeds {
			t := p.trial(candidate, first+i, seed)
			m.trials = append(m.trials, t)
			m.results = append(m.results, results[t.Digest])
		}
		c.members = append(c.members, m)
	}
	c.promote()
	return c
}

// limit is the epoch at which a rung ends; 0 is the recipe's last.
func (c *cohort) limit(m *member, rung int) int {
	if c.halving == nil {
		return 0
	}
	limit := c.halving.MinEpochs
	for range rung {
		limit *= c.halving.Reduction
	}
	if limit >= m.trials[0].Recipe.Epochs {
		return 0
	}
	return limit
}

// promote finds how far each member may train: algorithm 2 of Li et al. 2020,
// asked anew each time. A member that has gone beyond a rung already has been
// promoted from it. Where all members have arrived the best goes on in any case,
// so that one is trained to its end.
func (c *cohort) promote() {
	complete := true
	for rung := 0; ; rung++ {
		var here, reached []*member
		for _, m := range c.members {
			if m.rung == rung && !m.broken() && c.limit(m, rung) != 0 {
				here = append(here, m)
				if c.reached(m, rung) || m.failed() {
					reached = append(reached, m)
				} else {
					complete = false
				}
			}
		}
		if len(here) == 0 {
			return
		}
		best := len(reached) / c.halving.Reduction
		if complete {
			best = max(best, 1)
		}
		slices.SortStableFunc(reached, func(a, b *member) int { return cmp.Compare(c.score(b, rung), c.score(a, rung)) })
		for i, m := range reached {
			if i < best && !m.failed() || c.beyond(m, rung) {
				m.rung = rung + 1
			}
		}
	}
}

// broken reports whether no recipe can be made of the candidate.
func (m *member) broken() bool { return m.trials[0].Err != nil }

// failed reports whether one of the trials failed for good.
func (m *member) failed() bool {
	return slices.ContainsFunc(m.results, func(r Result) bool { return r.State == Failed })
}

// reached reports whether all trials have come to the end of a rung.
func (c *cohort) reached(m *member, rung int) bool {
	for _, r := range m.results {
		if !r.reached(c.limit(m, rung)) {
			return false
		}
	}
	return true
}

func (r Result) reached(limit int) bool {
	return r.State == Finished || limit > 0 && len(r.Epochs) >= limit
}

// beyond reports whether a trial was trained on from a rung.
func (c *cohort) beyond(m *member, rung int) bool {
	limit := c.limit(m, rung)
	return slices.ContainsFunc(m.results, func(r Result) bool {
		return len(r.Epochs) > limit || r.State == Running && (r.Until == 0 || r.Until > limit)
	})
}

// score is the mean over the seeds of the metric of the weights kept at a rung's
// end, the higher the better; −Inf where a trial failed or has none.
func (c *cohort) score(m *member, rung int) float64 {
	if m.broken() || m.failed() {
		return math.Inf(-1)
	}
	limit, sum := c.limit(m, rung), 0.
	for i, r := range m.results {
		epochs := r.Epochs
		if limit > 0 {
			epochs = epochs[:min(limit, len(epochs))]
		}
		value, ok := c.metric.Kept(m.trials[i].Recipe.Keep, epochs)
		if !ok {
			return math.Inf(-1)
		}
		sum += value
	}
	if c.metric.lowerIsBetter() {
		sum = -sum
	}
	return sum / float64(len(m.results))
}

func (c *cohort) trials() []Trial {
	var all []Trial
	for _, m := range c.members {
		all = append(all, m.trials...)
	}
	return all
}

// tasks are the trials to train now: those of the highest rung first. Trials of
// one recipe are one task.
func (c *cohort) tasks() []Task {
	members := slices.Clone(c.members)
	slices.SortStableFunc(members, func(a, b *member) int { return cmp.Compare(b.rung, a.rung) })
	var tasks []Task
	seen := map[string]bool{}
	for _, m := range members {
		until := c.limit(m, m.rung)
		for i, t := range m.trials {
			r := m.results[i]
			if t.Err != nil || seen[t.Digest] || r.State == Running || r.State == Failed || r.reached(until) {
				continue
			}
			seen[t.Digest] = true
			tasks = append(tasks, Task{Trial: t, Until: until})
		}
	}
	return tasks
}

func (c *cohort) running() bool {
	return slices.ContainsFunc(c.members, func(m *member) bool {
		return slices.ContainsFunc(m.results, func(r Result) bool { return r.State == Running })
	})
}

// ranks orders the members, 0 for the best: by how far they came, then by score.
func (c *cohort) ranks() []int {
	order := make([]int, len(c.members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := c.members[i], c.members[j]
		sa, sb := c.score(a, a.rung), c.score(b, b.rung)
		switch { // one without a value is the last
		case math.IsInf(sa, -1) || math.IsInf(sb, -1):
			return cmp.Compare(sb, sa)
		case a.rung != b.rung:
			return cmp.Compare(b.rung, a.rung)
		}
		return cmp.Compare(sb, sa)
	})
	ranks := make([]int, len(order))
	for rank, i := range order {
		ranks[i] = rank
	}
	return ranks
}
