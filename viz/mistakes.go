package viz

import (
	"fmt"
	"strings"
)

// Mistake is an image that a network takes for what it is not.
type Mistake struct {
	Image           Image
	Index           int // in its dataset
	True, Predicted string
	// Sure is the probability of the predicted class, Gave that of the true one.
	Sure, Gave float64
}

// Mistakes shows the images that a network gets most wrong, in the given order:
// what it says and how surely, and what is right.
func Mistakes(title string, mistakes []Mistake) (*Picture, error) {
	if len(mistakes) == 0 {
		return nil, fmt.Errorf("mistakes: none to show; allowed: 1 or more")
	}
	var words []string
	for i, m := range mistakes {
		if err := m.Image.check(); err != nil {
			return nil, fmt.Errorf("mistakes: image %d: %w", i, err)
		}
		if i < 5 {
			words = append(words, fmt.Sprintf("image %d, %s taken for %s", m.Index, m.True, m.Predicted))
		}
	}
	const columns, gap, line = 4, 14.0, tickSize + 4
	below := "The least probable truths: what the network says, and what is right"
	cell := (pageWidth - 2*margin - gap*(columns-1)) / columns
	each := cell + 3*line + gap
	rows := (len(mistakes) + columns - 1) / columns
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + float64(rows)*each - gap + margin,
		alt: fmt.Sprintf("%s. %s: %s.", title, count(len(mistakes), "image"), strings.Join(words, "; ")),
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for i, m := range mistakes {
				x, y := margin+float64(i%columns)*(cell+gap), y0+float64(i/columns)*each
				s.image(x, y, cell, cell, m.Image.picture())
				say := func(k int, bold bool, words string) {
					c := muted()
					if bold {
						c = ink()
					}
					s.write(x, y+cell+float64(k)*line, 0, tickSize, c, bold, fitted(words, tickSize, bold, cell+gap-4))
				}
				say(1, true, "“"+m.Predicted+"” "+shortPercent(m.Sure))
				say(2, false, "is "+m.True+" "+shortPercent(m.Gave))
				say(3, false, fmt.Sprintf("image %d", m.Index))
			}
		},
	}, nil
}

// shortPercent writes a probability in few letters.
func shortPercent(v float64) string {
	switch {
	case v < .001:
		return "<0.1 %"
	case v < .095:
		return fmt.Sprintf("%.1f %%", 100*v)
	case v > .99 && v < 1:
		return ">99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}
