package viz

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// AttentionMatrices shows the matrix [T, T] of every head of a layer: a row for
// each query patch, a column for each patch that it looks at.
func AttentionMatrices(title string, a Attention) (*Picture, error) {
	if a.heads == 0 {
		return nil, fmt.Errorf("attention matrices: no scores; allowed: what NewAttention returns")
	}
	columns := min(2, a.heads)
	rows := (a.heads + columns - 1) / columns
	const axisRoom, name, gap = 44.0, 20.0, 22.0
	panel := (pageWidth - 2*margin - axisRoom - 30) / 2
	below := fmt.Sprintf("%s, %s: every row, one query patch, sums to 1", a.layer, count(a.heads, "head"))
	scale := amounts(Viridis(), .995, a.scores)
	top := titleHeight(below)
	height := float64(rows)*(panel+name+gap) + 18
	return &Picture{
		width: pageWidth, height: top + height + barHeight + margin,
		alt: fmt.Sprintf("%s. %s: %d × %d scores, queries down and keys across; the largest score is %s, an even share would be %s.",
			title, count(a.heads, "head"), a.Tokens(), a.Tokens(), number(quantile(1, a.scores)), number(1/float64(a.Tokens()))),
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for h := range a.heads {
				x := margin + axisRoom + float64(h%columns)*(panel+30)
				y := y0 + float64(h/columns)*(panel+name+gap)
				s.write(x+panel/2, y+labelSize, .5, labelSize, ink(), true, fmt.Sprintf("Head %d", h+1))
				xTitle, yTitle := "", ""
				if h/columns == rows-1 || h+columns >= a.heads {
					xTitle = "patch looked at"
				}
				if h%columns == 0 {
					yTitle = "query patch"
				}
				s.matrix(x, y+name, panel, panel, a.Head(h), a.Tokens(), a.Tokens(), scale, xTitle, yTitle)
			}
			s.colorBar(margin+axisRoom, y0+height, pageWidth-2*margin-axisRoom-30, scale, "attention score (share of the query's whole)")
		},
	}, nil
}

// matrix draws a matrix into a rectangle, with axes outside it counted from 1,
// row 1 on top.
func (s *sheet) matrix(x, y, width, height float64, values []float64, rows, columns int, scale Scale, xTitle, yTitle string) {
	p := axes(xTitle, yTitle)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = .5, float64(columns)+.5, .5, float64(rows)+.5
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(countTicks(columns)), plot.ConstantTicks(countTicks(rows))
	p.Add(cells{values, columns, scale})
	s.chartOver(x, y, width, height, p)
}

// countTicks are about four numbers from 1 to n, 1 and n among them.
func countTicks(n int) []plot.Tick {
	tick := func(v float64) plot.Tick { return plot.Tick{Value: v, Label: number(v)} }
	ticks := []plot.Tick{tick(1)}
	if n == 1 {
		return ticks
	}
	step := roundStep(float64(n) / 4)
	if q, ok := side(n); ok && q >= 3 {
		step = float64(q * max(1, int(math.Round(float64(n)/float64(4*q))))) // whole rows of the grid
	}
	for v := step; v < float64(n)-step/2; v += step {
		if v > 1 {
			ticks = append(ticks, tick(v))
		}
	}
	return append(ticks, tick(float64(n)))
}

// cells fills a chart with a matrix.
type cells struct {
	values  []float64
	columns int
	scale   Scale
}

// Plot draws the cells.
func (m cells) Plot(c vgdraw.Canvas, _ *plot.Plot) { drawPixels(c, heat(m.values, m.columns, m.scale)) }
