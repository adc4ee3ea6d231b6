package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// trial sets two builds of this program side by side, as one does while looking
// for speed on a machine that others use too: what it compares is processor
// time, in turn, round by round. bench/training/trial.sh makes both builds.
//
//	driver trial [--configs A,B] [--rounds N] [--seconds S] OLD NEW
func trial(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("trial", flag.ContinueOnError)
	f.SetOutput(stderr)
	configs := f.String("configs", strings.Join(quickConfigs, ","), "configurations, separated by commas")
	o := options{warmup: 5, least: 5}
	f.IntVar(&o.rounds, "rounds", 3, "how often each build runs each configuration")
	f.Float64Var(&o.seconds, "seconds", 1.5, "how long to time training; inference takes half of it")
	f.StringVar(&o.dataDir, "data-dir", "", "folder with CIFAR-10 (default: the built-in shapes)")
	f.StringVar(&o.folder, "work", "build/bench-training", "folder for images")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 2 || o.rounds < 1 || !(o.seconds > 0) {
		return fmt.Errorf("trial: arguments %q, %d rounds of %g seconds; allowed: two builds, the others more than 0", f.Args(), o.rounds, o.seconds)
	}
	if err := os.MkdirAll(o.folder, 0o755); err != nil {
		return err
	}
	data, err := writeData(ctx, o.folder, o.dataDir)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	var builds [2]tool
	for i, name := range []string{"old", "new"} {
		path, err := filepath.Abs(f.Arg(i))
		if err != nil {
			return err
		}
		builds[i] = tool{name: name, program: path}
	}
	fmt.Fprintf(stdout, "%-16s %12s %12s %8s %8s %8s\n", "processor time", "old, least", "new, least", "old/new", "median", "worst")
	for _, config := range strings.Split(*configs, ",") {
		var measured [2][]Measurement
		for round := range o.rounds {
			for k := range builds {
				i := (k + round) % 2 // who begins changes
				w, err := newWork(config, builds[i].name, data, o)
				if err != nil {
					return err
				}
				m, err := builds[i].measure(ctx, w)
				if err != nil {
					return err
				}
				measured[i] = append(measured[i], m)
			}
		}
		printTrial(stdout, config, measured[0], measured[1])
	}
	return nil
}

// printTrial prints old over new, above 1 where new takes less: of the least of
// each, which other programs disturbed least, and of the rounds, the median and
// the least.
func printTrial(w io.Writer, config string, before, after []Measurement) {
	fmt.Fprintln(w, config)
	for _, p := range []struct {
		name, unit string
		value      func(Measurement) float64
	}{
		{"train", "ms/step", func(m Measurement) float64 { return m.TrainCPUMillis }},
		{"inference", "ms/batch", func(m Measurement) float64 { return m.InferCPUMillis }},
		{"first_step", "s", func(m Measurement) float64 { return m.FirstStepCPUS }},
		{"peak_rss", "MB", func(m Measurement) float64 { return float64(m.PeakRSS >> 20) }},
	} {
		least := [2]float64{math.Inf(1), math.Inf(1)}
		var ratios []float64
		for i := range before {
			old, now := p.value(before[i]), p.value(after[i])
			least[0], least[1] = min(least[0], old), min(least[1], now)
			ratios = append(ratios, old/now)
		}
		slices.Sort(ratios)
		fmt.Fprintf(w, "  %-14s %12.2f %12.2f %8.2f %8.2f %8.2f  %s\n",
			p.name, least[0], least[1], least[0]/least[1], ratios[len(ratios)/2], ratios[0], p.unit)
	}
}
