package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"patchlab/compare"
)

// writeCSV writes a line a configuration, raw values in the tracker's units
// (fractions, seconds, bytes), an empty cell for none. Warnings and the runs
// not counted are columns too, so that no line is read without them.
func writeCSV(out io.Writer, r *compare.Report) error {
	w := csv.NewWriter(out)
	header := append([]string{}, r.By...)
	header = append(header, "dataset", "machine", "backend", "precision", "marks", "runs", "seeds", "test_images")
	for _, c := range compare.Columns() {
		header = append(header, c.Key)
		if c.Kind == compare.Accuracy {
			for _, part := range [...]string{"sd", "low", "high", "min", "max"} {
				header = append(header, c.Key+"_"+part)
			}
		}
	}
	header = append(header, "interval", "front_train", "front_train_probability", "front_infer", "front_infer_probability",
		"reference_accuracy", "gap", "seconds_to_target",
		"equal_epochs_accuracy", "equal_seconds_accuracy", "equal_flops_accuracy",
		"against_best", "against_best_p_holm", "against_best_test", "assumptions", "warnings", "runs_not_counted")
	if err := w.Write(header); err != nil {
		return err
	}
	var excluded []string
	for _, e := range r.Excluded {
		excluded = append(excluded, fmt.Sprintf("%d %s", e.Runs, e.Reason))
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		for _, row := range t.Rows {
			line := append(csvRow(r, t, row), strings.Join(warningsOf(r, t, row), " | "), strings.Join(excluded, ", "))
			if err := w.Write(line); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func csvRow(r *compare.Report, t *compare.Table, row compare.Row) []string {
	var line []string
	for _, key := range r.By {
		line = append(line, row.Group[key])
	}
	line = append(line, csvSetting(t, row)...)
	line = append(line, strconv.Itoa(len(row.Runs)), strconv.Itoa(row.Seeds), strconv.Itoa(row.TestImages))
	for _, c := range compare.Columns() {
		q := row.Quantities[c.Key]
		line = append(line, raw(q.Mean))
		if c.Kind == compare.Accuracy {
			line = append(line, raw(q.StdDev), raw(q.Low), raw(q.High), raw(q.Min), raw(q.Max))
		}
	}
	line = append(line, row.Quantities["accuracy"].Method)
	for _, key := range [...]string{"train", "infer"} {
		f, ok := row.Fronts[key]
		if !ok {
			line = append(line, "", "")
			continue
		}
		line = append(line, strconv.FormatBool(f.On), raw(f.Probability))
	}
	reference, gap, target := "", "", ""
	if row.Reference != nil {
		reference = raw(compare.Number(row.Reference.Accuracy))
	}
	if row.Gap != nil {
		gap = raw(*row.Gap)
	}
	if row.ToTarget != nil {
		target = raw(row.ToTarget.Mean)
	}
	line = append(line, reference, gap, target)
	for _, budget := range [...]string{"epochs", "seconds", "flops"} {
		line = append(line, csvEqual(t, row.Name, budget))
	}
	pair, ok := t.Pair(row.Name, mostAccurate(t))
	if !ok {
		return append(line, "", "", "", "")
	}
	return append(line, string(pair.Verdict), raw(pair.Adjusted), pair.Test, strings.Join(pair.Assumptions, "; "))
}

// csvEqual is the accuracy at the largest budget that all used up.
func csvEqual(t *compare.Table, name, budget string) string {
	for _, e := range t.Equal {
		for _, q := range e.Rows {
			if e.Budget == budget && q.Name == name {
				return raw(q.Mean)
			}
		}
	}
	return ""
}

// csvSetting is dataset, machine, backend, precision and the marks; what a
// row's table mixes is given as the values of its marks, joined.
func csvSetting(t *compare.Table, row compare.Row) []string {
	marks := row.Quantities["train"].Mark
	join := func(get func(compare.Setting) string) string {
		var values []string
		seen := map[string]bool{}
		for _, m := range t.Settings {
			v := get(m.Setting)
			if marks != "" && !hasMark(marks, m.Mark) || seen[v] {
				continue
			}
			seen[v] = true
			values = append(values, v)
		}
		return strings.Join(values, " + ")
	}
	return []string{
		join(func(s compare.Setting) string { return s.Dataset }),
		join(func(s compare.Setting) string { return s.Machine }),
		join(func(s compare.Setting) string { return s.Backend }),
		join(func(s compare.Setting) string { return s.Precision }),
		marks,
	}
}

func hasMark(marks, mark string) bool {
	for m := range strings.SplitSeq(marks, "+") {
		if m == mark {
			return true
		}
	}
	return false
}

// warningsOf are the warnings that concern a row: the report's, and the
// table's about it or about all, and those of its test against the best.
func warningsOf(r *compare.Report, t *compare.Table, row compare.Row) []string {
	var out []string
	for _, w := range t.Warnings {
		if w.Row == "" || w.Row == row.Name {
			out = append(out, w.Text)
		}
	}
	if pair, ok := t.Pair(row.Name, mostAccurate(t)); ok {
		out = append(out, pair.Warnings...)
	}
	for _, w := range r.Warnings {
		out = append(out, w.Text)
	}
	return out
}

func raw(v compare.Number) string {
	f := float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	return strconv.FormatFloat(f, 'g', 10, 64)
}
