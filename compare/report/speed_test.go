package report_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
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
// 300 ms and the page in 1 s. Other programs may be at work: the best of
// several tries counts, and where the clock says too long, the processor time
// that the program itself used, which on an idle machine bounds the clock's.
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
		clock, processor := time.Hour, time.Hour
		size := 0
		for range 8 {
			start, used := time.Now(), processorTime(t)
			size = answer(t, path, c.format)
			clock, processor = min(clock, time.Since(start)), min(processor, processorTime(t)-used)
			if clock < c.limit/2 {
				break
			}
		}
		t.Logf("%s: %v by the clock, %v of the processor, %d bytes", c.format,
			clock.Round(time.Millisecond), processor.Round(time.Millisecond), size)
		if clock > c.limit && processor > c.limit {
			t.Errorf("%s took %v by the clock and %v of the processor at best, want at most %v", c.format, clock, processor, c.limit)
		}
		if size > 2<<20 {
			t.Errorf("%s has %d bytes, want at most 2 MB", c.format, size)
		}
	}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
