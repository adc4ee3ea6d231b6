package web

import "math"

// thin chooses which points of a line a picture needs that is so many columns
// wide: in each column the first, the lowest, the highest and the last, as the
// line through them covers the same pixels as the line through all (Jugel,
// Jerzak, Hackenbroich and Markl 2014, "M4: A Visualization-Oriented Time Series
// Data Aggregation", VLDB 7(10), section 4.2). Of points that are not
// finite one a column stays: it breaks the line. So do the nearest ones outside [from, to], to which the
// line leads. xs ascends. The result is indices in ascending order.
func thin(xs, ys []float64, from, to float64, columns int) []int {
	var keep []int
	add := func(i int) {
		if i >= 0 && (len(keep) == 0 || keep[len(keep)-1] < i) {
			keep = append(keep, i)
		}
	}
	before, column, broken := -1, -1, -1
	first, low, high, last := -1, -1, -1, -1
	flush := func() {
		a, b := min(low, high), max(low, high)
		for _, i := range []int{first, a, b, last} {
			add(i)
		}
		first, low, high, last = -1, -1, -1, -1
	}
	for i, x := range xs {
		if x < from {
			before = i
			continue
		}
		add(before)
		before = -1
		if x > to {
			flush()
			add(i)
			break
		}
		at := 0
		if to > from {
			at = int(float64(columns) * (x - from) / (to - from))
		}
		if v := ys[i]; math.IsNaN(v) || math.IsInf(v, 0) {
			flush()
			if column = -1; at != broken {
				add(i)
			}
			broken = at
			continue
		}
		if at != column {
			flush()
			column = at
		}
		if first < 0 {
			first, low, high = i, i, i
		}
		if ys[i] < ys[low] {
			low = i
		}
		if ys[i] > ys[high] {
			high = i
		}
		last = i
	}
	flush()
	return keep
}

// smooth is the exponential moving average of values with a weight for the past
// between 0 and 1, divided by the weights given so far, so that the beginning is
// not pulled towards zero (Kingma and Ba 2015, "Adam", section 3). Values that
// are not finite stay as they are and do not count.
func smooth(values []float64, weight float64) []float64 {
	out := make([]float64, len(values))
	mean, given := 0.0, 0.0
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out[i] = v
			continue
		}
		mean = weight*mean + (1-weight)*v
		given = weight*given + (1 - weight)
		out[i] = mean / given
	}
	return out
}
