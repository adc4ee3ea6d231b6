package tracker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// noisyRun makes values as training makes them: decaying losses with noise,
// accuracies with four digits, timings; float32 where a framework gives
// float32, at times that jitter.
type noisyRun struct {
	rng  *rand.Rand
	at   time.Time
	keys []string
}

func newNoisyRun(seed uint64) *noisyRun {
	n := &noisyRun{rng: rand.New(rand.NewPCG(seed, 1)), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 10 {
		n.keys = append(n.keys, fmt.Sprintf("metric_%d", i))
	}
	return n
}

// values fills m with the ten metrics of a step. All are full doubles: the
// hardest case for the size on disk.
func (n *noisyRun) values(step int64, m map[string]float64) time.Time {
	n.at = n.at.Add(40*time.Millisecond + time.Duration(n.rng.NormFloat64()*float64(2*time.Millisecond)))
	for i, key := range n.keys {
		m[key] = float64(i+1)*math.Exp(-float64(step)/500) + .1*n.rng.NormFloat64()
	}
	return n.at
}

// logRun logs steps × 10 points and flushes every hundred steps.
func logRun(b testing.TB, db *DB, seed uint64, steps int64) *Run {
	run := start(b, db, Spec{})
	n := newNoisyRun(seed)
	m := map[string]float64{}
	for step := range steps {
		at := n.values(step, m)
		must(b, run.LogAt(at, step, m))
		if step%100 == 99 {
			must(b, run.Flush())
		}
	}
	must(b, run.Flush())
	return run
}

// BenchmarkLogPoints logs ten metrics a step, durable every hundred steps.
func BenchmarkLogPoints(b *testing.B) {
	db := newDB(b)
	const steps = 10_000
	points := 0
	for b.Loop() {
		run := logRun(b, db, uint64(points), steps)
		must(b, run.Finish(Finished))
		points += steps * 10
	}
	b.ReportMetric(float64(points)/b.Elapsed().Seconds(), "points/s")
}

// BenchmarkEnqueue measures what a training loop waits for: one Log of ten metrics.
func BenchmarkEnqueue(b *testing.B) {
	db := newDB(b)
	run := start(b, db, Spec{})
	n := newNoisyRun(1)
	m := map[string]float64{}
	var took []time.Duration
	for b.Loop() {
		at := n.values(int64(len(took)), m)
		before := time.Now()
		err := run.LogAt(at, int64(len(took)), m)
		took = append(took, time.Since(before))
		must(b, err)
	}
	must(b, run.Flush())
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "median-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
}

// BenchmarkHistory1000 reads one metric's 1,000 points, of a file of a million.
func BenchmarkHistory1000(b *testing.B) {
	db := newDB(b)
	var ids []string
	for i := range 100 {
		run := logRun(b, db, uint64(i), 1000)
		must(b, run.Finish(Finished))
		ids = append(ids, run.ID())
	}
	i := 0
	for b.Loop() {
		points, err := db.History(b.Context(), ids[i%len(ids)], "metric_3")
		must(b, err)
		if len(points) != 1000 {
			b.Fatal(len(points))
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/history")
}

// fillRuns makes runs with fifteen parameters, three tags and ten metrics each.
func fillRuns(b *testing.B, db *DB, count int) {
	for i := range count {
		params := map[string]string{}
		for p := range 15 {
			params[fmt.Sprintf("parameter_%d", p)] = fmt.Sprint(i * p)
		}
		run := start(b, db, Spec{Params: params, Tags: map[string]string{"course": "vision", "user": "someone", "source": "train.go"},
			Environment: map[string]string{"machine": "a machine", "go": "go1.26"},
			Inputs:      []Input{{Name: "cifar10", Digest: "0123456789abcdef", Context: "train"}}})
		values := map[string]float64{}
		for m := range 10 {
			values[fmt.Sprintf("metric_%d", m)] = rand.NormFloat64()
		}
		must(b, run.Log(1, values))
		if i%1000 == 0 {
			must(b, run.Flush())
		}
	}
}

func benchmarkList(b *testing.B, count int) {
	db := newDB(b)
	_, err := db.writer.Exec(`PRAGMA synchronous = OFF`) // only while filling: 10,000 starts, each durable, take a minute
	must(b, err)
	fillRuns(b, db, count)
	for _, run := range db.open {
		must(b, run.Finish(Finished))
	}
	for b.Loop() {
		runs, err := db.Runs(b.Context(), Query{})
		must(b, err)
		if len(runs) != count || len(runs[0].Params) != 15 || len(runs[0].Metrics) != 10 {
			b.Fatal(len(runs), runs[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/list")
}

func BenchmarkList100(b *testing.B)   { benchmarkList(b, 100) }
func BenchmarkList10000(b *testing.B) { benchmarkList(b, 10_000) }

// BenchmarkSize reports the file's size after 1e6 points: 100 runs of 10
// metrics of 1,000 steps.
func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "lab.db")
		db, err := Open(path)
		must(b, err)
		for i := range 100 {
			must(b, logRun(b, db, uint64(i), 1000).Finish(Finished))
		}
		must(b, db.Close())
		info, err := os.Stat(path)
		must(b, err)
		b.ReportMetric(float64(info.Size())/1e6, "MB/1e6points")
	}
}

// BenchmarkMemory logs ten million points and reports how much the heap grew
// between the first million and the last.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		db := newDB(b)
		run := start(b, db, Spec{})
		n := newNoisyRun(1)
		m := map[string]float64{}
		var first, last uint64
		for step := range int64(1_000_000) {
			at := n.values(step, m)
			must(b, run.LogAt(at, step, m))
			if step%100_000 == 99_999 {
				must(b, run.Flush())
				last = residentBytes()
				if first == 0 {
					first = last
				}
			}
		}
		b.ReportMetric(float64(first)/1e6, "MB-at-1e6")
		b.ReportMetric(float64(last)/1e6, "MB-at-1e7")
	}
}

// residentBytes is the process's resident memory, SQLite's included.
func residentBytes() uint64 {
	var pages, resident uint64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &pages, &resident)
	}
	if err != nil {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.Sys
	}
	return resident * uint64(os.Getpagesize())
}
