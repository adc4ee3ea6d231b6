package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchlab/backend"
	"patchlab/save"
)

// phase is one kind of value.
type phase struct {
	name, unit string
	less       bool    // less is better
	goal       float64 // for ours over the best peer
	scale      float64 // of the value in the printed table
	format     string
	value      func(Measurement) float64
}

func phases() []phase {
	return []phase{
		{"train", "images/s", false, 1.5, 1, "%.0f", func(m Measurement) float64 { return m.TrainImagesPerS }},
		{"inference", "images/s", false, 1.2, 1, "%.0f", func(m Measurement) float64 { return m.InferImagesPerS }},
		{"first_step", "s", true, .7, 1, "%.2f", func(m Measurement) float64 { return m.FirstStepS }},
		{"peak_rss", "bytes", true, 1, 1. / (1 << 20), "%.0f", func(m Measurement) float64 { return float64(m.PeakRSS) }},
	}
}

// row is one tool's values in one phase of one configuration.
type row struct {
	config, tool string
	phase        phase
	byRound      map[int]float64
	median       float64
	min, max     float64
	// ratio to the best peer: the median over rounds of the ratios within a
	// round, which a machine whose speed drifts hardly alters; NaN without a peer.
	ratio, ratioMin, ratioMax float64
	versions                  string
}

// table is the outcome.
type table struct {
	rows    []row // by configuration, phase, tool
	options options
	data    Data
	machine string
	date    time.Time
}

func newTable(measured []Measurement, o options, data Data) table {
	t := table{options: o, data: data, machine: backend.Describe().String(), date: time.Now()}
	for _, config := range o.configs {
		for _, p := range phases() {
			first := len(t.rows)
			for _, tool := range toolNames() {
				r := row{config: config, tool: tool, phase: p, byRound: map[int]float64{}}
				for _, m := range measured {
					if m.Config == config && m.Tool == tool {
						r.byRound[m.Round] = p.value(m)
						r.versions = m.Versions
					}
				}
				if len(r.byRound) > 0 {
					r.median, r.min, r.max = spread(r.byRound)
					t.rows = append(t.rows, r)
				}
			}
			compare(t.rows[first:])
		}
	}
	return t
}

// compare sets the ratios of the rows of one configuration and phase.
func compare(rows []row) {
	var best *row
	for i := range rows {
		r := &rows[i]
		if r.tool != ours && (best == nil || (r.median < best.median) == r.phase.less) {
			best = r
		}
	}
	for i := range rows {
		r := &rows[i]
		ratios := map[int]float64{}
		if best != nil {
			for round, v := range r.byRound {
				if other, ok := best.byRound[round]; ok {
					ratios[round] = v / other
				}
			}
		}
		r.ratio, r.ratioMin, r.ratioMax = spread(ratios)
	}
}

// spread is the median, the least and the greatest of the values; NaN of none.
func spread(values map[int]float64) (median, least, greatest float64) {
	var x []float64
	for _, v := range values {
		x = append(x, v)
	}
	if len(x) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	slices.Sort(x)
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2, x[0], x[n-1]
}

// save writes the table as CSV. The column median holds the value of any phase, in
// the unit that the column unit names; images_per_s repeats those of that unit.
func (t table) save(path string) error {
	rows := [][]string{{"config", "phase", "tool", "images_per_s", "ratio_to_best_peer", "rounds", "machine", "versions",
		"unit", "median", "min", "max", "ratio_min", "ratio_max", "data", "date"}}
	for _, r := range t.rows {
		imagesPerS := ""
		if r.phase.unit == "images/s" {
			imagesPerS = number(r.median)
		}
		rows = append(rows, []string{
			r.config, r.phase.name, r.tool, imagesPerS, number(r.ratio), strconv.Itoa(len(r.byRound)), t.machine, r.versions,
			r.phase.unit, number(r.median), number(r.min), number(r.max), number(r.ratioMin), number(r.ratioMax),
			t.data.Dataset + " " + t.data.Digest[:min(12, len(t.data.Digest))], t.date.Format(time.DateOnly),
		})
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return save.File(path, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(rows) })
}

// number is a value with four digits or more, "" for none.
func number(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	if math.Abs(x) >= 1000 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// print writes the table in 80 columns.
func (t table) print(w io.Writer) {
	titles := []string{"train img/s", "infer img/s", "first step s", "peak MB"}
	fmt.Fprintf(w, "%s, %s, %s %s\n", t.machine, t.date.Format(time.DateOnly), t.data.Dataset, t.data.Digest[:min(12, len(t.data.Digest))])
	fmt.Fprintf(w, "median ± half the range; up to %d rounds, interleaved\n", t.options.rounds)
	for _, config := range t.options.configs {
		var names []string
		for _, tool := range toolNames() {
			if _, ok := t.find(config, tool, phases()[0]); ok {
				names = append(names, tool)
			}
		}
		if len(names) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%-17s", config)
		for _, title := range titles {
			fmt.Fprintf(w, "%15s", title)
		}
		fmt.Fprintln(w)
		for _, tool := range names {
			fmt.Fprintf(w, "  %-15s", tool)
			for _, p := range phases() {
				r, _ := t.find(config, tool, p)
				value := fmt.Sprintf(p.format+" ±%3.0f%%", r.median*p.scale, 50*(r.max-r.min)/r.median)
				if len(r.byRound) == 1 {
					value = fmt.Sprintf(p.format+"      ", r.median*p.scale)
				}
				fmt.Fprintf(w, "%15s", value)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %-15s", "ours/best peer")
		for _, p := range phases() {
			fmt.Fprintf(w, "%15s", t.verdict(config, p))
		}
		fmt.Fprintln(w)
	}
	t.summary(w)
}

// verdict is our ratio, with a star where it reaches the goal.
func (t table) verdict(config string, p phase) string {
	r, ok := t.find(config, ours, p)
	if !ok || math.IsNaN(r.ratio) {
		return "–  "
	}
	mark := "  "
	if reached(r.ratio, p) {
		mark = " *"
	}
	return fmt.Sprintf("%.2f%s", r.ratio, mark)
}

func reached(ratio float64, p phase) bool { return ratio == p.goal || (ratio < p.goal) == p.less }

// summary is the geometric mean of our ratios and how many reach the goal.
func (t table) summary(w io.Writer) {
	var lines []string
	for _, p := range phases() {
		logs, count, good := 0., 0, 0
		for _, config := range t.options.configs {
			r, ok := t.find(config, ours, p)
			if !ok || math.IsNaN(r.ratio) {
				continue
			}
			logs += math.Log(r.ratio)
			count++
			if reached(r.ratio, p) {
				good++
			}
		}
		if count > 0 {
			sign := "≥"
			if p.less {
				sign = "≤"
			}
			lines = append(lines, fmt.Sprintf("  %-12s geometric mean %.2f; %d of %d reach the goal, %s %.1f",
				p.name, math.Exp(logs/float64(count)), good, count, sign, p.goal))
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(w, "\nours/best peer (* reaches the goal)\n%s\n", strings.Join(lines, "\n"))
	}
}

func (t table) find(config, tool string, p phase) (row, bool) {
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.config == config && r.tool == tool && r.phase.name == p.name })
	if i < 0 {
		return row{}, false
	}
	return t.rows[i], true
}
