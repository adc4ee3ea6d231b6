package compare

import (
	"slices"
	"strings"
)

// Differing is a parameter in which the configurations of a table are not all
// alike; Values has one entry a row, several values of a row joined by commas.
type Differing struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Environment is one fact about where a table's runs ran, with every value
// that occurs.
type Environment struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// differs fills in what tells the table's runs apart besides the grouping, and
// where they ran.
func (t *Table) differs(groups []grouped, by []string) {
	t.Differs, t.Environment = []Differing{}, []Environment{}
	keys, fields := map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		for _, r := range g.runs {
			for k := range r.Params {
				keys[k] = true
			}
			for k := range r.Environment {
				fields[k] = true
			}
		}
	}
	for _, k := range sorted(keys) {
		if k == "recipe" || slices.Contains(by, k) {
			continue
		}
		d := Differing{Key: k}
		for _, g := range groups {
			values := map[string]bool{}
			for _, r := range g.runs {
				values[r.Params[k]] = true
			}
			d.Values = append(d.Values, strings.Join(naturally(values), ", "))
		}
		if slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] }) {
			t.Differs = append(t.Differs, d)
		}
	}
	for _, k := range sorted(fields) {
		values := map[string]bool{}
		for _, g := range groups {
			for _, r := range g.runs {
				values[r.Environment[k]] = true
			}
		}
		t.Environment = append(t.Environment, Environment{Key: k, Values: naturally(values)})
	}
}

func naturally(set map[string]bool) []string {
	out := sorted(set)
	slices.SortStableFunc(out, naturalCompare)
	return out
}
