package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// Kind says what can change a quantity besides the configuration.
type Kind int

// Accuracy depends on dataset, precision and backend; Speed on the machine as
// well; Size on the configuration alone.
const (
	Accuracy Kind = iota
	Speed
	Size
)

// Column describes one quantity of the table. Values are kept in the unit of
// the tracker (fractions, seconds, bytes); Scale and Decimals serve people.
type Column struct {
	Key      string // its name in --sort, CSV and JSON
	Title    string // its name in tables, unit included
	Long     string // its name in a sentence or a chart, unit included
	Kind     Kind
	Higher   bool // more is better
	Scale    float64
	Decimals int

	read func(tracker.RunInfo) float64 // NaN where the run has it not
}

// Format writes a value in the column's unit for people: thousands are
// separated, "–" stands for none.
func (c Column) Format(value float64) string {
	if math.IsNaN(value) {
		return "–"
	}
	return Decimal(value*c.Scale, c.Decimals)
}

// Columns lists the quantities of the table in its order.
func Columns() []Column {
	return []Column{
		{Key: "accuracy", Title: "acc %", Long: "test accuracy, %", Kind: Accuracy, Higher: true, Scale: 100, Decimals: 2, read: metric("test_accuracy")},
		{Key: "top5", Title: "top-5 %", Long: "top-5 test accuracy, %", Kind: Accuracy, Higher: true, Scale: 100, Decimals: 2, read: metric("test_top5")},
		{Key: "params", Title: "params", Long: "parameters", Kind: Size, Scale: 1, read: param("params")},
		{Key: "flops", Title: "MFLOP", Long: "forward MFLOP an image", Kind: Size, Scale: 1e-6, Decimals: 1, read: param("flops")},
		{Key: "train", Title: "train/s", Long: "training images/s", Kind: Speed, Higher: true, Scale: 1, read: metric("train_images_per_s")},
		{Key: "infer", Title: "infer/s", Long: "inference images/s", Kind: Speed, Higher: true, Scale: 1, read: metric("infer_images_per_s")},
		{Key: "step", Title: "step ms", Long: "median training step, ms", Kind: Speed, Scale: 1, Decimals: 1, read: metric("step_ms_median")},
		{Key: "p95", Title: "p95 ms", Long: "95th percentile of the training step, ms", Kind: Speed, Scale: 1, Decimals: 1, read: metric("step_ms_p95")},
		{Key: "compile", Title: "compile s", Long: "compile time, s", Kind: Speed, Scale: 1, Decimals: 1, read: metric("compile_seconds")},
		{Key: "epoch", Title: "epoch s", Long: "training time an epoch, s", Kind: Speed, Scale: 1, Decimals: 1, read: epochSeconds},
		{Key: "best", Title: "to best s", Long: "time to the best validation accuracy, s", Kind: Speed, Scale: 1, Decimals: 1, read: metric("seconds_to_best")},
		{Key: "memory", Title: "peak MB", Long: "peak memory, MB", Kind: Speed, Scale: 1e-6, read: metric("peak_memory_bytes")},
	}
}

// ColumnNamed finds a column by key; the error lists the keys.
func ColumnNamed(key string) (Column, error) {
	columns := Columns()
	keys := make([]string, len(columns))
	for i, c := range columns {
		if c.Key == key {
			return c, nil
		}
		keys[i] = c.Key
	}
	return Column{}, fmt.Errorf("no column %q; there are %s", key, strings.Join(keys, ", "))
}

func metric(key string) func(tracker.RunInfo) float64 {
	return func(r tracker.RunInfo) float64 {
		if m, ok := r.Metrics[key]; ok && !math.IsInf(m.Value, 0) {
			return m.Value
		}
		return math.NaN()
	}
}

func param(key string) func(tracker.RunInfo) float64 {
	return func(r tracker.RunInfo) float64 {
		v, err := strconv.ParseFloat(r.Params[key], 64)
		if err != nil || math.IsInf(v, 0) {
			return math.NaN()
		}
		return v
	}
}

// epochSeconds is the whole training time over the epochs it took.
func epochSeconds(r tracker.RunInfo) float64 {
	total, ok := r.Metrics["train_seconds_total"]
	if !ok || total.Step < 1 {
		return math.NaN()
	}
	return total.Value / float64(total.Step)
}

// Decimal writes a number with that many decimals and commas between
// thousands.
func Decimal(value float64, decimals int) string {
	text := strconv.FormatFloat(math.Abs(value), 'f', decimals, 64)
	whole, part, _ := strings.Cut(text, ".")
	var groups []string
	for len(whole) > 3 {
		groups = append(groups, whole[len(whole)-3:])
		whole = whole[:len(whole)-3]
	}
	groups = append(groups, whole)
	slices.Reverse(groups)
	out := strings.Join(groups, ",")
	if part != "" {
		out += "." + part
	}
	if value < 0 && strings.Trim(text, "0.") != "" {
		out = "−" + out
	}
	return out
}
