package report_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// TestBareRuns: runs from elsewhere may have recorded hardly anything, or
// nonsense. Every format shows what there is, and says what it left out.
func TestBareRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []struct {
		params  map[string]string
		metrics map[string]float64
	}{
		{map[string]string{"model": "bare"}, map[string]float64{"test_accuracy": .5}},
		{map[string]string{"model": "bare2", "test_images": "many", "flops": "lots"}, map[string]float64{"test_accuracy": .6, "val_accuracy": math.NaN()}},
		{nil, map[string]float64{"test_accuracy": 1}},
		{map[string]string{"model": "zero"}, map[string]float64{"test_accuracy": 0, "train_images_per_s": 0, "infer_images_per_s": math.Inf(1)}},
		{map[string]string{"model": "percent"}, map[string]float64{"test_accuracy": 63.2}},
		{map[string]string{"model": "nan"}, map[string]float64{"test_accuracy": math.NaN()}},
		{map[string]string{"model": "nothing"}, map[string]float64{"loss": 1}},
	} {
		run, err := db.Start(context.Background(), tracker.Spec{Name: fmt.Sprint("run", i), Params: r.params})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Log(1, r.metrics); err != nil {
			t.Fatal(err)
		}
		if err := run.Finish(tracker.Finished); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := buildFrom(t, path, compare.Options{Target: .4})
	if len(r.Tables) != 1 || len(r.Tables[0].Rows) != 4 || r.Counted != 4 {
		t.Fatalf("%d tables, %d runs counted, want 1 and 4", len(r.Tables), r.Counted)
	}
	for _, format := range report.Formats() {
		got := write(t, format, r)
		if format == report.PNG {
			continue
		}
		for _, bad := range []string{"NaN", "+Inf", "-Inf", "%!"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s holds %q", format, bad)
			}
		}
		for _, want := range []string{"bare2", "(none)", "zero"} {
			if format != report.SVG && !strings.Contains(got, want) { // which draws speeds, and there are none
				t.Errorf("%s lacks %q", format, want)
			}
		}
	}
	text := write(t, report.Text, r)
	for _, want := range []string{"machine not recorded", "2 with a test accuracy outside 0 to 1", "1 without test accuracy", "no test is possible"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}
