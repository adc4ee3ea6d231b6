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
	// Grid is the number of patches a side.
	Grid int
	// Matters holds, for each of Grid × Grid patches, by how much the
	// probability of the first guess falls when the patch is covered (negative:
	// rises); see Occlusion.
	Matters []float64
	// Guesses are the most probable classes, best first; at most three are shown.
	Guesses []Guess
}

// Views shows one image as several networks see it, side by side: which patches
// matter to each by one measure for all, occlusion, and what each says.
func Views(title string, m Image, truth string, views []View) (*Picture, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	if len(views) == 0 {
		return nil, fmt.Errorf("views: no networks; allowed: 1 or more")
	}
	var all [][]float64
	var words []string
	for _, v := range views {
		if len(v.Guesses) == 0 {
			return nil, fmt.Errorf("views: %s has no guesses; allowed: 1 or more", v.Name)
		}
		if err := badSize("what matters to "+v.Name, len(v.Matters), v.Grid, v.Grid); err != nil {
			return nil, fmt.Errorf("views: %w", err)
		}
		all = append(all, v.Matters)
		words = append(words, fmt.Sprintf("%s says %s (%s)", v.Name, v.Guesses[0].Class, shortPercent(v.Guesses[0].Probability)))
	}
	scale := signed(all...)
	below := "Red: covering the patch makes the network less sure of its first guess; blue: surer"
	const columns, gap, name, line = 2, 20.0, 20.0, 17.0
	room := (pageWidth - 2*margin - gap) / columns
	const cell = 128.0
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
			for _, line := range wrap("Each patch is covered in turn with the image's mean colour; the maps lie over the image in grey.", tickSize, pageWidth-margin-x) {
				y += 16
				s.write(x, y, 0, tickSize, muted(), false, line)
			}
			for i, v := range views {
				x, y := margin+float64(i%columns)*(room+gap), y0+head+16+float64(i/columns)*each
				s.write(x, y+labelSize, 0, labelSize, ink(), true, fitted(v.Name, labelSize, true, room))
				s.image(x, y+name, cell, cell, overlay(m, v.Matters, v.Grid, scale))
				right := x + cell + 10
				s.write(right, y+name+10, 0, tickSize, muted(), false, fmt.Sprintf("%d × %d patches", v.Grid, v.Grid))
				for k, g := range v.Guesses[:min(3, len(v.Guesses))] {
					at := y + name + 36 + float64(k)*(line+13)
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

// Occlusion returns copies of an image, each with one of grid × grid patches
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
