package viz

import (
	"cmp"
	"fmt"
	"math"
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Units is the weights of the hidden units of a Mixer layer's token-mixing MLP:
// one map of grid × grid weights a unit, what it looks for among the patches.
type Units struct {
	layer string
	grid  int
	maps  [][]float64
}

// NewUnits takes the first kernel of the MLP, [T, hidden], for a square grid of
// T patches.
func NewUnits(layer string, kernel []float32, hidden int) (Units, error) {
	if hidden < 1 || len(kernel) == 0 || len(kernel)%hidden != 0 {
		return Units{}, fmt.Errorf("hidden units of %s: %d weights for %d units; allowed: patches × units", layer, len(kernel), hidden)
	}
	tokens := len(kernel) / hidden
	grid, ok := side(tokens)
	if !ok {
		return Units{}, fmt.Errorf("hidden units of %s: %d weights a unit; allowed: one a patch of a square grid", layer, tokens)
	}
	u := Units{layer, grid, make([][]float64, hidden)}
	for j := range u.maps {
		u.maps[j] = make([]float64, tokens)
		for i := range tokens {
			u.maps[j][i] = float64(kernel[i*hidden+j])
		}
	}
	return u, nil
}

// HiddenUnits shows the units of a layer in their own order.
func HiddenUnits(title string, u Units) (*Picture, error) {
	return u.picture(title, fmt.Sprintf("%s: %s, each with a weight a patch (%d × %d)", u.layer, count(len(u.maps), "hidden unit"), u.grid, u.grid), u.maps)
}

// UnitsByFrequency shows the units in pairs of opposite phase, the pairs sorted
// by frequency, low first (Tolstikhin et al. 2021, "MLP-Mixer", figure 5 and
// its supplement).
func UnitsByFrequency(title string, u Units) (*Picture, error) {
	var maps [][]float64
	for _, i := range u.ByFrequency() {
		maps = append(maps, u.maps[i])
	}
	return u.picture(title, fmt.Sprintf("%s: %s in pairs of opposite phase, low frequencies first", u.layer, count(len(u.maps), "hidden unit")), maps)
}

func (u Units) picture(title, below string, maps [][]float64) (*Picture, error) {
	if len(maps) == 0 {
		return nil, fmt.Errorf("hidden units: none; allowed: what NewUnits returns")
	}
	alt := fmt.Sprintf("%s. %s. The weights reach %s in magnitude.", title, below, number(signed(maps...).High))
	return weightMaps(title, below, alt, maps, u.grid, "weight of the patch"), nil
}

// weightMaps lays out square maps of signed weights, all on one scale.
func weightMaps(title, below, alt string, maps [][]float64, width int, what string) *Picture {
	high := quantile(.995, magnitudes(maps)...)
	scale := signed(maps...)
	if high > 0 && high < scale.High*.7 {
		scale.Low, scale.High, scale.Clipped = -high, high, true
	}
	columns := columnsFor(len(maps), true)
	full := pageWidth - 2*margin
	gap := math.Max(2.5, 40/float64(columns))
	cell := (full - gap*float64(columns-1)) / float64(columns)
	rows := (len(maps) + columns - 1) / columns
	height := float64(rows)*(cell+gap) - gap
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + height + 8 + barHeight + margin, alt: alt,
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for i, values := range maps {
				x, y := margin+float64(i%columns)*(cell+gap), y0+float64(i/columns)*(cell+gap)
				s.image(x, y, cell, cell, heat(values, width, scale))
			}
			s.colorBar(margin+20, y0+height+8, full-60, scale, what)
		},
	}
}

func magnitudes(maps [][]float64) [][]float64 {
	out := make([][]float64, len(maps))
	for i, m := range maps {
		for _, v := range m {
			out[i] = append(out[i], math.Abs(v))
		}
	}
	return out
}

// Frequencies returns each unit's mean spatial frequency in cycles a grid's
// side: the frequencies of its two-dimensional Fourier transform, weighted by
// power. A unit that averages all patches has the frequency 0.
func (u Units) Frequencies() []float64 {
	out := make([]float64, len(u.maps))
	for i, m := range u.maps {
		out[i] = frequency(m, u.grid)
	}
	return out
}

func frequency(values []float64, grid int) float64 {
	fft := fourier.NewCmplxFFT(grid)
	rows := make([][]complex128, grid)
	for y := range rows {
		rows[y] = make([]complex128, grid)
		for x := range grid {
			rows[y][x] = complex(values[y*grid+x], 0)
		}
		rows[y] = fft.Coefficients(nil, rows[y])
	}
	var power, weighted float64
	for x := range grid {
		column := make([]complex128, grid)
		for y := range grid {
			column[y] = rows[y][x]
		}
		for y, c := range fft.Coefficients(nil, column) {
			p := cmplx.Abs(c) * cmplx.Abs(c)
			power += p
			weighted += p * math.Hypot(float64(min(x, grid-x)), float64(min(y, grid-y)))
		}
	}
	if power == 0 {
		return 0
	}
	return weighted / power
}

// ByFrequency orders the units: each in turn of the most opposite pairs, as
// correlation counts them, then the pairs by their mean frequency.
func (u Units) ByFrequency() []int {
	n := len(u.maps)
	type pair struct {
		i, j  int
		alike float64
	}
	var pairs []pair
	for i := range n {
		for j := i + 1; j < n; j++ {
			pairs = append(pairs, pair{i, j, correlation(u.maps[i], u.maps[j])})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.alike, b.alike) })
	f, taken := u.Frequencies(), make([]bool, n)
	var groups [][]int
	for _, p := range pairs {
		if !taken[p.i] && !taken[p.j] {
			taken[p.i], taken[p.j] = true, true
			groups = append(groups, []int{p.i, p.j})
		}
	}
	for i := range n { // the last of an odd number
		if !taken[i] {
			groups = append(groups, []int{i})
		}
	}
	of := func(g []int) float64 {
		sum := 0.
		for _, i := range g {
			sum += f[i] / float64(len(g))
		}
		return sum
	}
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(of(a), of(b)) })
	return slices.Concat(groups...)
}

// correlation is Pearson's, 0 where one of both is constant.
func correlation(a, b []float64) float64 {
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
