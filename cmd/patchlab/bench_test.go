package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// TestBench measures for real, in processes of this test's program.
func TestBench(t *testing.T) {
	t.Setenv(asProgram, "1")
	picture := filepath.Join(t.TempDir(), "roofline.svg")
	out := must(t, "bench", "mixer:1", "--backend", "go", "--image-size", "16", "--patch-size", "8", "--dim", "8", "--batch", "2",
		"--seconds", ".01", "--against", "depth", "--format", "json", "--roofline", picture)
	var r benchReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Backend != "go" || r.Machine == "" || !(r.Peak.FLOPsPerSecond > 0) || len(r.Results) != 2 || len(r.Growth) != 2 {
		t.Fatalf("measured %s", out)
	}
	for _, one := range r.Results {
		if !(one.ImagesPerSecond > 0) || !(one.OfPeak > 0) || one.Params == 0 || one.PeakMemory < one.StartMemory {
			t.Errorf("measured %+v", one)
		}
	}
	for _, g := range r.Growth {
		if len(g.Points) != 4 || g.Cost == nil || g.FLOPs == nil || g.Cost.Points != 4 || g.Batch != 2 {
			t.Errorf("growth %+v", g)
		}
	}
	if svg, err := os.ReadFile(picture); err != nil || !strings.Contains(string(svg), "<title>Roofline") {
		t.Errorf("the roofline: %v, %.100s", err, svg)
	}
}

func TestBenchRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"allowed: table, json":            {"mixer-4", "--format", "csv"},
		"allowed: 1 to 99":                {"mixer-4", "--rounds", "0"},
		"allowed: a file":                 {"mixer-4", "--roofline", "roof.gif"},
		"make nodir first":                {"mixer-4", "--roofline", "nodir/r.png"},
		"allowed: once":                   {"mixer-4", "mixer-4"},
		"tokens":                          {"mixer-4", "--against", "height"},
		"there is no block":               {"resnet-18"},
		"does not divide":                 {"mixer-4", "--patch-size", "7"},
		"bench takes a model or several":  {},
		"allowed: float32, tf32":          {"mixer-4", "--precision", "float16"},
		"batch size -1; allowed":          {"mixer-4", "--batch", "-1"},
		"0 seconds; allowed: more than 0": {"mixer-4", "--seconds", "0"},
	} {
		if _, _, err := execute(t, append([]string{"bench"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bench %q: error %v, want one with %q", args, err, want)
		}
	}
}

func TestBenchEnds(t *testing.T) {
	t.Setenv(asProgram, "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measureApart[experiments.Peak](ctx, benchTask{Backend: backend.Go}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	w := experiments.Workload{Model: models.Config{ID: "nothing"}, Batch: 1, Work: experiments.TrainWork, Seconds: 1, Steps: 1}
	_, err := measureApart[experiments.Throughput](t.Context(), benchTask{Backend: backend.Go, Workload: &w})
	if err == nil || !strings.Contains(err.Error(), "cannot be built") {
		t.Errorf("error %v, want the process's own", err)
	}
}

// TestBenchTable: the widest report fits a terminal.
func TestBenchTable(t *testing.T) {
	config, err := models.Parse("mixer:2,vit(heads=8):1")
	if err != nil {
		t.Fatal(err)
	}
	o := benchOptions{format: "table", precision: "float32", rounds: 1, seconds: 1, against: []string{"tokens", "batch"}}
	places, err := o.plan([]string{config.ID, "vit-vis"})
	if err != nil {
		t.Fatal(err)
	}
	r := newBenchReport(backend.Machine{CPU: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", Cores: 2}, backend.Info{Name: "xla:cpu"}, "float32")
	r.Peak = experiments.Peak{FLOPsPerSecond: 123.4e9, BytesPerSecond: 56.7e9, Side: 2048, FLOPsPerProcessorSecond: 99e9}
	for i, p := range places {
		ms := float64(1 + 123*i)
		r.add(p, []experiments.Throughput{{
			FirstStep: 123.45, StepMedian: ms, StepP95: 12345.67, ProcessorMedian: ms, ImagesPerSecond: 1234567, Steps: 9,
			FLOPs: p.FLOPs(), Bytes: 1e9, StartMemory: 1e8, PeakMemory: 2e8 + int64(i)<<30,
		}})
	}
	r.finish()
	r.Load = [2]string{"12.34", "23.45"}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if text := out.String(); !strings.Contains(text, "a busy machine") || strings.Count(text, "1024") != 4 || strings.Contains(text, "–\n") {
		t.Errorf("printed\n%s", text)
	}
}

// TestMiddle: of several rounds the one of the median cost counts, whole.
func TestMiddle(t *testing.T) {
	got := middle([]experiments.Throughput{{ProcessorMedian: 3, Steps: 1}, {ProcessorMedian: 1, Steps: 2}, {ProcessorMedian: 2, Steps: 3}})
	if got.Steps != 3 {
		t.Errorf("took %+v, want the round of 2 ms", got)
	}
}
