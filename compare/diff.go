package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"patchlab/compare/stats"
	"patchlab/tracker"
)

// Diff is everything in which two runs differ.
type Diff struct {
	Version     int            `json:"version"`
	A           DiffRun        `json:"a"`
	B           DiffRun        `json:"b"`
	Verdict     string         `json:"verdict"`
	Params      []Change       `json:"params"`
	Recipe      []Change       `json:"recipe"` // leaves of recipe.json, by path
	Code        []Change       `json:"code"`
	Patch       []string       `json:"patch,omitempty"` // of the uncommitted changes: lines with "-", "+" or " " before them
	Environment []Change       `json:"environment"`
	Data        []Change       `json:"data"`
	Results     []ResultChange `json:"results"`
	Curves      []CurveChange  `json:"curves"`
	Predictions *Pair          `json:"predictions,omitempty"` // McNemar's test, where both stored them
	Warnings    []Warning      `json:"warnings"`              // of files that could not be read: what they hold is left out
}

// DiffRun names a compared run.
type DiffRun struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

// Change is a value that is not the same; "" where a run has none.
type Change struct {
	Key string `json:"key"`
	A   string `json:"a"`
	B   string `json:"b"`
}

// ResultChange sets the latest values of a metric side by side. Null where a
// run has none.
type ResultChange struct {
	Key  string `json:"key"`
	A    Number `json:"a"`
	B    Number `json:"b"`
	Diff Number `json:"b_less_a"`
	Same bool   `json:"same"` // to the last bit
}

// CurveChange says where two histories of a metric part.
type CurveChange struct {
	Key     string `json:"key"`
	Common  int    `json:"common_steps"`
	OnlyA   int    `json:"only_a"`
	OnlyB   int    `json:"only_b"`
	First   *int64 `json:"first_departure"` // step of the first value that is not the same to the last bit; null: none
	Largest Number `json:"largest"`         // absolute difference; infinite where one value is a number and the other NaN
	At      int64  `json:"largest_at"`
}

// isCode reports whether a field of a run's environment names its code.
func isCode(key string) bool {
	return strings.HasPrefix(key, "git_") || strings.HasPrefix(key, "module.") || key == "go"
}

// Timed reports whether a metric measures the machine rather than the
// training, so that two equal trainings differ in it.
func Timed(key string) bool {
	if strings.HasPrefix(key, "system/") { // how busy the machine was
		return true
	}
	for _, part := range [...]string{"seconds", "_ms", "ms_", "per_s", "bytes"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}

// DiffRuns sets two runs side by side.
func DiffRuns(ctx context.Context, src Source, a, b tracker.RunInfo, seed uint64) (*Diff, error) {
	d := &Diff{
		Version: Version,
		A:       DiffRun{a.ID, a.Name, a.Status.String()}, B: DiffRun{b.ID, b.Name, b.Status.String()},
		Params: changes(a.Params, b.Params, nil),
		Environment: changes(a.Environment, b.Environment, func(k string) bool {
			return !isCode(k)
		}),
		Code:     changes(a.Environment, b.Environment, isCode),
		Data:     changes(inputs(a), inputs(b), nil),
		Warnings: []Warning{},
	}
	recipes, known := both(ctx, d, src, "recipe.json", leaves)
	if known {
		d.Recipe = changes(recipes[0], recipes[1], nil)
	}
	patches, known := both(ctx, d, src, "git.diff", func(text []byte) ([]byte, error) { return text, nil })
	if known && !bytes.Equal(patches[0], patches[1]) {
		d.Patch = lineDiff(lines(patches[0]), lines(patches[1]))
	}
	d.results(a, b)
	if err := d.curves(ctx, src, a, b); err != nil {
		return nil, err
	}
	right, known := both(ctx, d, src, PredictionsName, func(text []byte) ([]bool, error) {
		if text == nil {
			return nil, nil
		}
		return readPredictions(bytes.NewReader(text))
	})
	if known && len(right[0]) > 0 && len(right[0]) == len(right[1]) && len(d.Data) == 0 {
		if err := d.answers(right[0], right[1], seed); err != nil {
			return nil, err
		}
	}
	d.Verdict = d.verdict()
	return d, ctx.Err()
}

// both reads an artifact of both runs, nil for a run that has none. A file
// that is missing or damaged is warned of, and neither is known.
func both[T any](ctx context.Context, d *Diff, src Source, name string, read func([]byte) (T, error)) (out [2]T, known bool) {
	known = true
	for i, run := range [...]string{d.A.ID, d.B.ID} {
		text, err := artifact(ctx, src, run, name)
		if err == nil {
			out[i], err = read(text)
		}
		if err != nil {
			d.Warnings = append(d.Warnings, Warning{Code: "unreadable", Row: run, Text: unreadable(name, run, err)})
			known = false
		}
	}
	return out, known
}

// changes lists the keys, of those wanted, whose values differ.
func changes(a, b map[string]string, want func(string) bool) []Change {
	keys := keysOf(a)
	for k := range b {
		keys[k] = true
	}
	out := []Change{}
	for _, k := range sorted(keys) {
		if a[k] != b[k] && (want == nil || want(k)) {
			out = append(out, Change{k, a[k], b[k]})
		}
	}
	return out
}

func inputs(r tracker.RunInfo) map[string]string {
	out := map[string]string{}
	for _, in := range r.Inputs {
		out[strings.TrimSpace(in.Name+" "+in.Context)] = in.Digest
	}
	return out
}

// artifact reads an artifact whole; nil if the run has none of that name.
func artifact(ctx context.Context, src Source, run, name string) ([]byte, error) {
	list, err := src.Artifacts(ctx, run)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(list, func(a tracker.Artifact) bool { return a.Name == name }) {
		return nil, nil
	}
	file, err := src.OpenArtifact(ctx, run, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// leaves flattens JSON into path → value, such as "model.blocks[0].kind".
func leaves(text []byte) (map[string]string, error) {
	out := map[string]string{}
	if len(text) == 0 {
		return out, nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for k, child := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
			}
		default:
			out[path] = fmt.Sprint(v)
		}
	}
	walk("", value)
	return out, nil
}

func (d *Diff) results(a, b tracker.RunInfo) {
	keys := keysOf(a.Metrics)
	for k := range b.Metrics {
		keys[k] = true
	}
	value := func(r tracker.RunInfo, k string) float64 {
		if m, ok := r.Metrics[k]; ok {
			return m.Value
		}
		return math.NaN()
	}
	d.Results = []ResultChange{}
	for _, k := range sorted(keys) {
		if strings.HasPrefix(k, "step_") && k != "step_ms_median" && k != "step_ms_p95" {
			continue // the last step's value says nothing; its curve does
		}
		x, y := value(a, k), value(b, k)
		d.Results = append(d.Results, ResultChange{k, Number(x), Number(y), Number(y - x), math.Float64bits(x) == math.Float64bits(y)})
	}
}

func (d *Diff) curves(ctx context.Context, src Source, a, b tracker.RunInfo) error {
	d.Curves = []CurveChange{}
	for _, k := range sorted(keysOf(a.Metrics)) {
		other, both := b.Metrics[k]
		if !both || a.Metrics[k].Count < 2 && other.Count < 2 || Timed(k) {
			continue
		}
		first, err := src.History(ctx, a.ID, k)
		if err != nil {
			return err
		}
		second, err := src.History(ctx, b.ID, k)
		if err != nil {
			return err
		}
		d.Curves = append(d.Curves, curveChange(k, lastOfStep(first), lastOfStep(second)))
	}
	return nil
}

func curveChange(key string, a, b []tracker.Point) CurveChange {
	c := CurveChange{Key: key}
	in := byStep(b)
	for _, p := range a {
		v, ok := in[p.Step]
		if !ok {
			c.OnlyA++
			continue
		}
		c.Common++
		if math.Float64bits(v) != math.Float64bits(p.Value) && c.First == nil {
			c.First = &p.Step
		}
		off := math.Abs(v - p.Value)
		if math.IsNaN(v) != math.IsNaN(p.Value) { // no number is near none
			off = math.Inf(1)
		}
		if off > float64(c.Largest) {
			c.Largest, c.At = Number(off), p.Step
		}
	}
	c.OnlyB = len(in) - c.Common
	return c
}

func (d *Diff) answers(first, second []bool, seed uint64) error {
	outcomes, err := stats.Count(first, second)
	if err != nil {
		return err
	}
	test, err := stats.McNemar(outcomes, .95, stats.Resamples, rand.NewPCG(seed, 1))
	if err != nil {
		return err
	}
	p := Pair{A: d.A.Name, B: d.B.Name, Adjusted: Number(test.P), Verdict: NotShown}
	p.fill(test)
	if test.P < .05 {
		p.Verdict = Better
		if p.Difference < 0 {
			p.Verdict = Worse
		}
	}
	d.Predictions = &p
	return nil
}

// verdict says in a sentence or two how alike the runs are.
func (d *Diff) verdict() string {
	var differ []string
	for _, part := range []struct {
		name    string
		changes int
	}{
		{"parameters", len(d.Params)}, {"recipe", len(d.Recipe)}, {"code", len(d.Code) + len(d.Patch)},
		{"environment", len(d.Environment)}, {"data", len(d.Data)},
	} {
		if part.changes > 0 {
			differ = append(differ, part.name)
		}
	}
	text := "Both runs have the same parameters, recipe, code, environment and data."
	switch {
	case len(differ) > 0:
		text = fmt.Sprintf("The runs differ in %s.", join(differ, "and"))
	case len(d.Warnings) > 0:
		text = "As far as their files can be read, the runs have the same parameters, recipe, code, environment and data."
	}
	common, first := 0, (*CurveChange)(nil)
	for i, c := range d.Curves {
		common += c.Common
		if c.First != nil && c.outcome() && (first == nil || c.earlier(first)) {
			first = &d.Curves[i]
		}
	}
	switch {
	case common == 0:
		return text + " They have no curve in common."
	case first == nil:
		return text + " What they trained is the same bit for bit, as far as both went."
	}
	unit := "after epoch"
	if first.perStep() {
		unit = "at training step"
	}
	return text + fmt.Sprintf(" What they trained parts %s %d, in %s.", unit, *first.First, first.Key)
}

// outcome reports whether the curve is of what was trained, not of how.
func (c *CurveChange) outcome() bool { return c.Key != "learning_rate" }

// perStep reports whether the curve has a value a training step, not an epoch.
func (c *CurveChange) perStep() bool { return strings.HasPrefix(c.Key, "step_") }

// earlier orders departures: a training step tells more than an epoch, and of
// equal ones a loss more than what follows from it.
func (c *CurveChange) earlier(than *CurveChange) bool {
	if c.perStep() != than.perStep() {
		return c.perStep()
	}
	if *c.First != *than.First {
		return *c.First < *than.First
	}
	return strings.HasSuffix(c.Key, "loss") && !strings.HasSuffix(than.Key, "loss")
}

func join(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}
