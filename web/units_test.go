package web

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
)

// The chosen points bound every column as all of them do.
func TestThinKeepsWhatIsSeen(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n, columns := 1+rng.IntN(3000), 1+rng.IntN(200)
		xs, ys := make([]float64, n), make([]float64, n)
		x := 0.0
		for i := range xs {
			x += rng.Float64() * float64(rng.IntN(3))
			xs[i], ys[i] = x, rng.NormFloat64()
		}
		from, to := xs[rng.IntN(n)], xs[rng.IntN(n)]
		if from > to {
			from, to = to, from
		}
		keep := thin(xs, ys, from, to, columns)
		if !slices.IsSorted(keep) || len(slices.Compact(slices.Clone(keep))) != len(keep) {
			t.Fatalf("the points %v are not in order, or twice", keep)
		}
		if len(keep) > 4*(columns+1)+2 {
			t.Fatalf("%d points for %d columns", len(keep), columns)
		}
		type bounds struct{ first, last, low, high float64 }
		seen := func(points []int) map[int]bounds {
			out := map[int]bounds{}
			for _, i := range points {
				if xs[i] < from || xs[i] > to {
					continue
				}
				at := 0
				if to > from {
					at = int(float64(columns) * (xs[i] - from) / (to - from))
				}
				b, ok := out[at]
				if !ok {
					b = bounds{ys[i], ys[i], ys[i], ys[i]}
				}
				b.last, b.low, b.high = ys[i], math.Min(b.low, ys[i]), math.Max(b.high, ys[i])
				out[at] = b
			}
			return out
		}
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		want, got := seen(all), seen(keep)
		for at, b := range want {
			if got[at] != b {
				t.Fatalf("column %d of %d: %+v, want %+v", at, columns, got[at], b)
			}
		}
	}
}

func TestThinKeepsBreaksAndNeighbours(t *testing.T) {
	nan := math.NaN()
	xs := []float64{0, 1, 2, 3, 4, 5, 6}
	ys := []float64{9, 1, nan, nan, 2, 3, 9}
	if got := thin(xs, ys, 1, 5, 100); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6}) {
		t.Errorf("kept %v", got)
	}
	if got := thin(xs, ys, 4, 4.5, 100); !slices.Equal(got, []int{3, 4, 5}) {
		t.Errorf("of the middle kept %v", got)
	}
	if got := thin(nil, nil, 0, 1, 100); got != nil {
		t.Errorf("of nothing kept %v", got)
	}
	many := make([]float64, 10_000)
	for i := range many {
		many[i] = nan
	}
	if got := thin(many, many, 0, 1, 10); len(got) > 10 {
		t.Errorf("%d breaks in ten columns", len(got))
	}
}

func TestSmooth(t *testing.T) {
	// .5: weights 1; 1/3, 2/3; 1/7, 2/7, 4/7 over the finite ones.
	got := smooth([]float64{3, 6, math.Inf(1), 7}, .5)
	want := []float64{3, 5, math.Inf(1), (3 + 2*6 + 4*7) / 7.}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 && got[i] != want[i] {
			t.Errorf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	params := map[string]string{"epochs": "10", "batch": "32", "train_images": "100"} // 4 steps an epoch
	metric := func(value float64, step int64) tracker.Metric { return tracker.Metric{Value: value, Step: step} }
	for name, test := range map[string]struct {
		run  tracker.RunInfo
		want progress
		ok   bool
	}{
		"no parameters":    {tracker.RunInfo{Status: tracker.Running}, progress{}, false},
		"epochs no number": {tracker.RunInfo{Params: map[string]string{"epochs": "many"}}, progress{}, false},
		"begun":            {tracker.RunInfo{Params: params, Status: tracker.Running}, progress{0, 10, 0, 0}, true},
		"in the first epoch": {tracker.RunInfo{Params: params, Status: tracker.Running, Start: now.Add(-10 * time.Second),
			Metrics: map[string]tracker.Metric{"step_loss": metric(1, 2)}}, progress{0, 10, .05, 190 * time.Second}, true},
		"in the fourth": {tracker.RunInfo{Params: params, Status: tracker.Running, Metrics: map[string]tracker.Metric{
			"train_seconds": metric(8, 3), "eval_seconds": metric(2, 3), "step_loss": metric(1, 14)}}, progress{3, 10, .35, 65 * time.Second}, true},
		"steps of another size": {tracker.RunInfo{Params: params, Status: tracker.Running, Metrics: map[string]tracker.Metric{
			"train_seconds": metric(10, 3), "step_loss": metric(1, 1_000_000)}}, progress{3, 10, .4, 60 * time.Second}, true},
		"stopped early": {tracker.RunInfo{Params: params, Status: tracker.Finished, Metrics: map[string]tracker.Metric{
			"train_seconds": metric(8, 3), "step_loss": metric(1, 12)}}, progress{3, 10, .3, 0}, true},
		"done": {tracker.RunInfo{Params: params, Status: tracker.Finished, Metrics: map[string]tracker.Metric{
			"train_seconds": metric(8, 10), "step_loss": metric(1, 40)}}, progress{10, 10, 1, 0}, true},
		"time not finite": {tracker.RunInfo{Params: params, Status: tracker.Running, Metrics: map[string]tracker.Metric{
			"train_seconds": metric(math.NaN(), 5)}}, progress{5, 10, .5, 0}, true},
	} {
		got, ok := progressOf(&test.run, now)
		if off := got.Left - test.want.Left; ok != test.ok || got.Epoch != test.want.Epoch || got.Epochs != test.want.Epochs && ok ||
			math.Abs(got.Fraction-test.want.Fraction) > 1e-9 || off.Abs() > time.Microsecond {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, test.want, test.ok)
		}
	}
}

func TestGroups(t *testing.T) {
	run := tracker.RunInfo{Status: tracker.Finished, Metrics: map[string]tracker.Metric{}}
	for _, key := range []string{"train_loss", "val_loss", "val_accuracy", "train_accuracy", "val_top5", "step_loss", "step_ms", "learning_rate",
		"train_seconds", "eval_seconds", "system/cpu_utilization_percentage", "system/gpu_0_utilization_percentage", "system/gpu_0_power_usage_watts",
		"val/f1", "Train/f1", "loss", "custom", "val_", "_", "system/"} {
		run.Metrics[key] = tracker.Metric{Count: 2}
	}
	run.Metrics["test_accuracy"] = tracker.Metric{Count: 1}
	var got []string
	for _, g := range groups(&run) {
		line := g.title + ":"
		for _, key := range g.keys {
			line += " " + key
		}
		got = append(got, line)
	}
	want := []string{
		"accuracy: val_accuracy train_accuracy", "loss: val_loss train_loss loss", "loss of each step: step_loss", "top-5 accuracy: val_top5",
		"learning rate: learning_rate", " : _", "custom: custom", "f1: val/f1 Train/f1", "val : val_", "step time, ms: step_ms",
		"seconds an epoch: eval_seconds train_seconds", "machine: power, W: system/gpu_0_power_usage_watts",
		"machine: utilisation, %: system/cpu_utilization_percentage system/gpu_0_utilization_percentage", "machine: : system/",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the charts are\n%q, want\n%q", got, want)
	}
}

func TestFormats(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1234567: "1,234,567", .0123456: "0.01235", 1.5: "1.500", 1e-9: "1e−09", 123456.7: "123,457", math.Inf(-1): "-∞", -2: "−2",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 s", 1500 * time.Millisecond: "1.5 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 01 s",
		25 * time.Hour: "1 d 01 h", 2*time.Hour + 3*time.Minute: "2 h 03 min",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 151724: "152 kB", 12_345_678: "12.3 MB", 1 << 60: "1152922 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are written %q, want %q", n, got, want)
		}
	}
}

// A curve that stays the same is drawn in the middle, and said as it is.
func TestSparkOfOneValue(t *testing.T) {
	const want = "validation accuracy from 25.00 % to 25.00 %, between 25.00 % and 25.00 %"
	if drawn := string(drawSpark([]tracker.Point{{Step: 1, Value: .25}, {Step: 2, Value: .25}})); !strings.Contains(drawn, want) || !strings.Contains(drawn, `cy="11.0"`) {
		t.Errorf("%s", drawn)
	}
}
