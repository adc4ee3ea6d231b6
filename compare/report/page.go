package report

import (
	"crypto/sha256"
	_ "embed" // for the page's parts
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare"
	"patchlab/compare/figure"
)

//go:embed page.html
var pageTemplate string

//go:embed base.css
var baseStyle string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// page is what page.html shows.
type page struct {
	Policy   string
	Style    template.CSS
	Script   template.JS
	Title    string
	Report   *compare.Report
	By       string
	Level    string
	Empty    string
	Excluded string
	Command  string
	Chosen   int
	Back     string
	Tables   []pageTable
}

type pageTable struct {
	*compare.Table
	ID          string
	Title       string
	Fields      []pageField
	Rows        []pageRow
	Notes       []string
	Charts      []pageChart
	Matrix      []pageMatrixRow
	PairNotes   []string
	Effects     string
	Differences [][]string
	Equal       []pageEqual
}

type pageField struct {
	Key, Title, Long string
	Higher           bool
}

type pageRow struct {
	Series int
	Name   string
	Cells  []pageCell
	Mark   template.HTML
	Bar    template.HTML
	Runs   []pageRun
}

type pageRun struct {
	compare.RunRef
	Percent string
}

type pageCell struct {
	Text  string
	Value string // to sort by; "" last
}

type pageChart struct {
	Title, Alt   string
	Wide, Narrow template.HTML
}

type pageMatrixRow struct {
	Series int
	Name   string
	Cells  []pageMatrixCell
}

type pageMatrixCell struct {
	Series int
	Class  string
	Text   string
	Tip    string
}

type pageEqual struct {
	Title string
	Rows  []pageEqualRow
}

type pageEqualRow struct {
	Series         int
	Name, Mean, In string
}

func writePage(w io.Writer, r *compare.Report, o Options) error {
	parsed, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	style := Style() + pageStyle
	p := page{
		Policy: Policy(),
		Style:  template.CSS(style), Script: template.JS(pageScript),
		Title: "Patchlab: comparison by " + heading(r), Report: r, By: heading(r), Level: compare.Decimal(100*r.Level, 0),
		Excluded: notCounted(r), Command: o.Command, Chosen: o.Chosen, Back: o.Back,
	}
	if len(r.Tables) == 0 {
		p.Empty = nothing(r)
		if o.Chosen > 0 {
			p.Empty = "None of the chosen runs is finished and has a test accuracy: nothing to compare yet."
		}
	}
	for i := range r.Tables {
		t, err := newPageTable(r, &r.Tables[i], i)
		if err != nil {
			return err
		}
		p.Tables = append(p.Tables, t)
	}
	return parsed.Execute(w, p)
}

// Policy is the Content-Security-Policy that the page carries, for a server
// that sends one with it: nothing from anywhere, and only the page's own style
// and script, by their hashes.
func Policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
		hash(Style()+pageStyle), hash(pageScript))
}

// Style is the CSS that the pages of Patchlab share: colours, light and dark,
// type, tables and charts.
func Style() string { return figure.Style() + baseStyle }

// hash names a text in a Content-Security-Policy.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func newPageTable(r *compare.Report, t *compare.Table, index int) (pageTable, error) {
	out := pageTable{Table: t, ID: "t" + strconv.Itoa(index), Title: tableTitle(t), Notes: legend(r, t, t.Pairs), PairNotes: pairNotes(t)}
	out.Notes = slices.DeleteFunc(out.Notes, func(s string) bool {
		return slices.Contains(out.PairNotes, s) || s == correction(t, t.Pairs) || strings.HasPrefix(s, "val %")
	})
	if text := correction(t, t.Pairs); text != "" {
		out.PairNotes = append([]string{text}, out.PairNotes...)
	}
	out.Effects = effects(t.Pairs)
	columns := map[string]compare.Column{}
	for _, c := range compare.Columns() {
		columns[c.Key] = c
	}
	all := slices.DeleteFunc(fields(r, t), func(f field) bool { return strings.HasPrefix(f.key, "equal_") })
	for _, f := range all {
		long := f.title
		if c, ok := columns[f.key]; ok {
			long = c.Long
		}
		out.Fields = append(out.Fields, pageField{Key: f.key, Title: f.title, Long: long, Higher: columns[f.key].Higher})
	}
	for i, row := range t.Rows {
		line := pageRow{Series: i, Name: row.Name, Mark: template.HTML(figure.Mark(i)), Bar: template.HTML(bar(t, row, i))}
		for _, run := range row.Runs {
			line.Runs = append(line.Runs, pageRun{run, number(100*float64(run.Accuracy), 2)})
		}
		for _, f := range all {
			line.Cells = append(line.Cells, pageCell{Text: f.cell(row), Value: sortValue(row, f.key)})
		}
		out.Rows = append(out.Rows, line)
	}
	if err := out.charts(r, t); err != nil {
		return out, err
	}
	out.matrix(t)
	for _, d := range t.Pairs {
		out.Differences = append(out.Differences, []string{
			d.A + " − " + d.B, signed(100*float64(d.Difference), 2), pointInterval(d), pValue(float64(d.P)), pValue(float64(d.Adjusted)),
			number(float64(d.Size), 2), verdictText(d), d.Test,
		})
	}
	for _, e := range t.Equal {
		equal := pageEqual{Title: equalTitle(e)}
		for i, q := range e.Rows {
			equal.Rows = append(equal.Rows, pageEqualRow{i, q.Name, equalCell(q), interval(q.Quantity)})
		}
		out.Equal = append(out.Equal, equal)
	}
	return out, nil
}

// sortValue is a cell's number, for the page's script.
func sortValue(row compare.Row, key string) string {
	value := math.NaN()
	switch key {
	case "runs":
		value = float64(len(row.Runs))
	case "interval":
		value = float64(row.Quantities["accuracy"].Low)
	case "range":
		value = float64(row.Quantities["accuracy"].Min)
	case "reference":
		if row.Reference != nil {
			value = row.Reference.Accuracy
		}
	case "gap":
		if row.Gap != nil {
			value = float64(*row.Gap)
		}
	case "front":
		value = float64(row.Fronts["train"].Probability)
	case "target":
		if row.ToTarget != nil {
			value = float64(row.ToTarget.Mean)
		}
	default:
		value = float64(row.Quantities[key].Mean)
	}
	return raw(compare.Number(value))
}

// bar draws a row's interval of accuracy on the scale of its table.
func bar(t *compare.Table, row compare.Row, series int) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, other := range t.Rows {
		q := other.Quantities["accuracy"]
		for _, v := range []compare.Number{q.Mean, q.Low, q.High} {
			if !math.IsNaN(float64(v)) {
				low, high = math.Min(low, float64(v)), math.Max(high, float64(v))
			}
		}
	}
	if !(high > low) {
		return ""
	}
	at := func(v compare.Number) float64 { return 4 + 112*(float64(v)-low)/(high-low) }
	q := row.Quantities["accuracy"]
	class := "s" + strconv.Itoa(int(figure.Series(series)))
	var b strings.Builder
	b.WriteString(`<svg class="bar" viewBox="0 0 120 14" aria-hidden="true"><path class="l grid" stroke-width="1" d="M4 7L116 7"/>`)
	if !math.IsNaN(float64(q.Low)) {
		fmt.Fprintf(&b, `<path class="l %s" stroke-width="4" stroke-opacity=".45" d="M%.1f 7L%.1f 7"/>`, class, at(q.Low), at(q.High))
	}
	fmt.Fprintf(&b, `<circle class="a %s" cx="%.1f" cy="7" r="3.2"/></svg>`, class, at(q.Mean))
	return b.String()
}

func (p *pageTable) charts(r *compare.Report, t *compare.Table) error {
	add := func(title string, c figure.Chart, wide, narrow figure.Size) error {
		chart := pageChart{Title: title, Alt: c.Alt()}
		for _, part := range []struct {
			to    *template.HTML
			size  figure.Size
			class string
		}{{&chart.Wide, wide, "chart wide"}, {&chart.Narrow, narrow, "chart narrow"}} {
			text, err := figure.Inline(c, part.size, part.class)
			if err != nil {
				return err
			}
			*part.to = template.HTML(text)
		}
		p.Charts = append(p.Charts, chart)
		return nil
	}
	for _, part := range []struct {
		want  bool
		title string
		chart figure.Chart
	}{
		{len(t.Rows) > 1 && hasSpeed(t, "train"), "Accuracy against training speed", paretoChart(t, "train")},
		{len(t.Rows) > 1 && hasSpeed(t, "infer"), "Accuracy against inference speed", paretoChart(t, "infer")},
		{hasCurves(t), "Learning curves by epoch" + firstOnly(t), curvesChart(r, t, false)},
		{hasCurves(t) && len(t.Mixed) == 0, "Learning curves by training time" + firstOnly(t), curvesChart(r, t, true)},
	} {
		if !part.want {
			continue
		}
		if err := add(part.title, part.chart, figure.Wide(), figure.Narrow()); err != nil {
			return err
		}
	}
	if steps := stepsChart(t); len(steps.Rows) > 0 {
		return add("Step times"+firstOnly(t), steps, steps.Fit(figure.Wide()), steps.Fit(figure.Narrow()))
	}
	return nil
}

// matrixMost is the number of configurations up to which a matrix can be read.
const matrixMost = 40

func (p *pageTable) matrix(t *compare.Table) {
	if len(t.Rows) < 2 || len(t.Rows) > matrixMost {
		return
	}
	for i, a := range t.Rows {
		row := pageMatrixRow{Series: i, Name: a.Name}
		for j, b := range t.Rows {
			pair, ok := t.Pair(a.Name, b.Name)
			if i == j || !ok {
				row.Cells = append(row.Cells, pageMatrixCell{Series: j, Class: "self"})
				continue
			}
			class := map[compare.Verdict]string{compare.Better: "better", compare.Worse: "worse", compare.NotShown: "like"}[pair.Verdict]
			text := signed(100*float64(pair.Difference), 1)
			if pair.Verdict == compare.NotShown {
				text = "~ " + text
			}
			tip := fmt.Sprintf("%s less %s: %s points %s, %s, p (Holm) %s, effect %s (%s)", a.Name, b.Name,
				signed(100*float64(pair.Difference), 2), pointInterval(pair), pair.Test, pValue(float64(pair.Adjusted)),
				number(float64(pair.Size), 2), pair.Effect)
			if pair.MoreSeeds > 0 {
				seeds := "seeds"
				if pair.MoreSeeds == 1 {
					seeds = "seed"
				}
				tip += fmt.Sprintf("; about %d more %s each would likely show it", pair.MoreSeeds, seeds)
			}
			row.Cells = append(row.Cells, pageMatrixCell{j, class, text, tip})
		}
		p.Matrix = append(p.Matrix, row)
	}
}
