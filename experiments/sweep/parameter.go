package sweep

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Parameter is a flag of "patchlab train" with the values that are tried: a list
// of them or a range.
type Parameter struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
	Range  *Range   `json:"range,omitempty"`
}

// Range holds the numbers from Min to Max, both included.
type Range struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
	// Log spaces them evenly by their logarithm.
	Log bool `json:"log,omitempty"`
	// Step, if not 0, rounds to the nearest Min plus a multiple of it: 1 gives
	// whole numbers.
	Step float64 `json:"step,omitempty"`
	// Count is how many evenly spaced values a grid takes.
	Count int `json:"count,omitempty"`
}

var rangeText = regexp.MustCompile(`^([^.,;:]*(?:\.[0-9][^.,;:]*)?)\.\.([^,;:]+)((?::[a-z]+(?:=[^:]+)?)*)$`)

// ParseParameter reads a parameter as a command line names it:
//
//	dim=32,64,128                  a list, by commas, or by semicolons where there is one
//	learning-rate=1e-4..1e-2:log   a range, evenly spaced by the logarithm
//	dim=16..128:step=16            in steps
//	dropout=0..0.5:count=3         three values, for a grid
func ParseParameter(text string) (Parameter, error) {
	name, values, ok := strings.Cut(text, "=")
	if !ok || name == "" || values == "" {
		return Parameter{}, fmt.Errorf("%q; a parameter is NAME=VALUE,VALUE… or NAME=MIN..MAX, with :log, :step=N or :count=N", text)
	}
	p := Parameter{Name: name}
	if m := rangeText.FindStringSubmatch(values); m != nil {
		r, err := parseRange(m[1], m[2], m[3])
		if err != nil {
			return Parameter{}, fmt.Errorf("parameter %s: %w", name, err)
		}
		p.Range = r
		return p, p.validate()
	}
	separator := ","
	if strings.Contains(values, ";") { // a stack of blocks has commas
		separator = ";"
	}
	for v := range strings.SplitSeq(values, separator) {
		p.Values = append(p.Values, strings.TrimSpace(v))
	}
	return p, p.validate()
}

func parseRange(low, high, options string) (*Range, error) {
	r := &Range{}
	var err error
	number := func(text string) float64 {
		v, wrong := strconv.ParseFloat(text, 64)
		if wrong != nil {
			err = fmt.Errorf("%q is no number", text)
		}
		return v
	}
	r.Min, r.Max = number(low), number(high)
	for option := range strings.SplitSeq(strings.TrimPrefix(options, ":"), ":") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "log":
			r.Log = true
		case "step":
			r.Step = number(value)
		case "count":
			r.Count, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("range option %q; allowed: log, step=N, count=N", option)
		}
	}
	return r, err
}

// Check validates the parameter, and each value by a function that knows the
// flags; a range's flag is checked without a value.
func (p Parameter) Check(check func(flag, value string) error) error {
	if err := p.validate(); err != nil {
		return err
	}
	if p.Range != nil {
		return check(p.Name, "")
	}
	for _, v := range p.Values {
		if err := check(p.Name, v); err != nil {
			return err
		}
	}
	return nil
}

// String is what is tried, as [ParseParameter] takes it behind the name.
func (p Parameter) String() string {
	r := p.Range
	if r == nil {
		separator := ","
		if strings.Contains(strings.Join(p.Values, ""), ",") {
			separator = ";"
		}
		return strings.Join(p.Values, separator)
	}
	text := fmt.Sprintf("%g..%g", r.Min, r.Max)
	if r.Log {
		text += ":log"
	}
	if r.Step > 0 {
		text += fmt.Sprintf(":step=%g", r.Step)
	}
	if r.Count > 0 {
		text += fmt.Sprintf(":count=%d", r.Count)
	}
	return text
}

func (p Parameter) validate() error {
	r := p.Range
	if r == nil {
		if len(p.Values) == 0 {
			return errors.New("there are no values to try")
		}
		for i, v := range p.Values {
			for _, before := range p.Values[:i] {
				if v == before {
					return fmt.Errorf("the value %s is there twice", v)
				}
			}
		}
		return nil
	}
	switch {
	case !finite(r.Min) || !finite(r.Max) || r.Min >= r.Max:
		return fmt.Errorf("the range %g to %g; min must be below max", r.Min, r.Max)
	case r.Log && r.Min <= 0:
		return fmt.Errorf("the range starts at %g; on a log scale it must start above 0", r.Min)
	case !finite(r.Step) || r.Step < 0 || r.Step > r.Max-r.Min:
		return fmt.Errorf("step %g; allowed: more than 0, at most %g", r.Step, r.Max-r.Min)
	case r.Count == 1 || r.Count < 0:
		return fmt.Errorf("count %d; allowed: 2 or more", r.Count)
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// size is how many values a grid takes.
func (p Parameter) size() int {
	if p.Range != nil {
		return p.Range.Count
	}
	return len(p.Values)
}

// grid lists the values of a grid, each once.
func (p Parameter) grid() []string {
	if p.Range == nil {
		return p.Values
	}
	var values []string
	for i := range p.Range.Count {
		v := p.Range.at(float64(i) / float64(p.Range.Count-1))
		if len(values) == 0 || values[len(values)-1] != v { // a coarse step may repeat one
			values = append(values, v)
		}
	}
	return values
}

// at is the value at a place u between 0 and 1.
func (p Parameter) at(u float64) string {
	if p.Range != nil {
		return p.Range.at(u)
	}
	return p.Values[min(int(u*float64(len(p.Values))), len(p.Values)-1)]
}

// at is a number to four significant digits, or exactly on a step.
func (r *Range) at(u float64) string {
	x := r.Min + u*(r.Max-r.Min)
	if r.Log {
		x = r.Min * math.Pow(r.Max/r.Min, u)
	}
	if r.Step > 0 {
		last := math.Floor((r.Max - r.Min) / r.Step)
		x = r.Min + r.Step*min(math.Round((x-r.Min)/r.Step), last)
		return strconv.FormatFloat(x, 'g', 12, 64)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	return strconv.FormatFloat(min(max(rounded, r.Min), r.Max), 'g', -1, 64)
}

// ordered reports whether neighbouring values are alike: a range, or numbers
// that rise.
func (p Parameter) ordered() bool {
	last := math.Inf(-1)
	for _, v := range p.Values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || x <= last {
			return false
		}
		last = x
	}
	return true
}
