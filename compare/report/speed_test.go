package report_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// thousand makes a database of 1,000 runs (ten configurations) with about
// 1,000,000 points.
func thousand(tb testing.TB) string {
	tb.Helper()
	folder := tb.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "compare"); err == nil { // a thousand times "durable" takes long on a disk
		tb.Cleanup(func() { os.RemoveAll(memory) })
		folder = memory
	}
	var runs []comparetest.Run
	for seed := range 100 {
		for i := range 10 {
			runs = append(runs, comparetest.Run{
				Model: fmt.Sprint("model-", i), Seed: seed, TrainPerS: 500 * float64(i+1), Steps: 900, Epochs: 15,
				Accuracy: .5 + .02*float64(i%7) + .0007*float64((seed*37+i*11)%29),
			})
		}
	}
	path := filepath.Join(folder, "runs.db")
	if _, err := comparetest.Create(context.Background(), path, runs); err != nil {
		tb.Fatal(err)
	}
	return path
}

// answer does what the command does, the opening of the database included.
func answer(tb testing.TB, path string, format report.Format) int {
	tb.Helper()
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	curves, steps := report.Needs(format, "")
	r, err := compare.Build(context.Background(), db, compare.Options{Curves: curves, Steps: steps})
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.Write(&out, format, r, report.Options{}); err != nil {
		tb.Fatal(err)
	}
	if r.Counted != 1000 {
		tb.Fatalf("%d runs counted, want 1,000", r.Counted)
	}
	return out.Len()
}

// TestThousandRuns: with 1,000 runs and 1,000,000 points the table is there in
// 300 ms and the page in 1 s. The best of several tries counts, since other
// programs may be at work.
func TestThousandRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("making 1,000 runs takes some seconds: left out with -short")
	}
	if raceDetector {
		t.Skip("the race detector slows everything down: times mean nothing")
	}
	path := thousand(t)
	for _, c := range []struct {
		format report.Format
		limit  time.Duration
	}{{report.Text, 300 * time.Millisecond}, {report.HTML, time.Second}} {
		best := time.Hour
		size := 0
		for range 8 {
			start := time.Now()
			size = answer(t, path, c.format)
			if took := time.Since(start); took < best {
				best = took
			}
			if best < c.limit/2 {
				break
			}
		}
		t.Logf("%s: %v, %d bytes", c.format, best.Round(time.Millisecond), size)
		if best > c.limit {
			t.Errorf("%s took %v at best, want at most %v", c.format, best, c.limit)
		}
		if size > 2<<20 {
			t.Errorf("%s has %d bytes, want at most 2 MB", c.format, size)
		}
	}
}

func BenchmarkThousandRuns(b *testing.B) {
	path := thousand(b)
	for _, format := range []report.Format{report.Text, report.HTML} {
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				answer(b, path, format)
			}
		})
	}
}
