package viz

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// float64s widens values.
func float64s(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// quantile is the value below which the fraction q of all finite values lies
// (nearest rank); 0 where there are none.
func quantile(q float64, values ...[]float64) float64 {
	var all []float64
	for _, list := range values {
		for _, v := range list {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(math.Ceil(q*float64(len(all))))-min(1, int(math.Ceil(q*float64(len(all))))))]
}

// mean is the average of some values; NaN of none.
func mean(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// number writes a number with three significant digits, no trailing zeros and
// a true minus sign.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 {
		return strings.ReplaceAll(fmt.Sprint(v), "-", "−")
	}
	digits := min(max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0), 8)
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return strings.ReplaceAll(text, "-", "−")
}

// percent writes a fraction as percents.
func percent(v float64) string { return number(100*v) + " %" }

// count writes "1 head", "4 heads".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// side is the root of a number of patches that form a square.
func side(patches int) (int, bool) {
	s := int(math.Round(math.Sqrt(float64(patches))))
	return s, s > 0 && s*s == patches
}

// badSize reports numbers whose count does not fit their shape.
func badSize(what string, have int, shape ...int) error {
	want := 1
	text := make([]string, len(shape))
	positive := true
	for i, d := range shape {
		want *= d
		text[i] = strconv.Itoa(d)
		positive = positive && d > 0
	}
	if !positive {
		return fmt.Errorf("%s have the shape %s; allowed: sizes of 1 or more", what, strings.Join(text, "×"))
	}
	if have != want {
		return fmt.Errorf("%s are %d numbers; allowed: %s = %d", what, have, strings.Join(text, "×"), want)
	}
	return nil
}

// decimals writes a tick with as many decimals as its neighbours, step apart,
// need.
func decimals(v, step float64) string {
	if math.Abs(v) < step*1e-6 {
		return "0"
	}
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	return strings.ReplaceAll(strconv.FormatFloat(v, 'f', digits, 64), "-", "−")
}

// columnsFor lays out n equal squares in a block a little wider than high, with
// few places left empty; even keeps pairs together.
func columnsFor(n int, even bool) int {
	base := max(4, int(math.Ceil(math.Sqrt(float64(n)*1.25))))
	best, least := base, math.Inf(1)
	for c := max(3, base-2); c <= base+3; c++ {
		if even && c%2 == 1 {
			continue
		}
		empty := (c - n%c) % c
		if cost := float64(empty)/float64(c) + .04*math.Abs(float64(c-base)); cost < least {
			best, least = c, cost
		}
	}
	return best
}

// thousands writes a whole number with a comma between thousands.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
