package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
	"patchlab/save"
)

// benchOptions are the flags of patchlab bench.
type benchOptions struct {
	backend   backend.Kind
	against   []string
	batch     int
	imageSize int
	patchSize int
	dim       int
	seconds   float64
	rounds    int
	precision string
	format    string
	roofline  string
}

// growthBatch is the batch of the workloads that grow, unless the user says
// otherwise: at 1,024 tokens a larger one would not fit a laptop.
const growthBatch = 16

// leastSteps are timed at least, also where they are slow.
const leastSteps = 3

func newBenchCommand() *cobra.Command {
	o := &benchOptions{}
	cmd := &cobra.Command{
		Use:   "bench CONFIG…",
		Short: "Measure how fast architectures train and infer here, and why",
		Long: `Measure how fast architectures train and infer here, and why.

CONFIG is a named model or a stack of blocks such as mixer:2,vit:1. For each,
training and inference are timed on made-up images, every measurement in a
process of its own: images a second, the median and 95th percentile of a step,
the time from nothing (compiling included) to the first step's result, the rate
of arithmetic and its share of the peak, and the process's largest memory. The
peak is measured in the same run, through the same backend: a large matrix
product and STREAM's triad.

FLOPs are those of the products, a multiply-add being two, a training step being
three forward passes. "by cpu" compares the arithmetic for each second of
processor time with the matrix product's: other work on the machine disturbs it
least.

--against tells how the cost of an image grows with tokens (16 to 1,024: the
image grows, its patches stay), dim (32 to 256), depth (the pattern of the
blocks, once to four times) or batch (once to eight times), in batches of 16
unless --batch says otherwise, as an exponent fitted to four points by least
squares on logarithms, with its 95 % interval (Student's t, 2 degrees of
freedom): a wide one says that growth is no power law in that range.

Ctrl-C ends the measuring, and shows what was measured.`,
		Example: `  patchlab bench mixer-4
  patchlab bench mixer:2,vit:1 --dim 64 --against tokens
  patchlab bench vit-2 mixer-2 --roofline roofline.svg
  patchlab bench convmixer:4 --against tokens,dim,depth,batch --format json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("bench takes a model or several: a named one (patchlab models) or a stack of blocks such as mixer:2,vit:1")
			}
			return nil
		},
		ValidArgsFunction: completeModels,
		RunE:              o.run,
	}
	f := cmd.Flags()
	backendFlag(f, &o.backend)
	f.StringSliceVar(&o.against, "against", nil, "tokens, dim, depth, batch or several: what cost grows with")
	f.IntVarP(&o.batch, "batch", "b", 0, "images a step (default: the model's, 128 for a stack; 16 with --against)")
	f.IntVar(&o.imageSize, "image-size", 0, "`pixels` a side after resizing (default: the model's)")
	f.IntVar(&o.patchSize, "patch-size", 0, "`pixels` a side of a patch (default: the model's)")
	f.IntVar(&o.dim, "dim", 0, "embed `dim` (default: the model's)")
	f.Float64Var(&o.seconds, "seconds", 2, "how long to time training, and inference; a quarter of it at a place of --against")
	f.IntVar(&o.rounds, "rounds", 1, "measure all so often, in turn, and take of each the round with the median time")
	f.StringVar(&o.precision, "precision", "float32", "of products: float32, bfloat16, or tf32 (NVIDIA GPUs)")
	f.StringVar(&o.format, "format", "table", "table or json")
	f.StringVar(&o.roofline, "roofline", "", "draw the roofline into this `file` (.svg or .png)")
	completeWords(cmd, "format", "table", "json")
	var axes []string
	for _, a := range experiments.Axes() {
		axes = append(axes, string(a))
	}
	completeWords(cmd, "against", axes...)
	return cmd
}

func (o *benchOptions) run(cmd *cobra.Command, args []string) error {
	for _, name := range []string{"batch", "dim", "image-size", "patch-size"} {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "0" {
			return fmt.Errorf("--%s 0; allowed: 1 or more", name)
		}
	}
	places, err := o.plan(args)
	if err != nil {
		return err
	}
	b, info, err := openBackend(cmd, o.backend) // installs what is missing
	if err != nil {
		return err
	}
	b.Finalize()
	kind := map[string]backend.Kind{"xla:cpu": backend.XLA, "xla:cuda": backend.CUDA, "go": backend.Go}[info.Name]
	if err := experiments.Precision(o.precision).Check(info.Name); err != nil {
		return err
	}
	r := newBenchReport(backend.Describe(), info, o.precision)
	wrong := o.measure(cmd, kind, places, r)
	r.finish()
	if len(r.Results) == 0 {
		return wrong
	}
	if o.roofline != "" && wrong == nil {
		if wrong = r.draw(o.roofline); wrong == nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "Drawn:", o.roofline)
		}
	}
	if o.format == "json" {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return errors.Join(e.Encode(r), wrong)
	}
	return errors.Join(r.write(cmd.OutOrStdout()), wrong)
}

// place is one thing to measure: a workload, grown along an axis or as it is.
type place struct {
	model string // as the user named it
	experiments.Grown
}

// plan lists what is measured, and refuses what can't be before anything is.
func (o *benchOptions) plan(specs []string) ([]place, error) {
	switch {
	case o.format != "table" && o.format != "json":
		return nil, fmt.Errorf("format %q; allowed: table, json", o.format)
	case o.rounds < 1 || o.rounds > 99:
		return nil, fmt.Errorf("%d rounds; allowed: 1 to 99", o.rounds)
	case o.batch < 0:
		return nil, fmt.Errorf("batch size %d; allowed: 1 or more", o.batch)
	case o.roofline != "" && !strings.HasSuffix(o.roofline, ".svg") && !strings.HasSuffix(o.roofline, ".png"):
		return nil, fmt.Errorf("roofline %q; allowed: a file that ends in .svg or .png", o.roofline)
	case o.roofline != "" && len(specs) > 6:
		return nil, fmt.Errorf("a roofline of %d models; allowed: 1 to 6", len(specs))
	}
	if o.roofline != "" {
		if err := save.Check(o.roofline); err != nil {
			return nil, err
		}
	}
	var plan []place
	for i, spec := range specs {
		if slices.Contains(specs[:i], spec) {
			return nil, fmt.Errorf("%s is given twice; allowed: once", spec)
		}
		w, err := o.workload(spec)
		if err != nil {
			return nil, err
		}
		all := []experiments.Grown{{Workload: w}}
		w.Batch, w.Seconds = cmp.Or(o.batch, growthBatch), w.Seconds/4
		for _, axis := range o.against {
			grown, err := w.Grow(experiments.Axis(axis))
			if err != nil {
				return nil, err
			}
			all = append(all, grown...)
		}
		for _, g := range all {
			for _, g.Work = range []experiments.Work{experiments.TrainWork, experiments.InferWork} {
				if err := g.Validate(); err != nil {
					return nil, err
				}
				plan = append(plan, place{spec, g})
			}
		}
	}
	return plan, nil
}

// workload is a model as the user wants it measured.
func (o *benchOptions) workload(spec string) (experiments.Workload, error) {
	config, err := models.Parse(spec)
	if err != nil {
		return experiments.Workload{}, err
	}
	batch := 128
	if e, err := models.Lookup(config.ID); err == nil {
		batch = e.Training.Batch
	}
	config.ImageSize = cmp.Or(o.imageSize, config.ImageSize)
	config.PatchSize = cmp.Or(o.patchSize, config.PatchSize)
	config.Dim = cmp.Or(o.dim, config.Dim)
	return experiments.Workload{Model: config, Batch: cmp.Or(o.batch, batch), Precision: experiments.Precision(o.precision), Seconds: o.seconds, Steps: leastSteps}, nil
}

// measure measures the peak and every place, round by round, into the report.
func (o *benchOptions) measure(cmd *cobra.Command, kind backend.Kind, places []place, r *benchReport) error {
	ctx := cmd.Context()
	p := newBenchProgress(cmd.ErrOrStderr(), 1+o.rounds*len(places))
	defer p.clear()
	precision := experiments.Precision(o.precision)
	p.next("peak of the machine")
	peak, err := measureApart[experiments.Peak](ctx, benchTask{Backend: kind, Precision: precision})
	if err != nil {
		return fmt.Errorf("peak: %w", err)
	}
	r.Peak = peak
	rounds := make([][]experiments.Throughput, len(places))
	defer func() { // also after an error, for what was measured
		for i, place := range places {
			if len(rounds[i]) > 0 {
				r.add(place, rounds[i])
			}
		}
	}()
	for range o.rounds {
		for i, place := range places {
			p.next(place.String())
			t, err := measureApart[experiments.Throughput](ctx, benchTask{Backend: kind, Precision: precision, Workload: &place.Workload})
			if err != nil {
				return fmt.Errorf("%s: %w", place, err)
			}
			rounds[i] = append(rounds[i], t)
		}
	}
	return ctx.Err()
}

// String is the place in words, such as "mixer-4, train, 256 tokens".
func (p place) String() string {
	text := fmt.Sprintf("%s, %s", p.model, p.Work)
	switch p.Axis {
	case "":
		return text
	case experiments.DepthAxis:
		return fmt.Sprintf("%s, %d blocks", text, p.Value)
	}
	return fmt.Sprintf("%s, %s %d", text, p.Axis, p.Value)
}

// cost is what growth is told by: a step's processor time in milliseconds,
// wall time where that isn't known.
func cost(t experiments.Throughput) float64 { return cmp.Or(t.ProcessorMedian, t.StepMedian) }

// middle is the round of the median cost, the upper one of an even number.
func middle(rounds []experiments.Throughput) experiments.Throughput {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b experiments.Throughput) int { return cmp.Compare(cost(a), cost(b)) })
	return sorted[len(sorted)/2]
}

// benchDate is when a measurement began.
func benchDate() string { return time.Now().UTC().Format(time.RFC3339) }
