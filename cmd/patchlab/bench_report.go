package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/save"
	"patchlab/viz"
)

// benchReport is what patchlab bench measured.
type benchReport struct {
	Machine   string           `json:"machine"`
	Cores     int              `json:"cores"`
	Backend   string           `json:"backend"`
	Plugin    string           `json:"plugin_version,omitempty"`
	Precision string           `json:"precision"`
	Date      string           `json:"date"`
	Load      [2]string        `json:"load"` // before and after
	Peak      experiments.Peak `json:"peak"`
	Results   []benchResult    `json:"results"`
	Growth    []benchGrowth    `json:"growth,omitempty"`
}

// benchResult is one workload.
type benchResult struct {
	Name                   string `json:"name"` // as the user gave it
	experiments.Workload   `json:"workload"`
	Params                 int64 `json:"params"`
	experiments.Throughput `json:"measured"`
	Rounds                 int `json:"rounds"` // of which this is the one of the median cost
	// FLOPsPerSecond is at the median step; OfPeak its share of the matrix
	// product's, and OfPeakByProcessor the share where both are divided by
	// processor time; 0 where that isn't known.
	FLOPsPerSecond    float64 `json:"flops_per_s"`
	OfPeak            float64 `json:"of_peak"`
	OfPeakByProcessor float64 `json:"of_peak_by_processor,omitempty"`
}

// benchGrowth is how one kind of work grows along one axis.
type benchGrowth struct {
	Name   string           `json:"name"`
	Axis   experiments.Axis `json:"axis"`
	Work   experiments.Work `json:"work"`
	Batch  int              `json:"batch,omitempty"` // 0 where it grows
	Values []int            `json:"values"`
	Points []benchResult    `json:"points"`
	// Cost is the exponent of an image's cost (processor time; wall time where
	// that isn't known), FLOPs that of its arithmetic, Memory that of the
	// process's peak above its start. Absent where they can't be fitted.
	Cost   *experiments.PowerLaw `json:"cost,omitempty"`
	FLOPs  *experiments.PowerLaw `json:"flops,omitempty"`
	Memory *experiments.PowerLaw `json:"memory,omitempty"`
}

func newBenchReport(machine backend.Machine, info backend.Info, precision string) *benchReport {
	return &benchReport{Machine: machine.String(), Cores: machine.Cores, Backend: info.Name, Plugin: info.PluginVersion, Precision: precision, Date: benchDate(), Load: [2]string{backend.LoadAverage()}}
}

// add takes a measurement in.
func (r *benchReport) add(p place, rounds []experiments.Throughput) {
	t := middle(rounds)
	one := benchResult{Name: p.model, Workload: p.Workload, Throughput: t, Rounds: len(rounds), FLOPsPerSecond: t.FLOPsPerSecond()}
	if counts, err := p.Model.Count(); err == nil {
		one.Params = counts.Total
	}
	one.OfPeak = one.FLOPsPerSecond / r.Peak.FLOPsPerSecond
	if t.ProcessorMedian > 0 && r.Peak.FLOPsPerProcessorSecond > 0 {
		one.OfPeakByProcessor = float64(t.FLOPs) / t.ProcessorMedian * 1e3 / r.Peak.FLOPsPerProcessorSecond
	}
	if p.Axis == "" {
		r.Results = append(r.Results, one)
		return
	}
	i := len(r.Growth)
	for k, g := range r.Growth {
		if g.Name == p.model && g.Axis == p.Axis && g.Work == p.Work {
			i = k
		}
	}
	if i == len(r.Growth) {
		r.Growth = append(r.Growth, benchGrowth{Name: p.model, Axis: p.Axis, Work: p.Work})
		if p.Axis != experiments.BatchAxis {
			r.Growth[i].Batch = p.Batch
		}
	}
	r.Growth[i].Values = append(r.Growth[i].Values, p.Value)
	r.Growth[i].Points = append(r.Growth[i].Points, one)
}

// finish fits what was measured.
func (r *benchReport) finish() {
	r.Load[1] = backend.LoadAverage()
	for i := range r.Growth {
		g := &r.Growth[i]
		fit := func(y func(benchResult) float64) *experiments.PowerLaw {
			var xs, ys []float64
			for k, p := range g.Points {
				xs, ys = append(xs, float64(g.Values[k])), append(ys, y(p))
			}
			law, err := experiments.FitPowerLaw(xs, ys)
			if err != nil {
				return nil
			}
			return &law
		}
		g.Cost = fit(func(p benchResult) float64 { return cost(p.Throughput) / float64(p.Batch) })
		g.FLOPs = fit(func(p benchResult) float64 { return float64(p.Throughput.FLOPs) / float64(p.Batch) })
		g.Memory = fit(func(p benchResult) float64 { return float64(p.PeakMemory - p.StartMemory) })
	}
}

// draw writes the roofline.
func (r *benchReport) draw(path string) error {
	groups := map[string][]viz.Achieved{}
	var order []string
	for _, one := range r.Results {
		if groups[one.Name] == nil {
			order = append(order, one.Name)
		}
		groups[one.Name] = append(groups[one.Name], viz.Achieved{
			Name: one.Name + ", " + string(one.Work), Intensity: one.Intensity(), FLOPsPerSecond: one.FLOPsPerSecond,
		})
	}
	var list [][]viz.Achieved
	for _, name := range order {
		list = append(list, groups[name])
	}
	picture, err := viz.Roofline("Roofline", fmt.Sprintf("%s, %s, %s%s", r.Machine, r.Backend, r.Precision, r.busy()),
		viz.Roofs{FLOPsPerSecond: r.Peak.FLOPsPerSecond, BytesPerSecond: r.Peak.BytesPerSecond}, list)
	if err != nil {
		return err
	}
	write := picture.WriteSVG
	if strings.HasSuffix(path, ".png") {
		write = func(w io.Writer) error { return picture.WritePNG(w, 2) }
	}
	return save.File(path, write)
}

// write prints the report, at most 80 columns wide.
func (r *benchReport) write(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s\n", r.Machine, r.Backend, r.Precision)
	if r.Load[0] != "" {
		fmt.Fprintf(w, "load average %s before, %s after%s\n", r.Load[0], r.Load[1], r.advice())
	}
	fmt.Fprintf(w, "peak: %.4g GFLOP/s (product of %d² matrices), %.3g GB/s (triad)\n",
		r.Peak.FLOPsPerSecond/1e9, r.Peak.Side, r.Peak.BytesPerSecond/1e9)
	last := ""
	for _, one := range r.Results {
		if one.Name != last {
			last = one.Name
			fmt.Fprintf(w, "\n%s: %d parameters, %d tokens of %d channels, batch %d\n", one.Name, one.Params, one.Model.Tokens(), one.Model.Dim, one.Batch)
			fmt.Fprintln(w, "       images/s  step ms      p95  first s  GFLOP/s  of peak   by cpu      MB")
		}
		fmt.Fprintf(w, "%-5s %9.0f %8.2f %8.2f %8.2f %8.1f %6.1f %% %6.1f %% %7.0f\n", one.Work, one.ImagesPerSecond, one.StepMedian, one.StepP95,
			one.FirstStep, one.FLOPsPerSecond/1e9, 100*one.OfPeak, 100*one.OfPeakByProcessor, float64(one.PeakMemory)/1e6)
	}
	if len(r.Growth) == 0 {
		return nil
	}
	return r.writeGrowth(w)
}

// writeGrowth prints the exponents.
func (r *benchReport) writeGrowth(w io.Writer) error {
	fmt.Fprintln(w, "\nHow it grows: y ~ x^e. Cost is an image's, by processor time; e with its 95 %")
	fmt.Fprintln(w, "interval. FLOPs are an image's, memory the process's above its start.")
	last := ""
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, g := range r.Growth {
		if g.Name != last {
			last = g.Name
			if err := t.Flush(); err != nil { // columns are a model's own
				return err
			}
			fmt.Fprintf(w, "\n%s\n", g.Name)
			fmt.Fprintln(t, "x\tfrom–to\twork\te of cost\te of FLOPs\te of memory")
		}
		fmt.Fprintf(t, "%s\t%d–%d\t%s\t%s\t%s\t%s\n", g.Axis, g.Values[0], g.Values[len(g.Values)-1], g.Work,
			exponent(g.Cost, true), exponent(g.FLOPs, false), exponent(g.Memory, false))
	}
	return t.Flush()
}

// busy is a warning where more processes wanted a processor than there are.
func (r *benchReport) busy() string {
	for _, text := range r.Load {
		if v, err := strconv.ParseFloat(text, 64); err == nil && v > float64(r.Cores) {
			return "; a busy machine"
		}
	}
	return ""
}

// advice is what to do about it.
func (r *benchReport) advice() string {
	if r.busy() == "" {
		return ""
	}
	return r.busy() + ": only \"by cpu\" holds"
}

// exponent is a law's exponent in words, with its interval or without.
func exponent(law *experiments.PowerLaw, interval bool) string {
	switch {
	case law == nil:
		return "–"
	case interval:
		return fmt.Sprintf("%.2f (%.2f to %.2f)", law.Exponent, law.Low, law.High)
	}
	return fmt.Sprintf("%.2f", law.Exponent)
}
