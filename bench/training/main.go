// Command training sets Patchlab's training and inference beside Keras, JAX
// and PyTorch: the ten reference configurations, each tool in a fresh process,
// round by round, on the same images. bench/training/run.sh builds and runs it;
// README.md says what is measured and how.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"patchlab/models"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "training: interrupted; --resume goes on from here")
		os.Exit(130)
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "training:", err)
		os.Exit(1)
	}
}

// options are what the command line sets.
type options struct {
	configs, tools []string
	rounds         int
	seconds        float64
	warmup, least  int
	dataDir        string
	folder         string
	out            string
	whole          bool // all that the table in results has
	resume         bool
	defaultMalloc  bool
}

// resultsTable is the table of the whole benchmark.
const resultsTable = "results/training-speed.csv"

// quickConfigs are a Mixer, a hybrid and a ConvMixer.
var quickConfigs = []string{"mixer-4", "mixer1-vit1", "convmixer"}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var configs, tools string
	var quick bool
	f := flag.NewFlagSet("training", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&quick, "quick", false, "three configurations, one round, short: under 5 minutes on two quiet cores")
	f.StringVar(&configs, "configs", "", "configurations, separated by commas (default: all ten)")
	f.StringVar(&tools, "tools", strings.Join(toolNames(), ","), "tools, separated by commas")
	f.IntVar(&o.rounds, "rounds", 5, "how often each tool runs each configuration")
	f.Float64Var(&o.seconds, "seconds", 5, "how long to time training; inference takes half of it")
	f.IntVar(&o.warmup, "warmup", 5, "steps before the clock runs, the first one included")
	f.IntVar(&o.least, "least", 5, "steps that are timed at least")
	f.StringVar(&o.dataDir, "data-dir", os.Getenv("PATCHLAB_BENCH_DATA"), "folder with CIFAR-10 in its official layout (default: the built-in shapes)")
	f.StringVar(&o.folder, "work", "build/bench-training", "folder for images and raw measurements")
	f.StringVar(&o.out, "out", "", "the table to write (default: "+resultsTable+" for ten configurations in five rounds without a failure, else within the work folder)")
	f.BoolVar(&o.defaultMalloc, "default-malloc", false, "leave glibc's allocator as it is")
	f.BoolVar(&o.resume, "resume", false, "keep what an earlier, interrupted call measured")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	set := map[string]bool{}
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	var all []string
	for _, e := range models.Named() {
		all = append(all, e.Config.ID)
	}
	o.configs = all
	if quick {
		o.configs = quickConfigs
		if !set["rounds"] {
			o.rounds = 1
		}
		if !set["seconds"] {
			o.seconds = 1.5
		}
	}
	if configs != "" {
		o.configs = strings.Split(configs, ",")
	}
	o.tools = strings.Split(tools, ",")
	for _, c := range o.configs {
		if !slices.Contains(all, c) {
			return o, fmt.Errorf("configuration %q; allowed: %s", c, strings.Join(all, ", "))
		}
	}
	for _, t := range o.tools {
		if !slices.Contains(toolNames(), t) {
			return o, fmt.Errorf("tool %q; allowed: %s", t, strings.Join(toolNames(), ", "))
		}
	}
	if f.NArg() > 0 || o.rounds < 1 || !(o.seconds > 0) || o.warmup < 1 || o.least < 1 {
		return o, fmt.Errorf("arguments %q, %d rounds of %g seconds, %d and %d steps; allowed: no arguments, the others more than 0",
			f.Args(), o.rounds, o.seconds, o.warmup, o.least)
	}
	o.whole = len(o.configs) == len(all) && len(o.tools) == len(toolNames()) && o.rounds >= 5 && !o.defaultMalloc
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == "measure" { // one process of ours
		m, err := measureOurs(ctx, args[1])
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(m)
	}
	if len(args) > 0 && args[0] == "trial" {
		return trial(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.folder, 0o755); err != nil {
		return err
	}
	if err := prepare(ctx, o.tools, stderr); err != nil {
		return err
	}
	data, err := writeData(ctx, o.folder, o.dataDir)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	log, err := openLog(filepath.Join(o.folder, "measurements.jsonl"), settings(o, data), o.resume)
	if err != nil {
		return err
	}
	failures, err := measureAll(ctx, o, data, log, stderr)
	if err = errors.Join(err, log.Close()); err != nil && ctx.Err() == nil {
		return err
	}
	// What was measured is shown, also where something is missing, which leaves an earlier table in results as it is.
	t := newTable(log.measured, o, data)
	if o.out == "" {
		o.out = filepath.Join(o.folder, "training-speed.csv")
		if o.whole && ctx.Err() == nil && len(failures) == 0 {
			o.out = resultsTable
		}
	}
	if len(t.rows) > 0 {
		if err := t.save(o.out); err != nil {
			return err
		}
		t.print(stdout)
		fmt.Fprintln(stderr, "written:", o.out)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d processes failed: %w", len(failures), errors.Join(failures...))
	}
	return nil
}
