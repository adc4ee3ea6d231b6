package viz

import (
	"fmt"
	"image"
	"math"
)

// Alignment shows how much each symbol written (rows) looks at each symbol read
// (columns): weights is [written][read], rows sum to 1 (Bahdanau, Cho & Bengio
// 2015, figure 3).
func Alignment(title string, weights [][]float32, read, written []string) (*Picture, error) {
	if len(weights) == 0 || len(weights) != len(written) {
		return nil, fmt.Errorf("alignment: %d rows for %d symbols written; allowed: a row a symbol, 1 or more", len(weights), len(written))
	}
	var flat []float64
	most := make([]int, len(weights))
	for i, row := range weights {
		if len(row) == 0 || len(row) != len(read) {
			return nil, fmt.Errorf("alignment: row %d has %d columns for %d symbols read; allowed: a column a symbol, 1 or more", i, len(row), len(read))
		}
		sum := 0.
		for j, w := range row {
			flat, sum = append(flat, float64(w)), sum+float64(w)
			if w > row[most[i]] {
				most[i] = j
			}
		}
		if math.Abs(sum-1) > 1e-4 {
			return nil, fmt.Errorf("alignment: row %d sums to %g; allowed: 1", i, sum)
		}
	}
	alt := title + "."
	for i, j := range most[:min(8, len(most))] {
		alt += fmt.Sprintf(" Writing %s it looks most at %s.", written[i], read[j])
	}
	const left, head = 60.0, 40.0
	cell := math.Min(30, (pageWidth-2*margin-left)/float64(len(read)))
	width, height := cell*float64(len(read)), cell*float64(len(written))
	scale := Scale{0, 1, Viridis(), false}
	below := "each row, one symbol written, sums to 1"
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + head + height + 14 + barHeight + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below) + head
			x0 := margin + left
			s.image(x0, y0, width, height, image.Image(heat(flat, len(read), scale)))
			for j, symbol := range read {
				s.write(x0+(float64(j)+.5)*cell, y0-6, .5, tickSize, ink(), false, fitted(symbol, tickSize, false, cell))
			}
			for i, symbol := range written {
				s.write(x0-6, y0+(float64(i)+.5)*cell+4, 1, tickSize, ink(), false, fitted(symbol, tickSize, false, left-24))
			}
			s.write(x0+width/2, y0-head+labelSize, .5, labelSize, ink(), false, "symbol read")
			s.upright(margin+labelSize/2, y0+height/2, labelSize, ink(), "symbol written")
			s.colorBar(x0, y0+height+14, math.Max(160, width-20), scale, "weight")
		},
	}, nil
}
