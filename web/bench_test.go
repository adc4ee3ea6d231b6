package web_test

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"patchlab/tracker"
	"patchlab/web"
)

// fill makes finished runs as training leaves them: 16 parameters, 30 metrics,
// ten epochs.
func fill(t testing.TB, db *tracker.DB, runs int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range runs {
		at := begin.Add(time.Duration(i) * time.Minute)
		params := training(fmt.Sprintf("mixer:%d", i%7))
		for p := range 12 {
			params[fmt.Sprintf("parameter_%d", p)] = fmt.Sprint(i * p)
		}
		run, err := db.Start(t.Context(), tracker.Spec{Name: fmt.Sprintf("run %05d", i), Start: at, Params: params,
			Environment: map[string]string{"machine": "Example CPU × 2", "backend": "go"}})
		must(t, err)
		for epoch := range 10 {
			values := map[string]float64{"train_seconds": 10, "eval_seconds": 1}
			for _, key := range []string{"val_accuracy", "train_accuracy", "val_loss", "train_loss", "val_top5", "train_top5"} {
				values[key] = rng.Float64()
			}
			must(t, run.LogAt(at.Add(time.Duration(epoch)*time.Second), int64(epoch+1), values))
		}
		last := map[string]float64{"test_accuracy": rng.Float64()}
		for m := range 21 {
			last[fmt.Sprintf("result_%d", m)] = rng.Float64()
		}
		must(t, run.LogAt(at.Add(10*time.Second), 10, last))
		must(t, run.FinishAt(at.Add(12*time.Second), tracker.Finished))
	}
}

// BenchmarkRunsPage answers with a page of 100 of 10,000 runs: the first, one
// far down, one in another order, one that a filter finds.
func BenchmarkRunsPage(b *testing.B) {
	db, err := tracker.Open(filepath.Join(b.TempDir(), "lab.db"))
	must(b, err)
	defer db.Close()
	fill(b, db, 10_000)
	pages := web.New(db, web.Options{})
	for name, address := range map[string]string{
		"first": "/", "last": "/?page=100", "sorted": "/?sort=best", "sorted, page 50": "/?sort=best&page=50", "filtered": "/?q=params.model+%3D+%27mixer:3%27+and+metrics.val_accuracy+%3E+0.9",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				answer := httptest.NewRecorder()
				pages.ServeHTTP(answer, httptest.NewRequest("GET", address, nil))
				if answer.Code != 200 || answer.Body.Len() < 50_000 {
					b.Fatal(answer.Code, answer.Body.Len())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
		})
	}
}

// BenchmarkRunPage draws a run of 20 epochs and 20,000 steps.
func BenchmarkRunPage(b *testing.B) {
	l := newLab(b, web.Options{})
	run := l.start(tracker.Spec{Params: map[string]string{"epochs": "20", "batch": "10", "train_images": "10000"}})
	for step := range int64(20_000) {
		must(b, run.Log(step+1, map[string]float64{"step_loss": rand.Float64(), "step_ms": rand.Float64()}))
		if step%1000 == 999 {
			must(b, run.Log(step/1000+1, map[string]float64{"val_accuracy": rand.Float64(), "val_loss": rand.Float64(), "train_seconds": 3}))
		}
	}
	must(b, run.Finish(tracker.Finished))
	pages := web.New(l.db, web.Options{})
	for b.Loop() {
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, httptest.NewRequest("GET", "/runs/"+run.ID(), nil))
		if answer.Code != 200 {
			b.Fatal(answer.Code)
		}
		b.ReportMetric(float64(answer.Body.Len())/1e6, "MB")
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
}
