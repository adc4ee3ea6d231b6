package claims

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"patchlab/compare/stats"
)

// Claim is a statement of the course and how it is decided.
type Claim struct {
	Name      string // by which --only knows it
	Section   string // of the course
	Statement string
	Method    string // what is measured, and on what
	// Images says that the dataset's are trained on or looked at.
	Images bool
	// Times says that processor times are compared: those of one build, on one
	// machine.
	Times bool
	// parts are what must all hold, without values; measure fills them in.
	parts   []Part
	measure func(ctx context.Context, b *Bench) (Measured, error)
}

// Part is one number that a claim comes down to.
type Part struct {
	What string `json:"what"` // with its unit
	// Region is where its true value lies if the claim holds.
	Region Region `json:"region"`
	// Values were measured independently of one another: one a seed, or one a round.
	Values   []float64      `json:"values"`
	Mean     float64        `json:"mean"`
	Interval stats.Interval `json:"interval"`
	Verdict  Verdict        `json:"verdict"`
	Because  string         `json:"because"`
}

// Measured is what a claim's measurement gave: the values of each part in order,
// and what else is worth saying.
type Measured struct {
	Values [][]float64
	Notes  []string
}

// Finding is a claim decided.
type Finding struct {
	Claim   string   `json:"claim"`
	Parts   []Part   `json:"parts"`
	Notes   []string `json:"notes,omitempty"`
	Verdict Verdict  `json:"verdict"`
	// When it was measured, by what build, in how many seconds, and the machine's
	// load average before and after; "" where the system does not tell.
	When    time.Time `json:"when"`
	Build   string    `json:"build"`
	Seconds float64   `json:"seconds"`
	Load    string    `json:"load,omitempty"`
	// Trainings may have been done before: for another claim, or by an earlier call.
	Trainings Trainings `json:"trainings,omitzero"`
}

// Verdict is what a measurement says about a claim.
type Verdict string

// The verdicts.
const (
	Supported    Verdict = "supported"
	NotSupported Verdict = "not supported"
	Undecided    Verdict = "not decidable here"
)

// Region is an open interval; nil ends are infinite.
type Region struct {
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

func above(x float64) Region           { return Region{Low: &x} }
func below(x float64) Region           { return Region{High: &x} }
func between(low, high float64) Region { return Region{&low, &high} }

func (r Region) ends() (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	if r.Low != nil {
		low = *r.Low
	}
	if r.High != nil {
		high = *r.High
	}
	return low, high
}

// String is the region in words.
func (r Region) String() string {
	switch {
	case r.Low != nil && r.High != nil:
		return fmt.Sprintf("between %g and %g", *r.Low, *r.High)
	case r.Low != nil:
		return fmt.Sprintf("above %g", *r.Low)
	case r.High != nil:
		return fmt.Sprintf("below %g", *r.High)
	}
	return "anything"
}

// level is that of all intervals.
const level = .95

// Decide gives a part its mean, interval and verdict from its values, two or more.
func (p *Part) Decide() error {
	interval, err := stats.MeanT(p.Values, level)
	if err != nil {
		return fmt.Errorf("%s: %w", p.What, err)
	}
	summary := stats.Describe(p.Values)
	p.Mean, p.Interval = summary.Mean, interval
	low, high := p.Region.ends()
	switch {
	case low < interval.Low && interval.High < high:
		p.Verdict, p.Because = Supported, "the interval lies wholly "+p.Region.String()
	case interval.High <= low || high <= interval.Low:
		p.Verdict, p.Because = NotSupported, "no value of the interval is "+p.Region.String()
	default:
		p.Verdict = Undecided
		p.Because = "the interval holds values that are " + p.Region.String() + " and values that are not" + enough(summary, low, high)
	}
	return nil
}

// enough says how many values would decide a part, were the mean and the spread
// what they seem.
func enough(s stats.Summary, low, high float64) string {
	distance := math.Min(math.Abs(s.Mean-low), math.Abs(s.Mean-high))
	n, err := stats.SeedsPaired(distance/s.StdDev, 1-level, .8)
	if err != nil || n <= s.N {
		return ""
	}
	return fmt.Sprintf("; %d values instead of %d would likely (4 times of 5) decide it, were the mean right", n, s.N)
}

// decide makes a finding of what was measured: supported where all parts are, not
// supported where one is not.
func (c Claim) decide(m Measured) (Finding, error) {
	if len(m.Values) != len(c.parts) {
		return Finding{}, fmt.Errorf("claim %s: %d numbers were measured, it has %d", c.Name, len(m.Values), len(c.parts))
	}
	f := Finding{Claim: c.Name, Notes: m.Notes, Verdict: Supported}
	for i, p := range c.parts {
		p.Values = m.Values[i]
		if err := p.Decide(); err != nil {
			return Finding{}, fmt.Errorf("claim %s: %w", c.Name, err)
		}
		switch {
		case p.Verdict == NotSupported:
			f.Verdict = NotSupported
		case p.Verdict == Undecided && f.Verdict == Supported:
			f.Verdict = Undecided
		}
		f.Parts = append(f.Parts, p)
	}
	return f, nil
}

// Criterion is what would support the claim, in words.
func (c Claim) Criterion() string {
	var parts []string
	for _, p := range c.parts {
		parts = append(parts, p.What+" is "+p.Region.String())
	}
	return strings.Join(parts, "; and ")
}

// number writes a value in up to three digits.
func number(x float64) string {
	return strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(math.Max(math.Abs(x), .01))))), 64)
}

// All lists the claims in the order of the course.
func All() []Claim {
	return []Claim{bottleneck(), farBackground(), heads(), cost(), position(), hybrid(), slowInference(), dataEfficient()}
}

// Names lists the claims' names.
func Names() []string {
	var names []string
	for _, c := range All() {
		names = append(names, c.Name)
	}
	return names
}

// Pick returns the claims of some names, all where there are none.
func Pick(names []string) ([]Claim, error) {
	if len(names) == 0 {
		return All(), nil
	}
	var picked []Claim
	for _, name := range names {
		found := false
		for _, c := range All() {
			if c.Name == name {
				picked, found = append(picked, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("claim %q; allowed: %s", name, strings.Join(Names(), ", "))
		}
	}
	return picked, nil
}
