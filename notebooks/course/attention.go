package course

import (
	"math"

	"patchlab/viz"
)

// Rollout is the attention of several layers as one: what each patch after the
// last of them takes from each patch of the image (see [viz.Rollout]).
func Rollout(layers []viz.Attention) viz.Attention {
	flow := must(viz.Rollout(layers))
	scores := make([]float32, len(flow))
	for i, v := range flow {
		scores[i] = float32(v)
	}
	return must(viz.NewAttention("rollout", 1, scores))
}

// Even is the mean distance, in patches, of a query that looks everywhere alike
// on a grid of so many patches a side.
func Even(grid int) (mean float64) {
	n := grid * grid
	for q := range n {
		for k := range n {
			mean += apart(q, k, grid) / float64(n*n)
		}
	}
	return mean
}

// apart is the distance of two patches in patches.
func apart(q, k, grid int) float64 {
	return math.Hypot(float64(q/grid-k/grid), float64(q%grid-k%grid))
}

// Far is how much of a layer's attention goes to patches at least half the
// image's side away, relative to what looking everywhere alike would give them.
func Far(a viz.Attention) float64 {
	var far, even float64
	for h := range a.Heads() {
		for q := range a.Tokens() {
			for k, score := range a.Query(h, q) {
				if 2*apart(q, k, a.Grid()) >= float64(a.Grid()) {
					far, even = far+score, even+1/float64(a.Tokens())
				}
			}
		}
	}
	return far / even
}

// Alikeness is how much more alike the colours of the far patches are that a
// patch looks at than those of all far patches: 0 where it looks at any of them,
// 1 where it finds its own mean colour, below 0 where it prefers what differs.
// Far is at least half the image's side away.
func Alikeness(m viz.Image, a viz.Attention) float64 {
	colours := patchColours(m, a.Grid())
	var seen, all float64 // differences in colour
	for q := range a.Tokens() {
		var row, weight, even, n float64
		for h := range a.Heads() {
			for k, score := range a.Query(h, q) {
				if 2*apart(q, k, a.Grid()) >= float64(a.Grid()) {
					d := difference(colours[q], colours[k])
					row, weight = row+score*d, weight+score
					even, n = even+d, n+1
				}
			}
		}
		if weight > 0 {
			seen, all = seen+row/weight, all+even/n
		}
	}
	return 1 - seen/all
}

// patchColours is the mean colour of each patch.
func patchColours(m viz.Image, grid int) [][]float64 {
	colours := make([][]float64, grid*grid)
	for y := range m.Height {
		for x := range m.Width {
			patch := y*grid/m.Height*grid + x*grid/m.Width
			if colours[patch] == nil {
				colours[patch] = make([]float64, m.Channels+1)
			}
			for c := range m.Channels {
				colours[patch][c] += float64(m.Pixels[(y*m.Width+x)*m.Channels+c])
			}
			colours[patch][m.Channels]++ // pixels
		}
	}
	for i, c := range colours {
		for k := range m.Channels {
			colours[i][k] = c[k] / c[m.Channels]
		}
		colours[i] = colours[i][:m.Channels]
	}
	return colours
}

func difference(a, b []float64) float64 {
	sum := 0.
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}
