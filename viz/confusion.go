package viz

import (
	"fmt"
	"image"
	"math"
	"strconv"
)

// Confusion shows how often images of each class (rows) were taken for each
// class (columns), as shares of the row. counts is [true class][predicted class].
func Confusion(title string, counts [][]int, classes []string) (*Picture, error) {
	n := len(classes)
	if n < 2 || len(counts) != n {
		return nil, fmt.Errorf("confusion: %d rows for %d classes; allowed: a row a class, 2 or more", len(counts), n)
	}
	shares := make([]float64, 0, n*n)
	right, total := 0, 0
	worst := struct{ from, to, times int }{}
	for i, row := range counts {
		if len(row) != n {
			return nil, fmt.Errorf("confusion: row %d has %d columns; allowed: %d, one a class", i, len(row), n)
		}
		sum := 0
		for j, c := range row {
			sum += c
			if i != j && c > worst.times {
				worst.from, worst.to, worst.times = i, j, c
			}
		}
		for _, c := range row {
			shares = append(shares, float64(c)/math.Max(1, float64(sum)))
		}
		right, total = right+row[i], total+sum
	}
	if total == 0 {
		return nil, fmt.Errorf("confusion: no images; allowed: 1 or more")
	}
	below := fmt.Sprintf("%s images, %s right; numbers are percents of the row's images", thousands(total), percent(math.Round(1000*float64(right)/float64(total))/1000))
	alt := fmt.Sprintf("%s. Of %s images %s are right.", title, thousands(total), thousands(right))
	if worst.times > 0 {
		alt += fmt.Sprintf(" The most frequent mistake: %s taken for %s, %d times.", classes[worst.from], classes[worst.to], worst.times)
	}
	names := 0.
	for _, c := range classes {
		names = math.Max(names, textWidth(c, tickSize, false))
	}
	names = math.Min(names, 90)
	left := margin + labelSize + 8 + names + 6
	cell := (pageWidth - margin - left) / float64(n)
	top := titleHeight(below)
	foot := names + 14 + labelSize
	full := cell * float64(n)
	scale := Scale{0, 1, Cividis(), false}
	return &Picture{
		width: pageWidth, height: top + full + foot + barHeight + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			s.image(left, y0, full, full, image.Image(heat(shares, n, scale)))
			for i, v := range shares {
				if p := math.Round(100 * v); p >= 1 && cell > 18 {
					c := paper()
					if v > .5 {
						c = ink()
					}
					s.write(left+(float64(i%n)+.5)*cell, y0+(float64(i/n)+.5)*cell+4, .5, tickSize, c, i/n == i%n, strconv.Itoa(int(p)))
				}
			}
			for i, name := range classes {
				middle := (float64(i) + .5) * cell
				s.write(left-6, y0+middle+4, 1, tickSize, ink(), false, fitted(name, tickSize, false, names+2))
				s.uprightEnd(left+middle, y0+full+6, tickSize, ink(), fitted(name, tickSize, false, names+2))
			}
			s.upright(margin+labelSize/2, y0+full/2, labelSize, ink(), "true class")
			s.write(left+full/2, y0+full+names+8+labelSize, .5, labelSize, ink(), false, "predicted class")
			s.colorBar(left, y0+full+foot+4, full-20, scale, "share of the class's images")
		},
	}, nil
}
