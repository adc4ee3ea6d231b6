package report

import (
	"fmt"
	"math"

	"patchlab/compare"
	"patchlab/compare/figure"
)

// paretoChart is a table's speed, of training or of inference, against its
// accuracy. Configurations whose speed is of another setting than the first's
// have no place on it.
func paretoChart(t *compare.Table, speed string) figure.Pareto {
	column, err := compare.ColumnNamed(speed)
	if err != nil {
		panic(err) // the keys are this package's own
	}
	p := figure.Pareto{XTitle: column.Long, YTitle: "test accuracy, %"}
	for _, row := range t.Rows {
		x, y := row.Quantities[speed], row.Quantities["accuracy"]
		c := figure.Config{
			Name: shorten(row.Name, 24), X: float64(x.Mean), Y: 100 * float64(y.Mean),
			XLow: math.NaN(), XHigh: math.NaN(), YLow: 100 * float64(y.Low), YHigh: 100 * float64(y.High),
			On: row.Fronts[speed].On, Probability: float64(row.Fronts[speed].Probability),
			Words: fmt.Sprintf("%s: %s %% %s, %s %s, on the front with probability %.2f", row.Name,
				compare.Decimal(100*float64(y.Mean), 2), interval(y), column.Format(float64(x.Mean)), column.Long,
				float64(row.Fronts[speed].Probability)),
		}
		if x.Mark != "" && x.Mark != t.Rows[0].Quantities[speed].Mark {
			c.X = math.NaN()
			c.On = false
		}
		if x.N > 1 {
			c.XLow, c.XHigh = float64(x.Low), float64(x.High)
		}
		p.Configs = append(p.Configs, c)
	}
	return p
}

// linesMost is the number of configurations of which a chart of curves or of
// distributions can tell anything; of more it shows the table's first.
const linesMost = 60

// firstOnly says that a chart leaves configurations out.
func firstOnly(t *compare.Table) string {
	if len(t.Rows) <= linesMost {
		return ""
	}
	return fmt.Sprintf(" (the first %d of %d configurations)", linesMost, len(t.Rows))
}

// curvesChart is the validation accuracy by epoch, or by training time.
func curvesChart(r *compare.Report, t *compare.Table, byTime bool) figure.Curves {
	p := figure.Curves{XTitle: "epoch", YTitle: "validation accuracy, %"}
	if byTime {
		p.XTitle, p.Log = "training time, s (log scale)", true
	}
	for _, row := range t.Rows[:min(linesMost, len(t.Rows))] {
		line := figure.Curve{Name: shorten(row.Name, 24)}
		bands := compare.Bands(row.Curves, r.Level)
		for _, b := range bands {
			x := float64(b.Epoch)
			if byTime {
				x = b.Seconds
			}
			line.X, line.Y = append(line.X, x), append(line.Y, 100*b.Mean)
			line.Low, line.High = append(line.Low, 100*b.Low), append(line.High, 100*b.High)
		}
		if n := len(bands); n > 0 {
			last := bands[n-1]
			line.Words = fmt.Sprintf("%s: %s %% validation accuracy after %d epochs, %s s of training, %d runs", row.Name,
				compare.Decimal(100*last.Mean, 2), last.Epoch, compare.Decimal(last.Seconds, 1), last.N)
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}

// stepsChart is the distributions of step times; no rows without any.
func stepsChart(t *compare.Table) figure.Spreads {
	p := figure.Spreads{XTitle: "training step, ms"}
	for i, row := range t.Rows[:min(linesMost, len(t.Rows))] {
		d := row.Steps
		if d == nil {
			continue
		}
		s := figure.Spread{Name: shorten(row.Name, 24), Series: i}
		for k, q := range d.Quantiles {
			s.Quantiles[k] = float64(q)
		}
		for _, h := range d.Histogram {
			s.From, s.To, s.Count = append(s.From, float64(h.From)), append(s.To, float64(h.To)), append(s.Count, h.Steps)
		}
		s.Words = fmt.Sprintf("%s: median %s ms, half between %s and %s, 95 %% below %s, 99 %% below %s; %s steps", row.Name,
			compare.Decimal(s.Quantiles[3], 1), compare.Decimal(s.Quantiles[2], 1), compare.Decimal(s.Quantiles[4], 1),
			compare.Decimal(s.Quantiles[5], 1), compare.Decimal(s.Quantiles[6], 1), compare.Decimal(float64(d.Steps), 0))
		p.Rows = append(p.Rows, s)
	}
	return p
}

func hasCurves(t *compare.Table) bool {
	for _, row := range t.Rows {
		for _, c := range row.Curves {
			if len(c.Epochs) > 1 {
				return true
			}
		}
	}
	return false
}

func hasSpeed(t *compare.Table, speed string) bool {
	for _, row := range t.Rows {
		if row.Quantities[speed].N > 0 {
			return true
		}
	}
	return false
}

// Figures lists the figures that SVG and PNG can show.
func Figures() []string { return []string{"pareto", "pareto-infer", "curves", "curves-time", "steps"} }

// chart makes a figure of a table by name.
func chart(r *compare.Report, t *compare.Table, name string) (figure.Chart, figure.Size, error) {
	size := figure.Print()
	switch name {
	case "", "pareto":
		return paretoChart(t, "train"), size, nil
	case "pareto-infer":
		return paretoChart(t, "infer"), size, nil
	case "curves", "curves-time":
		if !hasCurves(t) {
			return nil, size, fmt.Errorf("no curves to draw: no run of this table recorded validation accuracies of two epochs")
		}
		return curvesChart(r, t, name == "curves-time"), size, nil
	case "steps":
		c := stepsChart(t)
		if len(c.Rows) == 0 {
			return nil, size, fmt.Errorf("no step times to draw: no run of this table recorded step_ms")
		}
		return c, c.Fit(size), nil
	}
	return nil, size, fmt.Errorf("no figure %q; there are %s", name, joinNames(Figures()))
}
