package viz

import (
	"fmt"
	"math"
)

// Patches shows an image and the same image cut into grid × grid patches, with
// gaps between them, in the order in which a network counts its tokens.
func Patches(title string, m Image, grid int) (*Picture, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("patches: %w", err)
	}
	if grid < 1 || grid > max(m.Height, m.Width)*4 {
		return nil, fmt.Errorf("patches: a grid of %d patches a side for an image of %d×%d pixels; allowed: 1 to %d", grid, m.Height, m.Width, max(m.Height, m.Width)*4)
	}
	below := fmt.Sprintf("%d × %d = %d patches: each becomes one token, counted in reading order", grid, grid, grid*grid)
	const left, gapBetween = 150.0, 26.0
	top := titleHeight(below)
	cut := pageWidth - 2*margin - left - gapBetween
	gap := math.Min(4, cut/float64(grid)*.14)
	cell := (cut - gap*float64(grid-1)) / float64(grid)
	return &Picture{
		width: pageWidth, height: top + cut + 8 + margin,
		alt: fmt.Sprintf("%s. The image, and beside it the same image cut into %d rows of %d patches.", title, grid, grid),
		paint: func(s *sheet) {
			y := s.title(title, below)
			picture := m.picture()
			s.image(margin, y+(cut-left)/2, left, left, picture)
			s.write(margin+left/2, y+(cut+left)/2+16, .5, tickSize, muted(), false, fmt.Sprintf("%d × %d pixels", m.Width, m.Height))
			x0 := margin + left + gapBetween
			big := enlarged(picture, m.Width*grid, m.Height*grid) // so that every patch has whole pixels
			for i := range grid * grid {
				row, column := i/grid, i%grid
				x, y := x0+float64(column)*(cell+gap), y+float64(row)*(cell+gap)
				s.image(x, y, cell, cell, region(big, column*m.Width, row*m.Height, m.Width, m.Height))
			}
		},
	}, nil
}

// Images shows a grid of images with a caption below each; no captions, or one
// an image.
func Images(title string, images []Image, captions []string, columns int) (*Picture, error) {
	if len(images) == 0 || columns < 1 {
		return nil, fmt.Errorf("images: %d images in %d columns; allowed: 1 or more of both", len(images), columns)
	}
	if len(captions) != 0 && len(captions) != len(images) {
		return nil, fmt.Errorf("images: %d captions for %d images; allowed: none, or one an image", len(captions), len(images))
	}
	for i, m := range images {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("images: image %d: %w", i, err)
		}
	}
	columns = min(columns, len(images))
	gap := 4.0
	line := 0.0
	if len(captions) > 0 {
		gap, line = 8, tickSize+5
	}
	cell := (pageWidth - 2*margin - gap*float64(columns-1)) / float64(max(columns, 3))
	rows := (len(images) + columns - 1) / columns
	top := titleHeight("")
	return &Picture{
		width: pageWidth, height: top + float64(rows)*(cell+line) + float64(rows-1)*gap + margin,
		alt: fmt.Sprintf("%s. %s in %s.", title, count(len(images), "image"), count(rows, "row")),
		paint: func(s *sheet) {
			y0 := s.title(title, "")
			for i, m := range images {
				x, y := margin+float64(i%columns)*(cell+gap), y0+float64(i/columns)*(cell+line+gap)
				s.image(x, y, cell, cell, m.picture())
				if len(captions) > 0 {
					s.write(x+cell/2, y+cell+tickSize+1, .5, tickSize, ink(), false, fitted(captions[i], tickSize, false, cell+gap-2))
				}
			}
		},
	}, nil
}
