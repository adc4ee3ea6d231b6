package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"patchlab/tracker"
)

// Options say what to compare and how. The zero value groups by model, sorts
// by accuracy and gives 95 % intervals.
type Options struct {
	Filter  string    // in the tracker's grammar; "" for all runs
	Limit   int       // of the runs found, only the latest so many; 0: all
	By      []string  // parameters, or environment.NAME, tags.NAME, experiment, run; nil: model
	Sort    string    // a column's key or "name", best first; "-" before it: worst first; "": accuracy
	Level   float64   // of the intervals; 0: 0.95
	Across  []string  // aspects of the setting that one table may mix; see [Aspects]
	BCa     bool      // bootstrap intervals over seeds instead of t
	Target  float64   // validation accuracy (a fraction) to time the way to; 0: none
	Curves  bool      // read learning curves: equal budgets and charts
	Steps   bool      // read step times: distributions
	Seed    uint64    // of the bootstraps
	Made    time.Time // written into the report
	Against []Reference
	Name    string // of what Against is, such as "reference"
}

// OptionsError is an error of the options themselves, not of what was to be read.
type OptionsError struct{ error }

// Unwrap returns what is wrong with the options.
func (e *OptionsError) Unwrap() error { return e.error }

// Reference is what somebody else measured of a configuration. Accuracies are
// fractions, 0 where unknown.
type Reference struct {
	ID          string  `json:"id"` // the model it belongs to
	Data        string  `json:"data"`
	Accuracy    float64 `json:"test_accuracy"`
	Top5        float64 `json:"test_top5,omitempty"`
	Params      int64   `json:"params"`
	StepMS      float64 `json:"ms_per_step"`
	Epochs      int     `json:"epochs"`
	TrainImages int     `json:"train_images"` // 0: unknown
}

func (o Options) withDefaults() (Options, error) {
	if len(o.By) == 0 {
		o.By = []string{"model"}
	}
	if o.Sort == "" {
		o.Sort = "accuracy"
	}
	if o.Level == 0 {
		o.Level = .95
	}
	if !(o.Level > 0 && o.Level < 1) {
		return o, fmt.Errorf("a confidence level lies between 0 and 1, got %v", o.Level)
	}
	if o.Target < 0 || o.Target >= 1 {
		return o, fmt.Errorf("a target accuracy is a fraction between 0 and 1, got %v", o.Target)
	}
	if key := strings.TrimPrefix(o.Sort, "-"); key != "name" {
		if _, err := ColumnNamed(key); err != nil {
			return o, fmt.Errorf("sorting: %w, name", err)
		}
	}
	var err error
	o.Across, err = parseAcross(o.Across)
	return o, err
}

// groupValue reads what a run has for a key of --by; false if it has none.
func groupValue(r tracker.RunInfo, key string) (string, bool) {
	var v string
	var ok bool
	switch where, name, dotted := strings.Cut(key, "."); {
	case key == "experiment":
		return r.Experiment, true
	case key == "run":
		return r.Name, true
	case dotted && (where == "tag" || where == "tags"):
		v, ok = r.Tags[name]
	case dotted && (where == "env" || where == "environment"):
		v, ok = r.Environment[name]
	case dotted && (where == "param" || where == "params"):
		v, ok = r.Params[name]
	default:
		v, ok = r.Params[key]
	}
	return v, ok
}

// checkBy refuses a key that no run has and lists those that exist.
func checkBy(runs []tracker.RunInfo, by []string) error {
	for _, key := range by {
		if slices.ContainsFunc(runs, func(r tracker.RunInfo) bool { _, ok := groupValue(r, key); return ok }) {
			continue
		}
		keys := map[string]bool{}
		for _, r := range runs {
			for k := range r.Params {
				keys[k] = true
			}
			for k := range r.Tags {
				keys["tags."+k] = true
			}
			for k := range r.Environment {
				keys["environment."+k] = true
			}
		}
		return fmt.Errorf("cannot group by %q: no run has it; there are experiment, run, %s",
			key, strings.Join(sorted(keys), ", "))
	}
	return nil
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
