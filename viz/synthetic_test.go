package viz

import (
	"math"
	"math/rand/v2"
	"testing"
)

// disc is a picture of a yellow disc on blue.
func disc(size int) Image {
	m := Image{size, size, 3, make([]uint8, size*size*3)}
	for y := range size {
		for x := range size {
			r := math.Hypot(float64(x)-.6*float64(size), float64(y)-.45*float64(size)) / float64(size)
			p := m.Pixels[(y*size+x)*3:]
			p[0], p[1], p[2] = uint8(40+x*60/size), uint8(90+y*60/size), 170
			if r < .28 {
				p[0], p[1], p[2] = 240, uint8(210-300*r), 60
			}
		}
	}
	return m
}

// scores are attention [heads, T, T] that falls off with distance, further in
// each head; the last head looks at the middle of the disc.
func scores(heads, grid int) []float32 {
	t := grid * grid
	out := make([]float32, 0, heads*t*t)
	for h := range heads {
		width := .7 + 1.2*float64(h)
		for q := range t {
			row, sum := make([]float64, t), 0.
			for k := range t {
				dx, dy := float64(k%grid-q%grid), float64(k/grid-q/grid)
				if h == 3 {
					dx, dy = float64(k%grid)-.6*float64(grid), float64(k/grid)-.45*float64(grid)
					width = 1.5
				}
				row[k] = math.Exp(-(dx*dx + dy*dy) / (2 * width * width))
				sum += row[k]
			}
			for _, v := range row {
				out = append(out, float32(v/sum))
			}
		}
	}
	return out
}

func attention(t testing.TB, layer string, heads, grid int) Attention {
	t.Helper()
	a, err := NewAttention(layer, heads, scores(heads, grid))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// waves are hidden units [T, hidden] that are plane waves with noise, in pairs
// of opposite sign, out of order.
func waves(grid, hidden int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]float32, grid*grid*hidden)
	for j := range hidden {
		k := (j * 7) % (hidden / 2)
		fx, fy := float64(k%4), float64(k/4%4)
		sign := 1.
		if j >= hidden/2 {
			sign = -1
		}
		for i := range grid * grid {
			v := sign * math.Cos(2*math.Pi*(fx*float64(i%grid)+fy*float64(i/grid))/float64(grid)+.3)
			out[i*hidden+j] = float32(.1*v + .02*random.NormFloat64())
		}
	}
	return out
}

// noise is n normal numbers.
func noise(n int) []float32 {
	random := rand.New(rand.NewPCG(3, 4))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(random.NormFloat64())
	}
	return out
}
