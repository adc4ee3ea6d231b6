package report

import (
	"fmt"
	"math"
	"strings"

	"patchlab/compare"
)

const (
	plotHeight = 12
	plotMost   = 26 // configurations that letters can tell apart
)

// plotText draws training speed (logarithmic) against accuracy in characters:
// a capital for a configuration on the front, a small letter for one that is
// not. It is empty for fewer than 3 configurations or more than there are
// letters.
func plotText(t *compare.Table, width int) string {
	type point struct {
		mark rune
		x, y float64
		name string
	}
	var points []point
	for _, row := range t.Rows {
		x, y := float64(row.Quantities["train"].Mean), float64(row.Quantities["accuracy"].Mean)
		if !(x > 0) || math.IsNaN(y) || row.Quantities["train"].Mark != "" {
			continue // a speed of another machine has no place on the axis
		}
		mark := 'a' + rune(len(points))
		if row.Fronts["train"].On {
			mark = 'A' + rune(len(points))
		}
		points = append(points, point{mark, math.Log10(x), 100 * y, row.Name})
	}
	if len(points) < 3 || len(points) > plotMost {
		return ""
	}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, p := range points {
		x0, x1, y0, y1 = math.Min(x0, p.x), math.Max(x1, p.x), math.Min(y0, p.y), math.Max(y1, p.y)
	}
	x0, x1 = padded(x0, x1, .05)
	y0, y1 = padded(y0, y1, 2)
	columns := min(width, 100) - 8
	canvas := make([][]rune, plotHeight)
	for i := range canvas {
		canvas[i] = []rune(strings.Repeat(" ", columns))
	}
	for _, p := range points {
		column := int(math.Round((p.x - x0) / (x1 - x0) * float64(columns-1)))
		row := int(math.Round((y1 - p.y) / (y1 - y0) * (plotHeight - 1)))
		for column < columns-1 && canvas[row][column] != ' ' {
			column++ // beside one that is there
		}
		canvas[row][column] = p.mark
	}
	var out strings.Builder
	out.WriteString("accuracy %\n")
	for i, line := range canvas {
		label := ""
		if i%4 == 0 || i == plotHeight-1 {
			label = fmt.Sprintf("%.1f", y1-(y1-y0)*float64(i)/(plotHeight-1))
		}
		fmt.Fprintf(&out, "%6s %s\n", label, strings.TrimRight("│"+string(line), " "))
	}
	left, right := compare.Decimal(math.Pow(10, x0), 0), compare.Decimal(math.Pow(10, x1), 0)
	middle := "training images/s →"
	fmt.Fprintf(&out, "       └%s\n", strings.Repeat("─", columns))
	gap := max(1, columns-len(left)-len(right)-len([]rune(middle)))
	fmt.Fprintf(&out, "        %s%s%s%s%s\n", left, strings.Repeat(" ", gap/2), middle, strings.Repeat(" ", gap-gap/2), right)
	names := make([]string, len(points))
	for i, p := range points {
		names[i] = fmt.Sprintf("%c\u00a0%s", p.mark, p.name)
	}
	for _, line := range Wrap(strings.Join(names, "  ")+"  (capitals: on the front)", width) {
		out.WriteString(strings.ReplaceAll(line, "\u00a0", " ") + "\n")
	}
	return out.String()
}

// padded widens a range by a twentieth, and to at least least.
func padded(low, high, least float64) (float64, float64) {
	pad := math.Max((high-low)/20, least/2)
	if high-low >= least {
		pad = (high - low) / 20
	}
	return low - pad, high + pad
}
