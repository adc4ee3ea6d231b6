package viz

import (
	"fmt"
	"math"
)

// AttentionByQuery shows, for one head counted from 0, the map of every query
// patch, each at its patch's place: a grid of grids. A frame marks the query
// itself in its map.
func AttentionByQuery(title string, a Attention, head int) (*Picture, error) {
	if err := a.head(head); err != nil {
		return nil, fmt.Errorf("attention by query: %w", err)
	}
	maps := make([][]float64, a.Tokens())
	for q := range maps {
		maps[q] = a.Query(head, q)
	}
	below := fmt.Sprintf("%s, head %d: one map a query patch, at the patch's place; the red dot is the query", a.layer, head+1)
	alt := fmt.Sprintf("%s. %d × %d small maps of %d × %d cells, where each patch of the image looks in head %d; its attention lies on average %s patches from the query.",
		title, a.grid, a.grid, a.grid, a.grid, head+1, number(a.distance(head)))
	return mapGrid(title, below, alt, maps, a.grid, amounts(Viridis(), .99, a.Head(head)), "attention score (share of the query's whole)", true), nil
}

// mapGrid lays out grid × grid maps of grid × grid cells.
func mapGrid(title, below, alt string, maps [][]float64, grid int, scale Scale, what string, dots bool) *Picture {
	top := titleHeight(below)
	full := pageWidth - 2*margin
	gap := math.Max(2.5, 90/float64(grid*grid))
	cell := (full - gap*float64(grid-1)) / float64(grid)
	return &Picture{
		width: pageWidth, height: top + full + 8 + barHeight + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for q, values := range maps {
				x, y := margin+float64(q%grid)*(cell+gap), y0+float64(q/grid)*(cell+gap)
				s.image(x, y, cell, cell, heat(values, grid, scale))
				if dots {
					step := cell / float64(grid)
					r := math.Max(1.1, step*.3)
					s.disc(x+(float64(q%grid)+.5)*step, y+(float64(q/grid)+.5)*step, r, accent())
				}
			}
			s.colorBar(margin+20, y0+full+8, full-60, scale, what)
		},
	}
}
