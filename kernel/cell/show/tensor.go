package show

import (
	"fmt"
	"math"
	"reflect"
)

// tensor is what GoMLX's tensors have, which this package does not import: cells that show none link faster.
type tensor interface {
	Summary(precision int) string
	ConstFlatData(access func(flat any)) error
}

// tensorBundle is a tensor's first and last elements and what can be said of all.
func tensorBundle(t tensor) Bundle {
	facts := ""
	err := t.ConstFlatData(func(flat any) { facts = describe(reflect.ValueOf(flat)) })
	if err != nil {
		return Bundle{Text: fmt.Sprintf("a tensor that cannot be read: %v", err)}
	}
	text := clip(t.Summary(4))
	if facts != "" {
		text += "\n" + facts
	}
	return Bundle{Text: text}
}

// describe says range, mean and standard deviation of numbers, and how many are not finite.
func describe(flat reflect.Value) string {
	if flat.Kind() != reflect.Slice || flat.Len() < 2 || !flat.Index(0).CanFloat() && !flat.Index(0).CanInt() && !flat.Index(0).CanUint() {
		return ""
	}
	number := func(v reflect.Value) float64 {
		switch {
		case v.CanInt():
			return float64(v.Int())
		case v.CanUint():
			return float64(v.Uint())
		}
		return v.Float()
	}
	low, high := math.Inf(1), math.Inf(-1)
	mean, squares, n := 0., 0., 0.
	for i := range flat.Len() {
		x := number(flat.Index(i))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		low, high = min(low, x), max(high, x)
		n++ // Welford's method
		delta := x - mean
		mean += delta / n
		squares += delta * (x - mean)
	}
	odd := flat.Len() - int(n)
	if n == 0 {
		return fmt.Sprintf("none of %d values is finite", odd)
	}
	text := fmt.Sprintf("%d values from %.4g to %.4g, mean %.4g, standard deviation %.4g", flat.Len(), low, high, mean, math.Sqrt(squares/n))
	if odd > 0 {
		text += fmt.Sprintf(", %d of them not finite", odd)
	}
	return text
}
