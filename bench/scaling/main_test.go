package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/experiments"
	"patchlab/models"
)

// TestRun makes the study out of made-up measurements, of which one was stopped
// before its last axis could be fitted.
func TestRun(t *testing.T) {
	config, err := models.Parse("mixer:2")
	if err != nil {
		t.Fatal(err)
	}
	point := func(ms float64) result {
		return result{
			Name: "mixer:2", Rounds: 1, OfPeakByProcessor: .25,
			Workload:   experiments.Workload{Model: config, Batch: 16, Work: experiments.TrainWork},
			Throughput: experiments.Throughput{ProcessorMedian: ms, StepMedian: 2 * ms, ImagesPerSecond: 16e3 / (2 * ms), FLOPs: 1e9, Bytes: 1e8, PeakMemory: 3e8},
		}
	}
	law := experiments.PowerLaw{Exponent: 1.25, Low: .75, High: 1.75, Points: 4}
	r := report{
		Machine: "Some processor × 2", Backend: "xla:cpu", Date: "2026-01-02T03:04:05Z", Load: [2]string{"1.5", "2.5"},
		Peak: experiments.Peak{FLOPsPerSecond: 1e11, BytesPerSecond: 2e10, FLOPsPerProcessorSecond: 9e10}, Results: []result{point(8)},
		Growth: []growth{
			{Name: "mixer:2", Axis: experiments.TokenAxis, Work: experiments.TrainWork, Values: []int{16, 64, 256, 1024}, Points: []result{point(1), point(2), point(8), point(64)}, Cost: &law},
			{Name: "mixer:2", Axis: experiments.BatchAxis, Work: experiments.TrainWork, Values: []int{16}, Points: []result{point(1)}},
		},
	}
	folder := t.TempDir()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "mixer.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{folder, file}); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(folder, "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| mixer:2 | train | 16 | 1000 | 62 | 8.0 | 25 % | 10.0 |",
		"| mixer:2 | tokens | 16 to 1024 | train | 1.25 (0.75 to 1.75) | – | – | 1.50 | 8000 to 125 | 500 to 8 |", // 8 to 64 over four times the tokens
	} {
		if !strings.Contains(string(table), want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	if strings.Contains(string(table), "batch | 16 to 16") {
		t.Errorf("the table has an axis of one place:\n%s", table)
	}
	f, err := os.Open(filepath.Join(folder, "scaling.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rows, err := csv.NewReader(f).ReadAll(); err != nil || len(rows) != 1+1+4+1 {
		t.Errorf("%d rows of numbers (%v), want a header, a result, and five places", len(rows), err)
	}
	if svg, err := os.ReadFile(filepath.Join(folder, "scaling.svg")); err != nil || !strings.Contains(string(svg), "Cost of training against tokens") {
		t.Errorf("the figure: %v, %.100s", err, svg)
	}
	if err := run([]string{folder}); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Errorf("without measurements: %v", err)
	}
}
