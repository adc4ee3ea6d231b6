// Command ours does the work of work.py with Patchlab's tracker, and prints
// the same line of JSON.
//
//	ours FOLDER RUNS STEPS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"patchlab/tracker"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: ours FOLDER RUNS STEPS")
	}
	folder := args[0]
	runs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	steps, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	params := map[string]string{}
	for i := range 15 {
		params[fmt.Sprintf("parameter_%d", i)] = strconv.Itoa(i)
	}
	path := filepath.Join(folder, "lab.db")
	db, err := tracker.Open(path)
	if err != nil {
		return err
	}
	var calls []time.Duration
	var ids []string
	start := time.Now()
	for r := range runs {
		one, err := db.Start(ctx, tracker.Spec{Params: params})
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(uint64(r), 0))
		values := map[string]float64{}
		for step := range steps {
			for i := range 10 {
				values["metric_"+strconv.Itoa(i)] = float64(i+1)*math.Exp(-float64(step)/500) + .1*rng.NormFloat64()
			}
			before := time.Now()
			if err := one.Log(int64(step), values); err != nil {
				return err
			}
			calls = append(calls, time.Since(before))
		}
		if err := one.Finish(tracker.Finished); err != nil {
			return err
		}
		ids = append(ids, one.ID())
	}
	took := time.Since(start)
	slices.Sort(calls)
	if err := db.Close(); err != nil {
		return err
	}
	size := int64(0)
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	if db, err = tracker.Open(path); err != nil {
		return err
	}
	defer db.Close()
	history, err := median(10, func(i int) error {
		points, err := db.History(ctx, ids[i%runs], "metric_3")
		if err == nil && len(points) != steps {
			err = fmt.Errorf("%d points", len(points))
		}
		return err
	})
	if err != nil {
		return err
	}
	list, err := median(5, func(int) error {
		found, err := db.Runs(ctx, tracker.Query{})
		if err == nil && (len(found) != runs || len(found[0].Metrics) != 10) {
			err = fmt.Errorf("%d runs", len(found))
		}
		return err
	})
	if err != nil {
		return err
	}
	points := float64(runs * steps * 10)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"tracker": "patchlab", "points_per_s": points / took.Seconds(), "points_per_call": 10,
		"call_median_ms": milliseconds(calls[len(calls)/2]), "call_p99_ms": milliseconds(calls[len(calls)*99/100]),
		"history_ms": history, "list_ms": list, "mb_per_1e6": float64(size) / points, "runs": runs, "steps": steps,
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// median is the middle of how many milliseconds work took.
func median(times int, work func(int) error) (float64, error) {
	var took []time.Duration
	for i := range times {
		start := time.Now()
		if err := work(i); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return milliseconds(took[len(took)/2]), nil
}
