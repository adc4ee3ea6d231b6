package viz

import (
	"fmt"
	"math"
	"strings"
)

// Guess is a class with the probability that a network gives it.
type Guess struct {
	Class       string
	Probability float64
}

// View is what one network makes of an image.
type View struct {
	Name string
	// Patches is the number of the network's own patches a side.
	Patches int
	// Matters holds, for each of grid × grid squares, by how much the
	// probability of the first guess falls when the square is covered (negative:
	// rises); see Occlusion.
	Matters []float64
	// Guesses are the most probable classes, best first; at most three are shown.
	Guesses []Guess
}

// Views shows one image as several networks see it, side by side: which parts
// matter to each by one measure for all, occlusion, and what each says. The
// squares are the same for all, whatever their patches, so that maps compare.
func Views(title string, m Image, truth string, views []View) (*Picture, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	if len(views) == 0 {
		return nil, fmt.Errorf("views: no networks; allowed: 1 or more")
	}
	var all [][]float64
	var words []string
	squares := 0
	for _, v := range views {
		if len(v.Guesses) == 0 {
			return nil, fmt.Errorf("views: %s has no guesses; allowed: 1 or more", v.Name)
		}
		if grid, ok := side(len(v.Matters)); !ok || len(v.Matters) != len(views[0].Matters) {
			return nil, fmt.Errorf("views: %d values of what matters to %s; allowed: one a square of a grid, the same for all networks", len(v.Matters), v.Name)
		} else {
			squares = grid
		}
		all = append(all, v.Matters)
		words = append(words, fmt.Sprintf("%s says %s (%s)", v.Name, v.Guesses[0].Class, shortPercent(v.Guesses[0].Probability)))
	}
	scale := signed(all...)
	below := "Red: covering the square makes the network less sure of its first guess; blue: surer"
	const gap, name = 20.0, 20.0
	columns, cell := 2, 128.0
	if len(views) == 1 {
		columns, cell = 1, 240
	}
	room := (pageWidth - 2*margin - gap*float64(columns-1)) / float64(columns)
	rows := (len(views) + columns - 1) / columns
	each := name + cell + 14
	const head = 96.0
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + head + 16 + float64(rows)*each + barHeight + margin,
		alt: fmt.Sprintf("%s. %s.", title, strings.Join(words, "; ")),
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			s.image(margin, y0, head, head, m.picture())
			x, y := margin+head+14, y0+labelSize+2
			s.write(x, y, 0, labelSize, ink(), true, "The image")
			if truth != "" {
				y += 17
				s.write(x, y, 0, labelSize, muted(), false, "is: "+truth)
			}
			for _, line := range wrap(fmt.Sprintf("Each of %d × %d squares is covered in turn with the image's mean colour; the maps lie over the image in grey.", squares, squares), tickSize, pageWidth-margin-x) {
				y += 16
				s.write(x, y, 0, tickSize, muted(), false, line)
			}
			for i, v := range views {
				x, y := margin+float64(i%columns)*(room+gap), y0+head+16+float64(i/columns)*each
				s.write(x, y+labelSize, 0, labelSize, ink(), true, fitted(v.Name, labelSize, true, room))
				s.image(x, y+name, cell, cell, overlay(m, v.Matters, squares, scale))
				right := x + cell + 10
				s.write(right, y+name+10, 0, tickSize, muted(), false, fmt.Sprintf("%d × %d patches", v.Patches, v.Patches))
				for k, g := range v.Guesses[:min(3, len(v.Guesses))] {
					at := y + name + 36 + float64(k)*30
					s.write(right, at, 0, tickSize, ink(), k == 0, fitted(g.Class, tickSize, k == 0, room-cell-10))
					width := room - cell - 10 - 34
					s.fill(right, at+4, width, 7, rule())
					s.fill(right, at+4, math.Max(.5, width*g.Probability), 7, Viridis().At(.35))
					s.write(right+width+4, at+11, 0, tickSize, muted(), false, fmt.Sprintf("%.0f %%", 100*g.Probability))
				}
			}
			s.colorBar(margin+20, y0+head+16+float64(rows)*each-6, pageWidth-2*margin-60, scale, "fall of the first guess's probability")
		},
	}, nil
}

// Occlusion returns copies of an image, each with one of grid × grid squares
// covered by the image's mean colour, in reading order (Zeiler & Fergus 2014,
// "Visualizing and Understanding Convolutional Networks", section 4.2): run a
// network on them and take each probability off that of the whole image.
func Occlusion(m Image, grid int) ([]Image, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("occlusion: %w", err)
	}
	if grid < 1 || grid > min(m.Height, m.Width) {
		return nil, fmt.Errorf("occlusion: a grid of %d patches a side for %d×%d pixels; allowed: 1 to %d", grid, m.Height, m.Width, min(m.Height, m.Width))
	}
	average := make([]float64, m.Channels)
	for i, v := range m.Pixels {
		average[i%m.Channels] += float64(v) * float64(m.Channels) / float64(len(m.Pixels))
	}
	out := make([]Image, grid*grid)
	for p := range out {
		covered := m
		covered.Pixels = append([]uint8(nil), m.Pixels...)
		for y := p / grid * m.Height / grid; y < (p/grid+1)*m.Height/grid; y++ {
			for x := p % grid * m.Width / grid; x < (p%grid+1)*m.Width/grid; x++ {
				for c := range m.Channels {
					covered.Pixels[(y*m.Width+x)*m.Channels+c] = uint8(math.Round(average[c]))
				}
			}
		}
		out[p] = covered
	}
	return out, nil
}
