package viz

import (
	"fmt"
	"math"
)

// Rollout multiplies the attention of layers, the first given first, into one
// matrix [T, T]: row q says how much of each patch of the input reaches patch q
// after the last of them (Abnar & Zuidema 2020, "Quantifying Attention Flow in
// Transformers", section 3). Each layer counts as half its heads' mean and half
// the skip connection. What other blocks between the layers mix is not in it.
func Rollout(layers []Attention) ([]float64, error) {
	if len(layers) == 0 {
		return nil, fmt.Errorf("rollout: no layers of attention; allowed: 1 or more")
	}
	t := layers[0].Tokens()
	var flow []float64
	for _, a := range layers {
		if a.Tokens() != t || t == 0 {
			return nil, fmt.Errorf("rollout: %s has %d patches; allowed: %d, as the first layer", a.layer, a.Tokens(), t)
		}
		step := a.mean()
		for i := range step {
			step[i] *= .5
		}
		for q := range t {
			step[q*t+q] += .5
		}
		if flow == nil {
			flow = step
			continue
		}
		flow = product(step, flow, t)
	}
	return flow, nil
}

// product of two square matrices.
func product(a, b []float64, n int) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		for k, v := range a[i*n : (i+1)*n] {
			for j := range n {
				out[i*n+j] += v * b[k*n+j]
			}
		}
	}
	return out
}

// received is the mean of a matrix's rows: what each patch gives to all.
func received(matrix []float64, n int) []float64 {
	out := make([]float64, n)
	for i, v := range matrix {
		out[i%n] += v / float64(n)
	}
	return out
}

// AttentionRollout shows where the layers' attention comes from, averaged over
// the queries, as it is pooled where no class token exists: the image, each
// layer on its own, and the rollout over all.
func AttentionRollout(title string, m Image, layers []Attention) (*Picture, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("rollout: %w", err)
	}
	flow, err := Rollout(layers)
	if err != nil {
		return nil, err
	}
	grid := layers[0].grid
	all := received(flow, grid*grid)
	maps := []panel{{name: "The image"}, {name: "Lit by the rollout", values: all, lit: true}}
	for _, a := range layers {
		maps = append(maps, panel{name: a.layer + " alone", values: received(a.mean(), a.Tokens())})
	}
	if len(layers) > 1 {
		maps = append(maps, panel{name: fmt.Sprintf("Rollout over %d layers", len(layers)), values: all})
	}
	below := fmt.Sprintf("What all patches take from each on average; an even share would be %s", number(1/float64(grid*grid)))
	top := place(flow, grid)
	return overlays(title, below, fmt.Sprintf("%s. The image and, as maps, how much each of %d × %d patches gives to the others; after all layers the patch in row %d, column %d gives most.",
		title, grid, grid, top/grid+1, top%grid+1), m, maps, grid, "share of what the patches take"), nil
}

// place is the patch that a rollout takes most from.
func place(flow []float64, grid int) int {
	best, r := 0, received(flow, grid*grid)
	for i, v := range r {
		if v > r[best] {
			best = i
		}
	}
	return best
}

// panel is one map, the image lit by one, or the image alone where values is nil.
type panel struct {
	name   string
	values []float64
	lit    bool
}

// overlays shows an image and maps, all on one scale, beside each other.
func overlays(title, below, alt string, m Image, maps []panel, grid int, what string) *Picture {
	scale := Scale{math.Inf(1), 0, Magma(), false}
	for _, p := range maps {
		for _, v := range p.values {
			scale.Low, scale.High = math.Min(scale.Low, v), math.Max(scale.High, v)
		}
	}
	if !(scale.High > scale.Low) {
		scale.Low, scale.High = 0, math.Max(scale.High, 1e-9)
	}
	columns := min(len(maps), 3)
	if len(maps) == 4 {
		columns = 2
	}
	const gap, name = 14.0, 18.0
	cell := math.Min(200, (pageWidth-2*margin-gap*float64(columns-1))/float64(columns))
	rows := (len(maps) + columns - 1) / columns
	top := titleHeight(below)
	height := float64(rows)*(cell+name+8) - 8
	return &Picture{
		width: pageWidth, height: top + height + 8 + barHeight + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for i, p := range maps {
				x, y := margin+float64(i%columns)*(cell+gap), y0+float64(i/columns)*(cell+name+8)
				s.write(x, y+labelSize, 0, labelSize, ink(), false, fitted(p.name, labelSize, false, cell))
				switch {
				case p.values == nil:
					s.image(x, y+name, cell, cell, m.picture())
				case p.lit:
					s.image(x, y+name, cell, cell, lit(m, p.values, grid))
				default:
					s.image(x, y+name, cell, cell, heat(p.values, grid, scale))
				}
			}
			s.colorBar(margin+20, y0+height+8, pageWidth-2*margin-60, scale, what)
		},
	}
}
