package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare"
)

// field is a column of the printed table.
type field struct {
	key   string
	title string
	block int // columns of one block stay together where not all fit in a line
	cell  func(compare.Row) string
}

const none = "–"

// fields are the columns that the table has values for, the name apart.
func fields(r *compare.Report, t *compare.Table) []field {
	columns := compare.Columns()
	quantity := func(key string, block int) field {
		i := slices.IndexFunc(columns, func(c compare.Column) bool { return c.Key == key })
		c := columns[i]
		return field{key, c.Title, block, func(row compare.Row) string {
			q := row.Quantities[c.Key]
			return marked(c.Format(float64(q.Mean)), q.Mark)
		}}
	}
	all := []field{
		{"runs", "runs", 0, func(row compare.Row) string { return fmt.Sprint(len(row.Runs)) }},
		quantity("accuracy", 0),
		{"interval", fmt.Sprintf("%s %% interval", compare.Decimal(100*r.Level, 0)), 0, func(row compare.Row) string {
			return interval(row.Quantities["accuracy"])
		}},
		{"range", "min–max", 0, func(row compare.Row) string { return spread(row.Quantities["accuracy"]) }},
		quantity("top5", 0),
		{"reference", "ref %", 0, func(row compare.Row) string {
			if row.Reference == nil || row.Reference.Accuracy == 0 {
				return none
			}
			return compare.Decimal(100*row.Reference.Accuracy, 2)
		}},
		{"gap", "gap", 0, func(row compare.Row) string {
			if row.Gap == nil {
				return none
			}
			return signed(100*float64(*row.Gap), 2)
		}},
		{"front", "front", 0, func(row compare.Row) string {
			return marked(frontCell(row.Fronts["train"]), row.Fronts["train"].Mark)
		}},
		quantity("params", 1), quantity("flops", 1), quantity("train", 1), quantity("infer", 1), quantity("step", 1), quantity("p95", 1),
		quantity("compile", 2), quantity("epoch", 2), quantity("best", 2),
		{"target", targetTitle(r), 2, func(row compare.Row) string {
			if row.ToTarget == nil {
				return none
			}
			return marked(number(float64(row.ToTarget.Mean), 1), row.ToTarget.Mark)
		}},
		quantity("memory", 2),
	}
	for i, e := range t.Equal {
		all = append(all, field{"equal_" + e.Budget, equalTitle(e), 3, func(row compare.Row) string {
			for _, q := range t.Equal[i].Rows {
				if q.Name == row.Name {
					return equalCell(q)
				}
			}
			return none
		}})
	}
	return slices.DeleteFunc(all, func(f field) bool {
		return !slices.ContainsFunc(t.Rows, func(row compare.Row) bool { return f.cell(row) != none })
	})
}

func targetTitle(r *compare.Report) string {
	if r.Target == nil {
		return "to target"
	}
	return fmt.Sprintf("to %s %% s", strconv.FormatFloat(100*float64(*r.Target), 'f', -1, 64))
}

// equalTitle names a budget: "val % at 5 epochs".
func equalTitle(e compare.Equal) string {
	amount := float64(e.Amount)
	switch e.Budget {
	case "epochs":
		return fmt.Sprintf("val %% at %.0f epochs", amount)
	case "seconds":
		return fmt.Sprintf("val %% at %s s", compare.Decimal(amount, 1))
	default:
		return fmt.Sprintf("val %% at %.2g FLOP", amount)
	}
}

// equalCell is an accuracy within a budget, marked where the training had
// ended before.
func equalCell(q compare.EqualQuantity) string {
	if q.N == 0 {
		return none
	}
	text := compare.Decimal(100*float64(q.Mean), 2)
	if q.Ended > 0 {
		text += "‡"
	}
	return text
}

func marked(text, mark string) string {
	if mark == "" || text == none {
		return text
	}
	return text + " " + mark
}

func number(v float64, decimals int) string {
	if math.IsNaN(v) {
		return none
	}
	return compare.Decimal(v, decimals)
}

func signed(v float64, decimals int) string {
	text := compare.Decimal(v, decimals)
	if v > 0 && strings.Trim(text, "0.") != "" {
		return "+" + text
	}
	return text
}

// interval writes a fraction's interval in percent.
func interval(q compare.Quantity) string {
	if math.IsNaN(float64(q.Low)) {
		return none
	}
	text := fmt.Sprintf("[%s, %s]", compare.Decimal(100*float64(q.Low), 2), compare.Decimal(100*float64(q.High), 2))
	if q.Method == "Wilson" {
		text += "¹"
	}
	return text
}

func spread(q compare.Quantity) string {
	if q.N < 2 {
		return none
	}
	return fmt.Sprintf("%s–%s", compare.Decimal(100*float64(q.Min), 2), compare.Decimal(100*float64(q.Max), 2))
}

// frontCell is the probability of being on the front, starred where the means
// themselves are on it.
func frontCell(f compare.Front) string {
	p := float64(f.Probability)
	if math.IsNaN(p) || !f.On && p == 0 {
		return none
	}
	text := fmt.Sprintf("%.2f", p)
	if f.On {
		text += "*"
	}
	return text
}

// pValue writes a p-value as papers do.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return none
	case p < .0001:
		return "<0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

// legend explains the table's signs, one sentence each, for those that occur.
// Shown are the pairs that stand beside it.
func legend(r *compare.Report, t *compare.Table, shown []compare.Pair) []string {
	var out []string
	methods := map[string]bool{}
	front := false
	for _, row := range t.Rows {
		methods[row.Quantities["accuracy"].Method] = true
		front = front || frontCell(row.Fronts["train"]) != none
	}
	level := compare.Decimal(100*r.Level, 0)
	switch {
	case methods["t"]:
		out = append(out, fmt.Sprintf("[ , ]: %s %% t interval of the mean over seeds.", level))
	case methods["BCa"]:
		out = append(out, fmt.Sprintf("[ , ]: %s %% BCa bootstrap interval of the mean over seeds.", level))
	}
	if methods["Wilson"] {
		out = append(out, fmt.Sprintf("¹ one seed: %s %% binomial (Wilson) interval from the number of test images; it knows nothing of other seeds.", level))
	}
	if front {
		text := "front: probability of being on the Pareto front of training speed and accuracy, * if the means are"
		if methods["Wilson"] {
			text += "; a single run varies there by its test images alone"
		}
		out = append(out, text+".")
	}
	if slices.ContainsFunc(t.Rows, func(row compare.Row) bool { return row.Reference != nil }) {
		out = append(out, fmt.Sprintf("ref %%, gap: the %s's test accuracy (one run of its own), and the points from it to ours.", r.Against))
	}
	if len(t.Equal) > 0 {
		out = append(out, "val % at a budget: validation accuracy after the last epoch completed within it, – if none was; ‡ the training had ended before; FLOP count an image's training as three forward passes.")
	}
	if text := correction(t, shown); text != "" {
		out = append(out, text)
	}
	out = append(out, pairNotes(t)...)
	for _, m := range t.Settings {
		if len(t.Mixed) > 0 {
			out = append(out, fmt.Sprintf("%s: %s.", m.Mark, m.Setting))
		}
	}
	return out
}

// correction explains the signs of the pairs that are shown, those alone that
// occur; p is corrected for all pairs of the table, shown or not. An interval
// is of its pair alone, and so may leave out 0 where no difference is shown.
func correction(t *compare.Table, shown []compare.Pair) string {
	var out []string
	if len(shown) > 0 && len(t.Pairs) > 1 {
		out = append(out, fmt.Sprintf("p is corrected for %d comparisons (Holm), the intervals are not", len(t.Pairs)))
	}
	if slices.ContainsFunc(shown, func(p compare.Pair) bool { return p.Verdict == compare.NotShown }) {
		out = append(out, "~: no difference shown, which is not the same as none")
	}
	if slices.ContainsFunc(shown, func(p compare.Pair) bool { return p.Verdict == compare.NotShown && p.MoreSeeds > 0 }) {
		out = append(out, "+ seeds: how many more for each would likely (4 times of 5) show one of this size, were it true")
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "; ") + "."
}

// effects explains the column of effect sizes.
func effects(pairs []compare.Pair) string {
	tests := map[string][]string{} // by measure
	for _, p := range pairs {
		if p.Effect != "" && !math.IsNaN(float64(p.Size)) && !slices.Contains(tests[p.Effect], p.Test) {
			tests[p.Effect] = append(tests[p.Effect], p.Test)
		}
	}
	if len(tests) == 0 {
		return ""
	}
	var out []string
	for _, measure := range slices.Sorted(maps.Keys(tests)) {
		text := measure
		if len(tests) > 1 {
			text += " (" + strings.Join(tests[measure], ", ") + ")"
		}
		switch {
		case strings.HasPrefix(measure, "Hedges"):
			text += ", the difference in standard deviations over seeds"
		case strings.HasPrefix(measure, "Cohen"):
			text += ", the difference of the two proportions on the arcsine scale"
		case strings.HasPrefix(measure, "odds ratio"):
			text += ", 1 for no difference"
		}
		out = append(out, text)
	}
	return "effect: " + strings.Join(out, "; ") + "."
}

// againstBest are the pairs that the text and the CSV show: every other row
// against the most accurate.
func againstBest(t *compare.Table) []compare.Pair {
	var out []compare.Pair
	best := mostAccurate(t)
	for _, row := range t.Rows {
		if p, ok := t.Pair(row.Name, best); ok {
			out = append(out, p)
		}
	}
	return out
}

// pairNotes gathers what the tests of a table assume and warn of, each said
// once with the number of pairs.
func pairNotes(t *compare.Table) []string {
	type note struct {
		text  string
		pairs int
	}
	gather := func(of func(compare.Pair) []string) (notes []note) {
		for _, p := range t.Pairs {
			for _, text := range of(p) {
				i := slices.IndexFunc(notes, func(n note) bool { return n.text == text })
				if i < 0 {
					i, notes = len(notes), append(notes, note{text: text})
				}
				notes[i].pairs++
			}
		}
		return notes
	}
	say := func(n note) string {
		if n.pairs == len(t.Pairs) {
			return n.text
		}
		return fmt.Sprintf("%s (%d of %d pairs)", n.text, n.pairs, len(t.Pairs))
	}
	var out []string
	for _, part := range []struct {
		name string
		of   func(compare.Pair) []string
	}{
		{"Tests assume", func(p compare.Pair) []string { return p.Assumptions }},
		{"Be warned", func(p compare.Pair) []string { return p.Warnings }},
	} {
		var texts []string
		for _, n := range gather(part.of) {
			texts = append(texts, say(n))
		}
		if len(texts) > 0 {
			out = append(out, part.name+": "+strings.Join(texts, "; ")+".")
		}
	}
	return out
}

// notCounted says which runs are in no table; "" if all are.
func notCounted(r *compare.Report) string {
	if len(r.Excluded) == 0 {
		return ""
	}
	parts := make([]string, len(r.Excluded))
	for i, e := range r.Excluded {
		parts[i] = fmt.Sprintf("%d %s", e.Runs, e.Reason)
	}
	return "Not counted: " + strings.Join(parts, ", ") + ". Only finished runs with a test accuracy are."
}

// nothing says why there is no table.
func nothing(r *compare.Report) string {
	what := "The database holds no finished run"
	if r.Filter != "" {
		what = fmt.Sprintf("No finished run fits the filter %s", r.Filter)
	}
	return what + ": nothing to compare yet."
}

// heading names what the rows are: "model · dropout".
func heading(r *compare.Report) string { return strings.Join(r.By, " · ") }
