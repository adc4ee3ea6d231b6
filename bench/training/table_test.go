package main

import (
	"encoding/csv"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is two rounds in which the machine runs at half its speed in the
// second; the third broke off after Patchlab.
func sample() []Measurement {
	m := func(round int, config, tool string, train, infer, first float64, mb int64) Measurement {
		return Measurement{
			Round: round, Config: config, Tool: tool, TrainImagesPerS: train, InferImagesPerS: infer,
			FirstStepS: first, PeakRSS: mb << 20, Versions: tool + " 1.2",
		}
	}
	return []Measurement{
		m(1, "mixer-4", ours, 3000, 12000, 2, 500), m(1, "mixer-4", "jax", 1000, 10000, 4, 600), m(1, "mixer-4", "torch", 2000, 9000, 1, 700),
		m(2, "mixer-4", ours, 1500, 6000, 4, 510), m(2, "mixer-4", "jax", 500, 5000, 8, 610), m(2, "mixer-4", "torch", 1000, 4500, 2, 710),
		m(3, "mixer-4", ours, 3000, 12000, 2, 500),
		m(1, "convmixer", ours, 900, 1000, 3, 400),
	}
}

func sampleTable() table {
	t := newTable(sample(), options{configs: []string{"mixer-4", "convmixer", "vit-1"}, rounds: 3}, Data{Dataset: "shapes", Digest: "0123456789abcdef"})
	t.machine, t.date = "Some processor × 2", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	return t
}

func TestRatiosArePairedWithinRounds(t *testing.T) {
	table := sampleTable()
	for _, c := range []struct {
		phase, tool string
		median      float64
		ratio       float64
	}{
		{"train", ours, 3000, 1.5}, {"train", "torch", 1500, 1}, {"train", "jax", 750, .5},
		{"inference", ours, 12000, 1.2}, {"inference", "jax", 7500, 1},
		{"first_step", ours, 2, 2}, {"first_step", "jax", 6, 4}, // torch is the best peer: less is better
		{"peak_rss", "torch", 705 << 20, (700./600 + 710./610) / 2},
	} {
		i := slices.IndexFunc(table.rows, func(r row) bool { return r.config == "mixer-4" && r.phase.name == c.phase && r.tool == c.tool })
		if i < 0 {
			t.Fatalf("no row of %s in %s", c.tool, c.phase)
		}
		if r := table.rows[i]; r.median != c.median || math.Abs(r.ratio-c.ratio) > 1e-12 {
			t.Errorf("%s in %s: median %g ratio %g, want %g and %g", c.tool, c.phase, r.median, r.ratio, c.median, c.ratio)
		}
	}
}

func TestPrintGolden(t *testing.T) {
	var b strings.Builder
	sampleTable().print(&b)
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("a line of %d columns, at most 80 are allowed: %s", n, line)
		}
	}
	golden := filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "speed.csv")
	if err := sampleTable().save(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0][:8], ","), "config,phase,tool,images_per_s,ratio_to_best_peer,rounds,machine,versions"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	want := []string{"mixer-4", "train", ours, "3000", "1.5", "3", "Some processor × 2", "patchlab 1.2", "images/s", "3000", "1500", "3000", "1.5", "1.5", "shapes 0123456789ab", "2026-01-02"}
	if !slices.Equal(rows[1], want) {
		t.Errorf("first row %q, want %q", rows[1], want)
	}
	last := rows[len(rows)-1] // without any peer
	if last[0] != "convmixer" || last[3] != "" || last[4] != "" || last[8] != "bytes" || last[9] != "419430400" {
		t.Errorf("last row %q, want convmixer's memory in bytes, without images/s and a ratio", last)
	}
}

func TestPlanInterleaves(t *testing.T) {
	o := options{configs: []string{"mixer-4", "vit-1"}, tools: []string{ours, "torch", "jax"}, rounds: 2}
	var got []string
	for _, j := range plan(o) {
		got = append(got, j.config+" "+j.tool.name)
	}
	want := []string{
		"mixer-4 patchlab", "mixer-4 jax", "mixer-4 torch", "vit-1 patchlab", "vit-1 jax", "vit-1 torch",
		"mixer-4 jax", "mixer-4 torch", "mixer-4 patchlab", "vit-1 jax", "vit-1 torch", "vit-1 patchlab",
	}
	if !slices.Equal(got, want) {
		t.Errorf("plan %q, want %q", got, want)
	}
}

func TestLogResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "measurements.jsonl")
	l, err := openLog(path, "a", false)
	if err != nil {
		t.Fatal(err)
	}
	first, second := sample()[0], sample()[1]
	if err := l.add(first); err != nil {
		t.Fatal(err)
	}
	if _, err := l.file.WriteString(`{"round": 1, "conf`); err != nil { // killed while writing
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what follows a cut line is not lost with it
		if l, err = openLog(path, "a", true); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(l.measured, first) {
			t.Fatalf("resumed with %v, want %v", l.measured, first)
		}
		if err := l.add(second); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.measured) != 3 {
		t.Errorf("%d measurements, want 3", len(l.measured))
	}
	if _, err := openLog(path, "b", true); err == nil {
		t.Error("measurements of other settings were taken over")
	}
	if l, err = openLog(path, "b", false); err != nil || len(l.measured) != 0 {
		t.Errorf("a new log holds %v, error %v", l.measured, err)
	}
	l.Close()
}

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	if err != nil || len(o.configs) != 10 || len(o.tools) != 6 || o.rounds != 5 || !o.whole || o.out != "" {
		t.Errorf("without arguments: %+v, %v", o, err)
	}
	if o, err = parse([]string{"--quick"}, io.Discard); err != nil || len(o.configs) != 3 || o.rounds != 1 || o.whole {
		t.Errorf("--quick: %+v, %v", o, err)
	}
	for _, args := range [][]string{{"--configs", "mixer-5"}, {"--tools", "theano"}, {"--rounds", "0"}, {"mixer-4"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("arguments %q were taken", args)
		}
	}
}
