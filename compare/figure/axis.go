package figure

import (
	"math"
	"strconv"
	"strings"
)

// axis maps values to places.
type axis struct {
	low, high float64 // of the values, padded; logarithms where log
	from, to  float64 // the places of low and high
	log       bool
	ticks     []float64
	format    func(float64) string
}

// newAxis spans the values with some room and chooses round ticks, at most
// that many.
func newAxis(values []float64, log bool, from, to float64, most int) axis {
	a := axis{from: from, to: to, log: log, low: math.Inf(1), high: math.Inf(-1)}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) || log && v <= 0 {
			continue
		}
		a.low, a.high = math.Min(a.low, a.value(v)), math.Max(a.high, a.value(v))
	}
	if a.low > a.high {
		a.low, a.high = 0, 1
	}
	pad := (a.high - a.low) * .06
	if pad == 0 {
		if pad = math.Abs(a.low) * .05; pad == 0 {
			pad = .05
		}
	}
	a.low, a.high = a.low-pad, a.high+pad
	a.chooseTicks(most)
	return a
}

func (a *axis) chooseTicks(most int) {
	if a.log {
		a.logTicks(most)
	} else {
		a.linearTicks(most)
	}
}

func (a *axis) value(v float64) float64 {
	if a.log {
		return math.Log10(v)
	}
	return v
}

// at is the place of a value.
func (a *axis) at(v float64) float64 {
	return a.from + (a.value(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// linearTicks are multiples of 1, 2 or 5 times a power of ten.
func (a *axis) linearTicks(most int) {
	step := math.Pow(10, math.Floor(math.Log10((a.high-a.low)/float64(most))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (a.high-a.low)/(step*factor) <= float64(most) {
			step *= factor
			break
		}
	}
	for k := math.Ceil(a.low / step); k*step <= a.high+1e-9*step; k++ {
		a.ticks = append(a.ticks, k*step+0) // + 0: no tick is -0
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	a.format = func(v float64) string { return grouped(v, decimals) }
}

// logTicks are 1, 2, 5 times powers of ten, or powers alone where there are
// too many; linear ticks where there would be fewer than two.
func (a *axis) logTicks(most int) {
	a.format = func(v float64) string {
		decimals := max(0, int(math.Ceil(-math.Log10(v)-1e-9)))
		if digits := v * math.Pow(10, float64(decimals)); math.Abs(digits-math.Round(digits)) > 1e-6*digits {
			decimals++ // 1.5 and .15 have one more
		}
		return grouped(v, decimals)
	}
	for _, factors := range [][]float64{{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 5}, {1, 3}, {1}} {
		a.ticks = nil
		for e := math.Floor(a.low); e <= a.high; e++ {
			for _, f := range factors {
				if v := f * math.Pow(10, e); math.Log10(v) >= a.low && math.Log10(v) <= a.high {
					a.ticks = append(a.ticks, v)
				}
			}
		}
		if len(a.ticks) <= most {
			break
		}
	}
	if len(a.ticks) < 2 {
		inner := axis{low: math.Pow(10, a.low), high: math.Pow(10, a.high)}
		inner.linearTicks(most)
		a.ticks, a.format = inner.ticks, inner.format
	}
}

// grouped writes a number with commas between thousands.
func grouped(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, part, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	return sign + whole
}
