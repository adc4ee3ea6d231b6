// Command reference makes results/reference.csv from the database of
// scripts/reference.sh, and on its output a table in Markdown that sets each
// validation accuracy beside the course's:
//
//	go run ./bench/reference -db build/reference/reference.db -o results/reference.csv
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strconv"

	"patchlab/models"
	"patchlab/save"
	"patchlab/tracker"
)

func main() {
	log.SetFlags(0)
	db := flag.String("db", "build/reference/reference.db", "the database of scripts/reference.sh")
	out := flag.String("o", "results/reference.csv", "the table to write")
	flag.Parse()
	if err := run(context.Background(), *db, *out, os.Stdout); err != nil {
		log.Fatal("reference: ", err)
	}
}

// limit is the distance from the course, in points, from which on a value is marked.
const limit = 2.5

// curve are the epochs that the course printed, besides the last.
var curve = [...]int{1, 3, 5, 10}

func run(ctx context.Context, path, out string, stdout io.Writer) (err error) {
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	runs, err := db.Runs(ctx, tracker.Query{Experiment: "reference"})
	if err != nil {
		return err
	}
	rows := [][]string{{"id", "seed", "epochs", "params", "val_acc_1", "val_acc_3", "val_acc_5", "val_acc_10", "val_acc_last",
		"test_acc", "train_images_per_s", "machine", "backend", "data"}}
	fmt.Fprintln(stdout, "| model | seed | epochs | val 1 | val 3 | val 5 | val 10 | val last | test | train images/s |\n|---|---|---|---|---|---|---|---|---|---|")
	for _, entry := range models.Named() {
		mine := slices.DeleteFunc(slices.Clone(runs), func(r tracker.RunInfo) bool {
			return r.Params["model"] != entry.Config.ID || r.Status != tracker.Finished
		})
		slices.SortFunc(mine, func(a, b tracker.RunInfo) int { return int(seed(a) - seed(b)) })
		for _, r := range mine {
			row, err := describe(ctx, db, r, entry, stdout)
			if err != nil {
				return fmt.Errorf("run %s: %w", r.Name, err)
			}
			rows = append(rows, row)
		}
	}
	return save.File(out, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(rows) })
}

func seed(r tracker.RunInfo) int64 {
	n, _ := strconv.ParseInt(r.Params["seed"], 10, 64)
	return n
}

// describe is a run's row; it prints the run's distance from the course.
func describe(ctx context.Context, db *tracker.DB, r tracker.RunInfo, entry models.Entry, stdout io.Writer) ([]string, error) {
	points, err := db.History(ctx, r.ID, "val_accuracy")
	if err != nil {
		return nil, err
	}
	accuracy := map[int]float64{}
	last := 0
	for _, p := range points {
		accuracy[int(p.Step)] = p.Value
		last = max(last, int(p.Step))
	}
	percent := func(x float64) string { return strconv.FormatFloat(100*x, 'f', 2, 64) }
	row := []string{r.Params["model"], r.Params["seed"], strconv.Itoa(last), r.Params["params"]}
	for _, epoch := range curve {
		if a, ok := accuracy[epoch]; ok {
			row = append(row, percent(a))
		} else {
			row = append(row, "")
		}
	}
	data := r.Params["data"]
	for _, in := range r.Inputs {
		data += " " + in.Digest[:12]
	}
	row = append(row, percent(accuracy[last]), percent(r.Metrics["test_accuracy"].Value),
		strconv.FormatFloat(r.Metrics["train_images_per_s"].Value, 'f', 0, 64),
		r.Environment["machine"], r.Environment["backend"], data)

	fmt.Fprintf(stdout, "| %s | %s | %d of %d |", r.Params["model"], r.Params["seed"], last, entry.Reference.Epochs)
	full := r.Params["epochs"] == strconv.Itoa(entry.Reference.Epochs) // stopped early or not
	for i, epoch := range append(curve[:], last) {
		a, ok := accuracy[epoch]
		switch {
		case i == len(curve) && !full, !ok:
			fmt.Fprint(stdout, " – |")
		default:
			gap := 100 * (a - entry.Reference.ValAccuracy[i].Accuracy)
			mark := ""
			if gap < -limit || gap > limit {
				mark = " *"
			}
			fmt.Fprintf(stdout, " %.1f (%+.1f)%s |", 100*a, gap, mark)
		}
	}
	test := "–"
	if full {
		test = fmt.Sprintf("%+.1f", 100*(r.Metrics["test_accuracy"].Value-entry.Reference.TestAccuracy))
	}
	fmt.Fprintf(stdout, " %.2f (%s) | %s |\n", 100*r.Metrics["test_accuracy"].Value, test, row[len(row)-4])
	return row, nil
}
