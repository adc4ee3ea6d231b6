package compare

import (
	"encoding/json"
	"math"
	"time"

	"patchlab/compare/stats"
)

// Version is the version of the JSON that a Report is written as. A field may
// be added without raising it; one that goes or changes its meaning raises it.
const Version = 1

// Number is a float64 that is written to JSON as null where it is not finite.
type Number float64

// MarshalJSON writes null for NaN and infinities, which JSON does not know.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Report is a whole comparison.
type Report struct {
	Version  int        `json:"version"`
	Made     time.Time  `json:"made"`
	Filter   string     `json:"filter"`
	By       []string   `json:"by"`
	Level    float64    `json:"level"` // of the intervals; 1-Level is the error rate of the tests
	Across   []string   `json:"across"`
	Against  string     `json:"against,omitempty"`
	Target   *Number    `json:"target,omitempty"` // the accuracy whose time is asked for
	Counted  int        `json:"runs_counted"`
	Excluded []Excluded `json:"runs_not_counted"`
	Tables   []Table    `json:"tables"`
	Warnings []Warning  `json:"warnings"`
}

// Excluded counts runs that are in no table.
type Excluded struct {
	Reason string   `json:"reason"` // "running", "failed", "no test_accuracy", …
	Runs   int      `json:"runs"`
	IDs    []string `json:"ids"`
}

// Warning is something the reader has to know before trusting a number. Code
// is for programs, Text a sentence for people, Row the configuration that it
// is about, "" for all.
type Warning struct {
	Code string `json:"code"`
	Row  string `json:"row,omitempty"`
	Text string `json:"text"`
}

// Table holds the configurations that may stand side by side.
type Table struct {
	Setting  Setting       `json:"setting"`  // blank where mixed
	Settings []MarkSetting `json:"settings"` // the settings in it, each with the mark that its cells carry
	Mixed    []string      `json:"mixed"`    // the aspects in which they differ
	Rows     []Row         `json:"rows"`
	Pairs    []Pair        `json:"pairs"`
	Equal    []Equal       `json:"equal,omitempty"`
	Verdict  string        `json:"verdict"`
	Warnings []Warning     `json:"warnings"`

	Differs     []Differing   `json:"differs"`     // parameters, besides those grouped by
	Environment []Environment `json:"environment"` // of all runs

	shorter []string // rows trained for fewer epochs than the reference
}

// MarkSetting is one of a table's settings and its letter.
type MarkSetting struct {
	Mark    string  `json:"mark"`
	Setting Setting `json:"setting"`
}

// Row is one configuration.
type Row struct {
	Name       string              `json:"name"`
	Group      map[string]string   `json:"group"` // the values of the keys it is grouped by
	Runs       []RunRef            `json:"runs"`
	Seeds      int                 `json:"seeds"`       // distinct seeds; a run without a recorded one counts as one
	TestImages int                 `json:"test_images"` // 0 if not recorded
	Quantities map[string]Quantity `json:"quantities"`  // by column key
	Fronts     map[string]Front    `json:"fronts"`      // by the key of the speed column
	Reference  *Reference          `json:"reference,omitempty"`
	Gap        *Number             `json:"gap,omitempty"` // accuracy less the reference's, a fraction
	ToTarget   *Quantity           `json:"seconds_to_target,omitempty"`
	Curves     []Curve             `json:"curves,omitempty"`
	Steps      *Distribution       `json:"step_ms,omitempty"`
}

// RunRef names a run behind a row.
type RunRef struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Seed     string `json:"seed"`
	Epochs   int64  `json:"epochs"`
	Accuracy Number `json:"accuracy"`
}

// Quantity is what was measured of one quantity in one configuration: over
// seeds for accuracies, over runs for the rest. The interval is of the mean.
type Quantity struct {
	N      int    `json:"n"`
	Mean   Number `json:"mean"`
	StdDev Number `json:"std_dev"`
	Min    Number `json:"min"`
	Max    Number `json:"max"`
	Low    Number `json:"low"`
	High   Number `json:"high"`
	Method string `json:"interval"`       // "t", "BCa", "Wilson"; "" for none
	Mark   string `json:"mark,omitempty"` // letters of the settings it mixes or differs in
}

// Front is a configuration's place on the front of one speed against accuracy.
type Front struct {
	On          bool   `json:"on"`
	Probability Number `json:"probability"`
	Mark        string `json:"mark,omitempty"` // as of the speed
}

// Pair is the comparison of two configurations' accuracy. Difference, Low and
// High are A's less B's, fractions.
type Pair struct {
	A           string   `json:"a"`
	B           string   `json:"b"`
	Test        string   `json:"test"`
	Difference  Number   `json:"difference"`
	Low         Number   `json:"low"`
	High        Number   `json:"high"`
	Statistic   Number   `json:"statistic"`
	DF          Number   `json:"df"`
	P           Number   `json:"p"`
	Adjusted    Number   `json:"p_holm"`
	Effect      string   `json:"effect"`
	Size        Number   `json:"effect_size"`
	Verdict     Verdict  `json:"verdict"`
	MoreSeeds   int      `json:"more_seeds"` // that would likely show a difference; 0: unknown, shown already or out of reach
	Assumptions []string `json:"assumptions"`
	Warnings    []string `json:"warnings"`
}

// Verdict of a pair, after correction for all pairs of its table.
type Verdict string

// Better and Worse say it of A; NotShown is not "equal".
const (
	Better   Verdict = "better"
	Worse    Verdict = "worse"
	NotShown Verdict = "~"
)

// quantity summarises values; level's t interval where there are two or more.
func quantity(values []float64, interval func([]float64) (stats.Interval, error)) (Quantity, error) {
	s := stats.Describe(values)
	nan := Number(math.NaN())
	q := Quantity{
		N: s.N, Mean: Number(s.Mean), StdDev: Number(s.StdDev), Min: Number(s.Min), Max: Number(s.Max),
		Low: nan, High: nan,
	}
	if len(values) < 2 {
		return q, nil
	}
	iv, err := interval(values)
	if err != nil {
		return q, err
	}
	q.Low, q.High, q.Method = Number(iv.Low), Number(iv.High), iv.Method
	return q, nil
}

// Row finds a configuration by name, nil if there is none.
func (t *Table) Row(name string) *Row {
	for i := range t.Rows {
		if t.Rows[i].Name == name {
			return &t.Rows[i]
		}
	}
	return nil
}

// Pair finds the comparison of a with b, turned round where it was made the
// other way; false if it was not made.
func (t *Table) Pair(a, b string) (Pair, bool) {
	for _, p := range t.Pairs {
		switch {
		case p.A == a && p.B == b:
			return p, true
		case p.A == b && p.B == a:
			return p.turned(), true
		}
	}
	return Pair{}, false
}

func (p Pair) turned() Pair {
	p.A, p.B = p.B, p.A
	p.Difference, p.Low, p.High = -p.Difference, -p.High, -p.Low
	if p.Test == mcnemar {
		p.Size = 1 / p.Size // an odds ratio; the statistic counts the rarer kind
	} else {
		p.Statistic, p.Size = -p.Statistic, -p.Size
	}
	switch p.Verdict {
	case Better:
		p.Verdict = Worse
	case Worse:
		p.Verdict = Better
	}
	return p
}
