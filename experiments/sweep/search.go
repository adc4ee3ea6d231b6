package sweep

import (
	"math/rand/v2"
	"strings"
)

// Setting is a parameter's value in a candidate.
type Setting struct{ Name, Value string }

// Candidate is a configuration: a value for each parameter, in the order of the
// spec.
type Candidate []Setting

// String is the candidate as a command line has it, such as "dim=32 dropout=0.1".
func (c Candidate) String() string {
	if len(c) == 0 {
		return "as it is"
	}
	words := make([]string, len(c))
	for i, s := range c {
		words[i] = s.Name + "=" + s.Value
	}
	return strings.Join(words, " ")
}

// grid lists every combination; the last parameter changes fastest.
func (s Spec) grid() []Candidate {
	all := []Candidate{nil}
	for _, p := range s.Parameters {
		var next []Candidate
		for _, c := range all {
			for _, v := range p.grid() {
				next = append(next, append(c[:len(c):len(c)], Setting{p.Name, v}))
			}
		}
		all = next
	}
	return all
}

// random draws candidates. The i-th depends on the seed and i alone, so more
// candidates keep those drawn before.
func (s Spec) random() []Candidate {
	all := make([]Candidate, s.Candidates)
	for i := range all {
		r := rand.New(rand.NewPCG(s.SearchSeed, uint64(i)))
		for _, p := range s.Parameters {
			all[i] = append(all[i], Setting{p.Name, p.at(r.Float64())})
		}
	}
	return all
}

// candidate is the one at a point of the unit cube.
func (s Spec) candidate(point []float64) Candidate {
	c := make(Candidate, len(s.Parameters))
	for i, p := range s.Parameters {
		c[i] = Setting{p.Name, p.at(point[i])}
	}
	return c
}
