// Command scaling makes the study of how cost grows out of what "patchlab bench
// --format json" printed: FOLDER/scaling.md, scaling.csv and scaling.svg.
// bench/scaling/run.sh measures and runs it.
package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"patchlab/experiments"
	"patchlab/save"
	"patchlab/viz"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

// report is what is read of a measurement.
type report struct {
	Machine string           `json:"machine"`
	Backend string           `json:"backend"`
	Date    string           `json:"date"`
	Load    [2]string        `json:"load"`
	Peak    experiments.Peak `json:"peak"`
	Results []result         `json:"results"`
	Growth  []growth         `json:"growth"`
}

type result struct {
	Name                   string `json:"name"`
	experiments.Workload   `json:"workload"`
	experiments.Throughput `json:"measured"`
	Rounds                 int     `json:"rounds"`
	OfPeak                 float64 `json:"of_peak"`
	OfPeakByProcessor      float64 `json:"of_peak_by_processor"`
}

type growth struct {
	Name   string                `json:"name"`
	Axis   experiments.Axis      `json:"axis"`
	Work   experiments.Work      `json:"work"`
	Values []int                 `json:"values"`
	Points []result              `json:"points"`
	Cost   *experiments.PowerLaw `json:"cost"`
	FLOPs  *experiments.PowerLaw `json:"flops"`
	Memory *experiments.PowerLaw `json:"memory"`
}

// speed is billions of floating-point operations in a second of wall time.
func (r result) speed() float64 {
	return float64(r.Throughput.FLOPs) / float64(r.Batch) * r.ImagesPerSecond / 1e9
}

// cost is a step's processor time in milliseconds, wall time where that isn't known.
func (r result) cost() float64 { return cmp.Or(r.ProcessorMedian, r.StepMedian) }

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: scaling FOLDER FILE…")
	}
	var all []report
	for _, name := range args[1:] {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var r report
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	folder := args[0]
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer, []report) error{"scaling.md": writeTable, "scaling.csv": writeNumbers, "scaling.svg": draw} {
		if err := save.File(filepath.Join(folder, name), func(w io.Writer) error { return write(w, all) }); err != nil {
			return err
		}
	}
	return nil
}

func writeTable(w io.Writer, all []report) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# How cost grows

Two blocks each on a table of 64 tokens of 64 channels (images 32 × 32 in patches
of 4), made by `+"`bench/scaling/run.sh`"+` on %s, %s, float32; the numbers are in
`+"`scaling.csv`"+`. Every measurement is a process of its own, itself a load of two. Other
work on the machine (load averages below) lengthens wall times, so cost is the median
processor time of a step, of all threads, divided by its images, and the share of
the peak is of arithmetic for each second of processor time beside that of a large
matrix product measured in the same run.

| model | date | load before, after | product, GFLOP each processor second | triad, GB/s |
|---|---|--:|--:|--:|
`, all[0].Machine, all[0].Backend)
	for _, r := range all {
		fmt.Fprintf(&b, "| %s | %s | %s, %s | %.1f | %.1f |\n", r.Results[0].Name, r.Date, r.Load[0], r.Load[1], r.Peak.FLOPsPerProcessorSecond/1e9, r.Peak.BytesPerSecond/1e9)
	}
	b.WriteString("\n## At 64 tokens of 64 channels\n\n| model | work | batch | images/s | GFLOP/s | processor ms a step | of the peak | FLOP a byte | first step s | peak MB |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range all {
		for _, x := range r.Results {
			fmt.Fprintf(&b, "| %s | %s | %d | %.0f | %.0f | %.1f | %.0f %% | %.1f | %.1f | %.0f |\n",
				x.Name, x.Work, x.Batch, x.ImagesPerSecond, x.speed(), x.cost(), 100*x.OfPeakByProcessor, x.Intensity(), x.FirstStep, float64(x.PeakMemory)/1e6)
		}
	}
	b.WriteString(`
## Exponents

y ~ xᵉ: e by least squares on logarithms over four places of the range, in
brackets its 95 % interval (Student's t, 2 degrees of freedom). Beside it the
exponent of the arithmetic alone, and that of the process's peak memory above what
it held before the network was built. Batches of 16 images, but where the batch
grows. A wide interval, or an exponent far below the arithmetic's, says that fixed
costs rule the low end of the range: then the last column, between the two largest
places alone, is nearer to where it goes. Images and arithmetic a second are by wall
time, at the range's two ends; all places are in ` + "`scaling.csv`" + `.

| model | x | range | work | cost | of the arithmetic | memory | cost, last two | images/s | GFLOP/s |
|---|---|---|---|--:|--:|--:|--:|--:|--:|
`)
	for _, r := range all {
		for _, g := range r.Growth {
			n := len(g.Points)
			if g.Cost == nil { // stopped before it could be fitted
				continue
			}
			first, end := g.Points[0], g.Points[n-1]
			fmt.Fprintf(&b, "| %s | %s | %d to %d | %s | %s | %s | %s | %s | %.0f to %.0f | %.0f to %.0f |\n", g.Name, g.Axis, g.Values[0], g.Values[n-1], g.Work,
				exponent(g.Cost, true), exponent(g.FLOPs, false), exponent(g.Memory, false), last(g),
				first.ImagesPerSecond, end.ImagesPerSecond, first.speed(), end.speed())
		}
	}
	b.WriteString("\n![Processor time of an image's training step against the number of tokens, for each model](scaling.svg)\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func exponent(law *experiments.PowerLaw, interval bool) string {
	switch {
	case law == nil:
		return "–"
	case interval:
		return fmt.Sprintf("%.2f (%.2f to %.2f)", law.Exponent, law.Low, law.High)
	}
	return fmt.Sprintf("%.2f", law.Exponent)
}

// last is the exponent of cost between the two largest places.
func last(g growth) string {
	n := len(g.Points)
	if n < 2 {
		return "–"
	}
	a, b := g.Points[n-2], g.Points[n-1]
	e := math.Log(b.cost()/float64(b.Batch)/(a.cost()/float64(a.Batch))) / math.Log(float64(g.Values[n-1])/float64(g.Values[n-2]))
	return fmt.Sprintf("%.2f", e)
}

func writeNumbers(w io.Writer, all []report) error {
	c := csv.NewWriter(w)
	c.Write([]string{"model", "axis", "value", "work", "batch", "tokens", "dim", "blocks", "processor_ms", "step_ms_median", "step_ms_p95", "images_per_s",
		"first_step_s", "flops", "bytes", "peak_memory_bytes", "start_memory_bytes", "steps", "rounds", "of_peak_by_processor", "machine", "date"})
	float := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	for _, r := range all {
		row := func(axis experiments.Axis, value int, x result) {
			c.Write([]string{x.Name, string(axis), strconv.Itoa(value), string(x.Work), strconv.Itoa(x.Batch), strconv.Itoa(x.Model.Tokens()),
				strconv.Itoa(x.Model.Dim), strconv.Itoa(len(x.Model.Blocks)), float(x.ProcessorMedian), float(x.StepMedian), float(x.StepP95),
				float(x.ImagesPerSecond), float(x.FirstStep), strconv.FormatInt(x.Throughput.FLOPs, 10), strconv.FormatInt(x.Bytes, 10),
				strconv.FormatInt(x.PeakMemory, 10), strconv.FormatInt(x.StartMemory, 10), strconv.Itoa(x.Throughput.Steps), strconv.Itoa(x.Rounds),
				float(x.OfPeakByProcessor), r.Machine, r.Date})
		}
		for _, x := range r.Results {
			row("", 0, x)
		}
		for _, g := range r.Growth {
			for i, x := range g.Points {
				row(g.Axis, g.Values[i], x)
			}
		}
	}
	c.Flush()
	return c.Error()
}

func draw(w io.Writer, all []report) error {
	var lines []viz.Curve
	for _, r := range all {
		for _, g := range r.Growth {
			if g.Axis != experiments.TokenAxis || g.Work != experiments.TrainWork {
				continue
			}
			line := viz.Curve{Name: g.Name}
			for i, x := range g.Points {
				line.X, line.Y = append(line.X, float64(g.Values[i])), append(line.Y, x.cost()/float64(x.Batch))
			}
			lines = append(lines, line)
		}
	}
	p, err := viz.Lines("Cost of training against tokens", "two blocks of 64 channels, batches of 16; "+all[0].Machine,
		viz.Axis{Title: "tokens", Log: true}, viz.Axis{Title: "processor ms an image", Log: true}, lines)
	if err != nil {
		return err
	}
	return p.WriteSVG(w)
}
