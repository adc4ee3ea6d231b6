package viz

import (
	"fmt"
	"math"
)

// rowTolerance is how far a row of attention may be from summing to 1.
const rowTolerance = 1e-4

// Attention is the scores of one layer for one image: for each head a matrix
// of T × T, T being the patches of a square grid. Row q says how much the query
// patch q takes from each patch, and sums to 1 (Vaswani et al. 2017, "Attention
// Is All You Need", section 3.2.1).
type Attention struct {
	layer       string
	heads, grid int
	scores      []float64 // [heads, T, T]
}

// NewAttention checks scores [heads, T, T] of a layer, which is named in titles.
// It is an error if their number fits no square grid of patches, or if a row
// holds a negative value or does not sum to 1 within 1e-4.
func NewAttention(layer string, heads int, scores []float32) (Attention, error) {
	if heads < 1 || len(scores) == 0 || len(scores)%heads != 0 {
		return Attention{}, fmt.Errorf("attention of %s: %d scores in %d heads; allowed: heads × patches × patches", layer, len(scores), heads)
	}
	tokens, square := side(len(scores) / heads)
	grid, gridded := side(tokens)
	if !square || !gridded {
		return Attention{}, fmt.Errorf("attention of %s: %d scores a head; allowed: patches × patches, for patches of a square grid", layer, len(scores)/heads)
	}
	a := Attention{layer, heads, grid, float64s(scores)}
	for row := range heads * tokens {
		sum := 0.
		for _, v := range a.scores[row*tokens : (row+1)*tokens] {
			if !(v >= 0) {
				return Attention{}, fmt.Errorf("attention of %s: head %d, query patch %d holds the score %.6g; allowed: 0 to 1", layer, row/tokens+1, row%tokens+1, v)
			}
			sum += v
		}
		if math.Abs(sum-1) > rowTolerance {
			return Attention{}, fmt.Errorf("attention of %s: head %d, query patch %d sums to %.6g; allowed: 1 within %v", layer, row/tokens+1, row%tokens+1, sum, rowTolerance)
		}
	}
	return a, nil
}

// Layer, Heads and Grid are the layer's name, the number of heads, and that of
// patches along a side of the image.
func (a Attention) Layer() string { return a.layer }

// Heads is the number of heads.
func (a Attention) Heads() int { return a.heads }

// Grid is the number of patches along one side of the image.
func (a Attention) Grid() int { return a.grid }

// Tokens is the number of patches T.
func (a Attention) Tokens() int { return a.grid * a.grid }

// Head is the matrix [T, T] of a head counted from 0, not a copy.
func (a Attention) Head(i int) []float64 {
	t := a.Tokens()
	return a.scores[i*t*t : (i+1)*t*t]
}

// Query is what one head's query patch takes from every patch: [T], sums to 1.
func (a Attention) Query(head, patch int) []float64 {
	t := a.Tokens()
	return a.Head(head)[patch*t : (patch+1)*t]
}

// mean is the average over the heads: [T, T].
func (a Attention) mean() []float64 {
	out := make([]float64, a.Tokens()*a.Tokens())
	for h := range a.heads {
		for i, v := range a.Head(h) {
			out[i] += v / float64(a.heads)
		}
	}
	return out
}

func (a Attention) head(i int) error {
	if i < 0 || i >= a.heads {
		return fmt.Errorf("head %d of %s; allowed: 0 to %d", i, a.layer, a.heads-1)
	}
	return nil
}
