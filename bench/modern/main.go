// Command modern writes a report of the trainings by today's recipes, each beside
// what others reached with the same architecture:
//
//	go run ./bench/modern -db build/modern/modern.db -o results/modern.md
//
// The database is that of scripts/modern.sh. A run that is not finished is shown
// as far as it got.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare/stats"
	"patchlab/save"
	"patchlab/tracker"
)

func main() {
	log.SetFlags(0)
	db := flag.String("db", "build/modern/modern.db", "the database of scripts/modern.sh")
	out := flag.String("o", "results/modern.md", "the report to write")
	flag.Parse()
	if err := run(context.Background(), *db, *out); err != nil {
		log.Fatal("modern: ", err)
	}
}

// whole is how many images are trained on where no limit is set.
const whole = 45_000

// target is what a model reached elsewhere, from scratch on CIFAR-10.
type target struct {
	model, source string
	epochs        int
	accuracy      float64 // of test, in percent
	// curve is the test accuracy after each epoch, where the source prints it.
	curve []float64
}

var targets = [...]target{
	{"convmixer-256-8", "github.com/locuslab/convmixer-cifar10, README", 25, 92.6, []float64{
		54.18, 61.57, 70.69, 77.08, 73.44, 76.55, 83.28, 76.55, 81.38, 78.91, 83.87, 83.12, 85.63, 87.00, 85.27, 89.07, 90.19, 90.68, 91.39,
		92.40, 92.38, 92.48, 92.53, 92.55, 92.60}},
	{"mixer-128-8", "github.com/omihub777/MLP-Mixer-CIFAR, README", 300, 90.83, nil},
	{"vit-lite-7-4", "Hassani et al. 2021, \"Escaping the Big Data Paradigm with Compact Transformers\"", 200, 91.4, nil},
}

func run(ctx context.Context, path, out string) (err error) {
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	runs, err := db.Runs(ctx, tracker.Query{Experiment: "modern", OrderBy: "params.seed ASC"})
	if err != nil {
		return err
	}
	var s strings.Builder
	s.WriteString("# Today's recipes\n\nMade by `scripts/modern.sh` and `go run ./bench/modern`, which go on where they stopped.\n" +
		"The recipes, their sources and deviations are in `experiments/modern.go`.\n")
	for _, t := range targets {
		mine := slices.DeleteFunc(slices.Clone(runs), func(r tracker.RunInfo) bool { return r.Params["model"] != t.model })
		if err := t.report(ctx, db, mine, &s); err != nil {
			return err
		}
	}
	return save.Bytes(out, []byte(s.String()))
}

// report writes a target's section: its runs, then their curves.
func (t target) report(ctx context.Context, db *tracker.DB, runs []tracker.RunInfo, w io.Writer) error {
	fmt.Fprintf(w, "\n## %s\n\nTarget: %.1f %% of the test images after %d epochs (%s).\n", t.model, t.accuracy, t.epochs, t.source)
	if len(runs) == 0 {
		fmt.Fprintln(w, "\nNot trained yet.")
		return nil
	}
	fmt.Fprintln(w, "\n| seed | status | epochs | train images | test top-1 % | images/s | data | machine | backend | begun |\n|--:|---|---|--:|--:|--:|---|---|---|---|")
	curves := make([]map[int64]float64, len(runs))
	last := int64(0)
	var finished []float64
	for i, r := range runs {
		points, err := db.History(ctx, r.ID, "val_accuracy")
		if err != nil && !errors.Is(err, tracker.ErrNotFound) { // not one epoch yet
			return err
		}
		curves[i] = map[int64]float64{}
		for _, p := range points {
			curves[i][p.Step] = 100 * p.Value
			last = max(last, p.Step)
		}
		test := "–"
		if r.Status == tracker.Finished {
			a := 100 * r.Metrics["test_accuracy"].Value
			test = strconv.FormatFloat(a, 'f', 2, 64)
			finished = append(finished, a)
		}
		speed := "–"
		if m := r.Metrics["train_images_per_s"]; m.Count > 0 {
			speed = strconv.FormatFloat(m.Value, 'f', 0, 64)
		}
		data := r.Params["data"]
		for _, in := range r.Inputs {
			data += fmt.Sprintf(" %.8s", in.Digest)
		}
		fmt.Fprintf(w, "| %s | %s | %d of %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Params["seed"], r.Status, len(points), r.Params["epochs"],
			r.Params["train_images"], test, speed, data, r.Environment["machine"], r.Environment["backend"], r.Start.Format("2006-01-02 15:04 UTC"))
	}
	for _, r := range runs {
		if images, err := strconv.Atoi(r.Params["train_images"]); err == nil && images < whole {
			fmt.Fprintf(w, "\nSeed %s saw a part of the images only, %d instead of %d: its curve shows that the recipe learns, not what it reaches.\n",
				r.Params["seed"], images, whole)
		}
	}
	if len(finished) > 1 {
		interval, err := stats.MeanT(finished, .95)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\nMean of %d seeds: %.2f %% (95 %% t interval %.2f to %.2f), %+.2f points from the target.\n",
			len(finished), stats.Describe(finished).Mean, interval.Low, interval.High, stats.Describe(finished).Mean-t.accuracy)
	}
	if last == 0 {
		fmt.Fprintln(w, "\nNo epoch is through yet.")
		return nil
	}
	fmt.Fprint(w, "\nAccuracy on the images held out, in percent, after each epoch")
	if t.curve != nil {
		fmt.Fprint(w, ", beside the source's on the test images")
	}
	fmt.Fprint(w, ":\n\n| epoch |")
	rule := "|--:|"
	for _, r := range runs {
		fmt.Fprintf(w, " seed %s |", r.Params["seed"])
		rule += "--:|"
	}
	if t.curve != nil {
		fmt.Fprint(w, " source |")
		rule += "--:|"
	}
	fmt.Fprintf(w, "\n%s\n", rule)
	for epoch := int64(1); epoch <= last; epoch++ {
		fmt.Fprintf(w, "| %d |", epoch)
		for _, c := range curves {
			if a, ok := c[epoch]; ok {
				fmt.Fprintf(w, " %.2f |", a)
			} else {
				fmt.Fprint(w, " – |")
			}
		}
		if int(epoch) <= len(t.curve) {
			fmt.Fprintf(w, " %.2f |", t.curve[epoch-1])
		}
		fmt.Fprintln(w)
	}
	return nil
}
