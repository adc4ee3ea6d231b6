package show

import (
	"fmt"
	"math"
	"strings"
)

// shades run from dark blue to yellow, evenly in lightness, so that they can be told apart in grey too.
var shades = [...][3]float64{{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}

// shade is the colour of a value between 0 and 1.
func shade(v float64) string {
	at := v * float64(len(shades)-1)
	i := min(int(at), len(shades)-2)
	var c [3]int
	for k := range c {
		c[k] = int(math.Round(shades[i][k] + (at-float64(i))*(shades[i+1][k]-shades[i][k])))
	}
	return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2])
}

// drawGrid draws a matrix as coloured cells, its first row below as Plotly does.
func drawGrid(b *strings.Builder, rows [][]float64) {
	low, high, wide := math.Inf(1), math.Inf(-1), 0
	for _, row := range rows {
		wide = max(wide, len(row))
		for _, v := range row {
			if finite(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if wide == 0 || low > high {
		return
	}
	w, h := plotWidth/float64(wide), plotHeight/float64(len(rows))
	for r, row := range rows {
		for c, v := range row {
			if !finite(v) {
				continue
			}
			share := .5
			if high > low {
				share = (v/2 - low/2) / (high/2 - low/2)
			}
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, float64(c)*w, plotHeight-float64(r+1)*h, w+.3, h+.3, shade(share))
		}
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="end">%s (dark) to %s (light)</text>`+"\n", plotWidth, plotHeight+31, label(low), label(high))
}
