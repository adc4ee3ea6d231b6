package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"patchlab/compare/stats"
	"patchlab/tracker"
)

// Curve is one run's way: what it had reached after each epoch. Seconds and
// FLOPs are of training alone, summed up; an image costs three forward passes
// to train on (forward, and twice that backward).
type Curve struct {
	Run         string   `json:"run"`
	Seed        string   `json:"seed"`
	Epochs      []int64  `json:"epochs"`
	ValAccuracy []Number `json:"val_accuracy"`
	TrainLoss   []Number `json:"train_loss"`
	Seconds     []Number `json:"seconds"`
	FLOPs       []Number `json:"flops"`
}

// Equal compares the validation accuracies after the last epoch that each run
// completed within the same budget: the largest that every configuration used
// up, and, of time and FLOPs, that of the middle configuration as well.
type Equal struct {
	Budget string          `json:"budget"` // "epochs", "seconds", "flops"
	Amount Number          `json:"amount"`
	Rows   []EqualQuantity `json:"rows"` // in the order of the table's rows
}

// EqualQuantity is one configuration's accuracy within a budget; N is 0 where
// no run completed an epoch. Ended counts the runs whose training had ended
// before the budget was used up.
type EqualQuantity struct {
	Name  string `json:"name"`
	Ended int    `json:"ended"`
	Quantity
}

// Distribution describes the training steps of a configuration, in ms.
type Distribution struct {
	Runs      int         `json:"runs"` // whose steps these are
	Steps     int         `json:"steps"`
	Warmup    int         `json:"warmup_steps"` // left out at the start of each run
	Quantiles [7]Number   `json:"quantiles"`    // at DistributionQuantiles
	Histogram []Histogram `json:"histogram"`
}

// Histogram counts the steps that took from From up to To ms.
type Histogram struct {
	From  Number `json:"from"`
	To    Number `json:"to"`
	Steps int    `json:"steps"`
}

// DistributionQuantiles are the quantiles of a Distribution.
func DistributionQuantiles() [7]float64 { return [7]float64{.01, .05, .25, .5, .75, .95, .99} }

const (
	warmupSteps  = 5      // compile, and caches that are still cold
	enoughSteps  = 20_000 // of one configuration; further runs are not read
	distribution = 40     // bins of the histogram
	leastStep    = 1e-6   // ms, for a logarithm: a clock may have seen no time go by
)

// readCurves reads the runs' validation accuracy, training loss and time an
// epoch.
func (b *builder) readCurves(runs []tracker.RunInfo) error {
	var parts [3]map[string][]tracker.Point
	for i, key := range [...]string{"val_accuracy", "train_seconds", "train_loss"} {
		var err error
		if parts[i], err = histories(b.ctx, b.src, runs, key); err != nil {
			return err
		}
	}
	b.curves = make(map[string]Curve, len(runs))
	for _, r := range runs {
		c := Curve{Run: r.ID, Seed: r.Params["seed"]}
		perEpoch := 3 * param("flops")(r) * param("train_images")(r)
		seconds, loss := byStep(parts[1][r.ID]), byStep(parts[2][r.ID])
		var spent float64
		for _, p := range lastOfStep(parts[0][r.ID]) {
			s, timed := seconds[p.Step]
			if !timed {
				s = math.NaN()
			}
			l, known := loss[p.Step]
			if !known {
				l = math.NaN()
			}
			spent += s
			c.Epochs = append(c.Epochs, p.Step)
			c.ValAccuracy = append(c.ValAccuracy, Number(p.Value))
			c.TrainLoss = append(c.TrainLoss, Number(l))
			c.Seconds = append(c.Seconds, Number(spent))
			c.FLOPs = append(c.FLOPs, Number(perEpoch*float64(p.Step)))
		}
		b.curves[r.ID] = c
	}
	return nil
}

func byStep(points []tracker.Point) map[int64]float64 {
	out := make(map[int64]float64, len(points))
	for _, p := range points {
		out[p.Step] = p.Value
	}
	return out
}

// lastOfStep keeps the last point of each step: a resumed run may have logged
// an epoch twice.
func lastOfStep(points []tracker.Point) []tracker.Point {
	var out []tracker.Point
	for _, p := range points {
		if n := len(out); n > 0 && out[n-1].Step == p.Step {
			out[n-1] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

// budgets are the ways to spend equally.
func budgets() []struct {
	name  string
	spent func(Curve) []Number
} {
	return []struct {
		name  string
		spent func(Curve) []Number
	}{
		{"epochs", func(c Curve) []Number {
			out := make([]Number, len(c.Epochs))
			for i, e := range c.Epochs {
				out[i] = Number(e)
			}
			return out
		}},
		{"seconds", func(c Curve) []Number { return c.Seconds }},
		{"flops", func(c Curve) []Number { return c.FLOPs }},
	}
}

// equal fills in the accuracies at equal epochs, time and FLOPs, and the rows'
// curves.
func (b *builder) equal(t *Table, groups []grouped) {
	for i, g := range groups {
		for _, u := range g.units {
			if c := b.curves[u.first().ID]; len(c.Epochs) > 0 {
				t.Rows[i].Curves = append(t.Rows[i].Curves, c)
			}
		}
	}
	for _, budget := range budgets() {
		if budget.name == "seconds" && slices.ContainsFunc(t.Mixed, func(a string) bool { return a != "dataset" }) {
			t.warn("no-equal-seconds", "no comparison at equal time: the table mixes %s", plural(t.Mixed))
			continue
		}
		for _, amount := range amounts(t, budget.name, budget.spent) {
			t.Equal = append(t.Equal, b.equalAt(t, budget.name, budget.spent, amount))
		}
	}
}

// amounts are the budgets to compare at.
func amounts(t *Table, name string, spent func(Curve) []Number) []float64 {
	var totals []float64 // of each configuration, its run that ended the earliest
	for _, row := range t.Rows {
		total := math.Inf(1)
		for _, c := range row.Curves {
			all := spent(c)
			total = math.Min(total, float64(all[len(all)-1]))
		}
		switch {
		case math.IsNaN(total):
			return nil
		case !math.IsInf(total, 0):
			totals = append(totals, total)
		}
	}
	if len(totals) == 0 {
		return nil
	}
	slices.Sort(totals)
	least, middle := totals[0], totals[len(totals)/2]
	if name == "epochs" || middle <= least*1.01 {
		return []float64{least}
	}
	return []float64{least, middle}
}

func (b *builder) equalAt(t *Table, name string, spent func(Curve) []Number, amount float64) Equal {
	equal := Equal{Budget: name, Amount: Number(amount)}
	for _, row := range t.Rows {
		out := EqualQuantity{Name: row.Name}
		var values []float64
		for _, c := range row.Curves {
			all := spent(c)
			if v := c.within(all, amount); !math.IsNaN(v) {
				values = append(values, v)
			}
			if float64(all[len(all)-1]) < amount*(1-1e-6) {
				out.Ended++
			}
		}
		var err error
		out.Quantity, err = quantity(values, b.interval(fmt.Sprint("equal ", name, " ", amount, " ", row.Name)))
		if err != nil {
			t.warnRow(row.Name, "equal", "%s at equal %s: %v", row.Name, name, err)
		}
		equal.Rows = append(equal.Rows, out)
	}
	return equal
}

// within is the validation accuracy after the last epoch within the budget,
// NaN if there is none. A part in a million over counts as within.
func (c Curve) within(spent []Number, amount float64) float64 {
	value := math.NaN()
	for i, s := range spent {
		if float64(s) <= amount*(1+1e-6) {
			value = float64(c.ValAccuracy[i])
		}
	}
	return value
}

// toTarget times the way to the target accuracy. A mean over only those runs
// that arrived would flatter, so there is one only if all did.
func (b *builder) toTarget(t *Table, g *grouped, row *Row) {
	var values []float64
	for _, r := range g.runs {
		c := b.curves[r.ID]
		for i, v := range c.ValAccuracy {
			if float64(v) >= b.o.Target {
				values = append(values, float64(c.Seconds[i]))
				break
			}
		}
	}
	if len(values) < len(g.runs) {
		t.warnRow(g.name, "target", "%s: %d of %d runs reach a validation accuracy of %s %%, so no time is given",
			g.name, len(values), len(g.runs), Decimal(100*b.o.Target, 1))
		values = nil
	}
	q, err := quantity(values, b.interval("target "+g.name))
	if err != nil {
		t.warnRow(g.name, "target", "%s: %v", g.name, err)
	}
	q.Mark = t.marks(g.runs, Speed)
	row.ToTarget = &q
}

// steps fills in the distributions of step times.
func (b *builder) steps(t *Table, groups []grouped) error {
	for i, g := range groups {
		var all []float64
		d := Distribution{Warmup: warmupSteps}
		for _, r := range g.runs {
			if len(all) >= enoughSteps {
				break
			}
			if _, ok := r.Metrics["step_ms"]; !ok {
				continue
			}
			points, err := b.src.History(b.ctx, r.ID, "step_ms")
			if err != nil {
				return err
			}
			d.Runs++
			for _, p := range points[min(warmupSteps, len(points)):] {
				if !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
					all = append(all, p.Value)
				}
			}
		}
		if len(all) < 2 {
			continue
		}
		slices.Sort(all)
		d.describe(all)
		t.Rows[i].Steps = &d
	}
	return nil
}

// describe summarises sorted step times. The histogram's bins are equally wide
// on a logarithmic scale, on which it is drawn, from the first hundredth to
// the last; the outer bins take what lies beyond.
func (d *Distribution) describe(all []float64) {
	d.Steps = len(all)
	for i, q := range DistributionQuantiles() {
		d.Quantiles[i] = Number(stats.SortedQuantile(all, q))
	}
	low, high := max(float64(d.Quantiles[0]), leastStep), max(float64(d.Quantiles[6]), leastStep)
	if !(high > low*1.000001) { // all alike
		low, high = low/1.01, high*1.01
	}
	ratio := math.Log(high/low) / distribution
	counts := make([]int, distribution)
	for _, v := range all {
		counts[min(distribution-1, max(0, int(math.Log(max(v, leastStep)/low)/ratio)))]++
	}
	for i, n := range counts {
		d.Histogram = append(d.Histogram, Histogram{
			From: Number(low * math.Exp(float64(i)*ratio)), To: Number(low * math.Exp(float64(i+1)*ratio)), Steps: n,
		})
	}
}

// Band is the mean of a configuration's curves after an epoch, with the
// interval over its seeds (Low and High are NaN for one seed).
type Band struct {
	Epoch           int64
	Seconds         float64
	Mean, Low, High float64
	N               int
}

// Bands averages curves epoch by epoch, as far as all of them went: a mean
// over those alone that went on would jump where one ended.
func Bands(curves []Curve, level float64) []Band {
	type sums struct{ accuracy, seconds []float64 }
	at := map[int64]*sums{}
	for _, c := range curves {
		for i, e := range c.Epochs {
			if math.IsNaN(float64(c.ValAccuracy[i])) {
				continue
			}
			if at[e] == nil {
				at[e] = &sums{}
			}
			at[e].accuracy = append(at[e].accuracy, float64(c.ValAccuracy[i]))
			at[e].seconds = append(at[e].seconds, float64(c.Seconds[i]))
		}
	}
	bands := make([]Band, 0, len(at))
	for e, s := range at {
		if len(s.accuracy) < len(curves) {
			continue
		}
		band := Band{
			Epoch: e, N: len(s.accuracy), Low: math.NaN(), High: math.NaN(),
			Mean: stats.Describe(s.accuracy).Mean, Seconds: stats.Describe(s.seconds).Mean,
		}
		if iv, err := stats.MeanT(s.accuracy, level); err == nil {
			band.Low, band.High = iv.Low, iv.High
		}
		bands = append(bands, band)
	}
	slices.SortFunc(bands, func(a, b Band) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return bands
}
