package viz

import (
	"fmt"
	"math"
)

// PositionSimilarity shows how like the learned position embeddings [T, dim] of
// a grid of patches are: for each patch, at its place, a map of the cosine
// similarity of its embedding to every other's (Dosovitskiy et al. 2021, figure
// 7, centre). Neighbours that are alike mean that the network has learned where
// patches lie.
func PositionSimilarity(title string, table []float32, tokens, dim int) (*Picture, error) {
	if err := badSize("position embeddings", len(table), tokens, dim); err != nil {
		return nil, err
	}
	grid, ok := side(tokens)
	if !ok {
		return nil, fmt.Errorf("position embeddings: %d patches; allowed: those of a square grid", tokens)
	}
	maps := make([][]float64, tokens)
	var others []float64
	near, far, nears, fars := 0., 0., 0., 0.
	for q := range maps {
		for k := range tokens {
			v := cosine(table[q*dim:(q+1)*dim], table[k*dim:(k+1)*dim])
			maps[q] = append(maps[q], v)
			if q != k {
				others = append(others, math.Abs(v))
			}
			switch d := math.Hypot(float64(q/grid-k/grid), float64(q%grid-k%grid)); {
			case d == 1:
				near, nears = near+v, nears+1
			case d > 1:
				far, fars = far+v, fars+1
			}
		}
	}
	below := "One map a patch, at the patch's place: how like its embedding the others are"
	alt := fmt.Sprintf("%s. %d × %d small maps. Neighbours have a mean cosine similarity of %s, others of %s.", title, grid, grid, number(near/math.Max(1, nears)), number(far/math.Max(1, fars)))
	high := math.Max(.1, math.Ceil(quantile(.999, others)*20)/20)
	return mapGrid(title, below, alt, maps, grid, Scale{-high, high, Diverging(), high < 1}, "cosine similarity", false), nil
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
