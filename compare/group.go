package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare/stats"
	"patchlab/tracker"
)

// grouped is the runs of one configuration.
type grouped struct {
	name       string
	values     map[string]string
	runs       []tracker.RunInfo
	units      []unit
	testImages int // 0 if not recorded or not the same in all runs
}

// unit is one independent piece of evidence: the runs that share a seed,
// usually one. A run without a recorded seed is a unit of its own.
type unit struct {
	seed     string
	recipes  [][]tracker.RunInfo // the runs by recipe: repeats stand together
	accuracy float64
}

// first is the oldest run of the unit.
func (u unit) first() tracker.RunInfo { return u.recipes[0][0] }

// mean is the mean of a quantity over the unit's recipes, each the mean of
// its runs that have it.
func (u unit) mean(read func(tracker.RunInfo) float64) float64 {
	var means []float64
	for _, runs := range u.recipes {
		var values []float64
		for _, r := range runs {
			if v := read(r); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			means = append(means, stats.Describe(values).Mean)
		}
	}
	return stats.Describe(means).Mean
}

// group gathers the runs that agree in all keys.
func group(runs []tracker.RunInfo, by []string) []grouped {
	var groups []grouped
	at := map[string]int{}
	for _, r := range runs {
		values := map[string]string{}
		parts := make([]string, len(by))
		for i, key := range by {
			v, ok := groupValue(r, key)
			if !ok {
				v = "(none)"
			}
			values[key], parts[i] = v, v
		}
		key := strings.Join(parts, "\x00")
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, grouped{name: strings.Join(parts, " · "), values: values})
		}
		groups[i].runs = append(groups[i].runs, r)
	}
	for i := range groups {
		groups[i].parts()
	}
	return groups
}

// parts finds the independent units and the number of test images.
func (g *grouped) parts() {
	at, within := map[string]int{}, map[string]int{}
	for i, r := range g.runs {
		recipe, seed := r.Params["recipe"], r.Params["seed"]
		key := "run " + r.ID
		if seed != "" {
			key = "seed " + seed
		}
		k, ok := at[key]
		if !ok {
			k = len(g.units)
			at[key] = k
			g.units = append(g.units, unit{seed: seed})
		}
		u := &g.units[k]
		if recipe == "" {
			recipe = "run " + r.ID
		}
		repeat := key + "\x00" + recipe + "\x00" + datasetOf(r)
		n, ok := within[repeat]
		if !ok {
			n = len(u.recipes)
			within[repeat] = n
			u.recipes = append(u.recipes, nil)
		}
		u.recipes[n] = append(u.recipes[n], r)
		images, _ := strconv.Atoi(r.Params["test_images"])
		if i > 0 && images != g.testImages {
			images = 0
		}
		g.testImages = images
	}
	for i := range g.units {
		g.units[i].accuracy = g.units[i].mean(metric("test_accuracy"))
	}
}

// accuracies lists the units' accuracies.
func (g *grouped) accuracies() []float64 {
	out := make([]float64, len(g.units))
	for i, u := range g.units {
		out[i] = u.accuracy
	}
	return out
}

// differingParams lists the parameters in which the runs of a configuration
// differ although they should not, with their values.
func (g *grouped) differingParams(by []string) []string {
	values := map[string]map[string]bool{}
	for _, r := range g.runs {
		for k := range r.Params {
			values[k] = map[string]bool{}
		}
	}
	for k := range values {
		if k == "seed" || k == "recipe" || slices.Contains(by, k) {
			delete(values, k)
			continue
		}
		for _, r := range g.runs {
			v, ok := r.Params[k]
			if !ok {
				v = "none"
			}
			values[k][v] = true
		}
	}
	var out []string
	for _, k := range sorted(keysOf(values)) {
		if len(values[k]) > 1 {
			shown := sorted(values[k])
			if len(shown) > 4 {
				shown = append(shown[:4], "…")
			}
			out = append(out, k+" ("+strings.Join(shown, ", ")+")")
		}
	}
	return out
}

func keysOf[V any](m map[string]V) map[string]bool {
	out := make(map[string]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// row measures a configuration.
func (b *builder) row(t *Table, g *grouped) (Row, error) {
	row := Row{
		Name: g.name, Group: g.values, Seeds: len(g.units), TestImages: g.testImages,
		Quantities: map[string]Quantity{},
	}
	for _, r := range g.runs {
		row.Runs = append(row.Runs, RunRef{
			ID: r.ID, Name: r.Name, Seed: r.Params["seed"],
			Epochs: r.Metrics["test_accuracy"].Step, Accuracy: Number(r.Metrics["test_accuracy"].Value),
		})
	}
	for _, c := range Columns() {
		q, err := b.quantity(g, c)
		if err != nil {
			return row, err
		}
		q.Mark = t.marks(g.runs, c.Kind)
		row.Quantities[c.Key] = q
	}
	if err := b.binomial(g, &row); err != nil {
		return row, err
	}
	b.warnSeeds(t, g)
	if differ := g.differingParams(b.o.By); len(differ) > 0 {
		t.warnRow(g.name, "mixed-recipes", "%s: averages runs that differ in %s; --by %s parts them",
			g.name, strings.Join(differ, ", "), strings.Join(append(slices.Clone(b.o.By), firstWord(differ[0])), ","))
	}
	b.against(t, g, &row)
	if b.o.Target > 0 {
		b.toTarget(t, g, &row)
	}
	return row, nil
}

// warnSeeds says where runs are no evidence of their own: repeats, and runs of
// other recipes with the same seed.
func (b *builder) warnSeeds(t *Table, g *grouped) {
	recipes := 0
	for _, u := range g.units {
		recipes += len(u.recipes)
	}
	if repeats := len(g.runs) - recipes; repeats > 0 {
		verb, counts := "repeat", "accuracies count"
		if repeats == 1 {
			verb = "repeats"
		}
		if recipes == 1 {
			counts = "accuracy counts"
		}
		text := fmt.Sprintf("%s: %d of %s %s a recipe and seed; a repeat is no new evidence", g.name, repeats, count(len(g.runs), "run"), verb)
		if recipes == len(g.units) {
			text += fmt.Sprintf(", so %d %s", recipes, counts)
		}
		t.warnRow(g.name, "repeats", "%s", text)
	}
	if recipes == len(g.units) {
		return
	}
	text := fmt.Sprintf("%s: %d recipes share %s; the runs of a seed are averaged, for they are no independent evidence",
		g.name, recipes, count(len(g.units), "seed"))
	if len(g.units) == 1 {
		text += ", and of one seed there is no interval over seeds"
	}
	if b.o.Curves {
		text += "; the learning curve of a seed is its first run's"
	}
	t.warnRow(g.name, "shared-seed", "%s", text)
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// quantity summarises a column: accuracies over independent units, everything
// else over runs.
func (b *builder) quantity(g *grouped, c Column) (Quantity, error) {
	var values []float64
	add := func(v float64) {
		if !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if c.Kind == Accuracy {
		for _, u := range g.units {
			add(u.mean(c.read))
		}
	} else {
		for _, r := range g.runs {
			add(c.read(r))
		}
	}
	q, err := quantity(values, b.interval(g.name+" "+c.Key))
	if c.Kind == Accuracy { // no accuracy lies beyond; the interval covers no less for being cut there
		q.Low, q.High = max(q.Low, 0), min(q.High, 1)
	}
	return q, err
}

func (b *builder) interval(use string) func([]float64) (stats.Interval, error) {
	return func(values []float64) (stats.Interval, error) {
		if b.o.BCa {
			return stats.MeanBCa(values, b.o.Level, stats.Resamples, b.random("bca "+use))
		}
		return stats.MeanT(values, b.o.Level)
	}
}

// binomial gives the accuracies of a single seed the interval that its test
// images allow. For the mean of several recipes it is rather too wide: the mean
// varies with the images no more than a single run of that accuracy would.
func (b *builder) binomial(g *grouped, row *Row) error {
	if len(g.units) != 1 || g.testImages < 1 {
		return nil
	}
	for _, c := range Columns() {
		q := row.Quantities[c.Key]
		if c.Kind != Accuracy || q.N != 1 || math.IsNaN(float64(q.Mean)) {
			continue
		}
		right := int(math.Round(float64(q.Mean) * float64(g.testImages)))
		iv, err := stats.Wilson(min(right, g.testImages), g.testImages, b.o.Level)
		if err != nil {
			return err
		}
		q.Low, q.High, q.Method = Number(iv.Low), Number(iv.High), iv.Method
		row.Quantities[c.Key] = q
	}
	return nil
}

// against adds the reference's figures to a row of one model on its data.
func (b *builder) against(t *Table, g *grouped, row *Row) {
	for _, ref := range b.o.Against {
		models := map[string]bool{}
		for _, r := range g.runs {
			models[r.Params["model"]] = true
		}
		if len(models) != 1 || !models[ref.ID] {
			continue
		}
		first := g.runs[0]
		if data := first.Params["data"]; data != "" && ref.Data != "" && data != ref.Data {
			t.warnRow(g.name, "reference-data", "%s: the %s was measured on %s, so it is not set against %s", g.name, b.o.Name, ref.Data, data)
			continue
		}
		row.Reference = &ref
		if ref.Accuracy > 0 {
			gap := row.Quantities["accuracy"].Mean - Number(ref.Accuracy)
			row.Gap = &gap
		}
		epochs := map[int64]bool{}
		for _, r := range row.Runs {
			epochs[r.Epochs] = true
		}
		if ref.Epochs > 0 && len(row.Runs) > 0 && row.Runs[0].Epochs < int64(ref.Epochs) && len(epochs) == 1 {
			t.shorter = append(t.shorter, fmt.Sprintf("%s (%d of %d)", g.name, row.Runs[0].Epochs, ref.Epochs))
		}
		if n, err := strconv.Atoi(first.Params["train_images"]); err == nil && ref.TrainImages > 0 && n < ref.TrainImages {
			t.warnRow(g.name, "reference-images", "%s: trained on %s images, the %s on %s", g.name,
				Decimal(float64(n), 0), b.o.Name, Decimal(float64(ref.TrainImages), 0))
		}
	}
}

// naturalCompare orders names as people do: mixer-2 before mixer-10.
func naturalCompare(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, _ := strconv.ParseUint(a[:na], 10, 64)
			y, _ := strconv.ParseUint(b[:nb], 10, 64)
			if x != y {
				return map[bool]int{true: -1, false: 1}[x < y]
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits counts those that s begins with, up to 18.
func digits(s string) int {
	n := 0
	for n < len(s) && n < 18 && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
