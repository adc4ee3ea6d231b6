package viz

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// DepthwiseKernels shows the learned kernels [side, side, 1, channels] of a
// ConvMixer block, one map a channel: what each takes from a patch's
// neighbours, the patch itself in the middle (Trockman & Kolter 2022, "Patches
// Are All You Need?", appendix on learned weights).
func DepthwiseKernels(title, layer string, kernel []float32, side, channels int) (*Picture, error) {
	if err := badSize("depthwise kernels", len(kernel), side, side, 1, channels); err != nil {
		return nil, err
	}
	maps := make([][]float64, channels)
	for c := range maps {
		for i := range side * side {
			maps[c] = append(maps[c], float64(kernel[i*channels+c]))
		}
	}
	below := fmt.Sprintf("%s: a kernel of %d × %d patches for each of %s", layer, side, side, count(channels, "channel"))
	return weightMaps(title, below, fmt.Sprintf("%s. %s. The weights reach %s in magnitude.", title, below, number(signed(maps...).High)),
		maps, side, "weight of the neighbour at that place"), nil
}

// mostFilters is how many patch filters are shown as they are.
const mostFilters = 64

// PatchFilters shows the filters of a patch embedding, whose kernel is
// [patch × patch × channels, dim], as images: grey is a weight of 0, and each
// filter is scaled to its own largest weight. Of more than 64 filters it shows
// the first 28 principal components instead, as Dosovitskiy et al. 2021 do (figure 7,
// left), with the share of the filters' variance that each explains.
func PatchFilters(title string, kernel []float32, patch, channels, dim int) (*Picture, error) {
	if err := badSize("patch filters", len(kernel), patch, patch, channels, dim); err != nil {
		return nil, err
	}
	if channels != 1 && channels != 3 {
		return nil, fmt.Errorf("patch filters have %d channels; allowed: 1, 3", channels)
	}
	size := patch * patch * channels
	if dim <= mostFilters {
		filters := make([]Image, dim)
		for c := range filters {
			values := make([]float64, size)
			for i := range values {
				values[i] = float64(kernel[i*dim+c])
			}
			filters[c] = filterImage(values, patch, channels)
		}
		return filterGrid(title, fmt.Sprintf("%s of %d × %d pixels; grey is 0, each is scaled to its own largest weight", count(dim, "filter"), patch, patch), filters, nil)
	}
	for _, v := range kernel { // the decomposition would not end
		if bad(float64(v), false) {
			return nil, fmt.Errorf("patch filters hold the weight %g; allowed: finite numbers", v)
		}
	}
	components, shares, err := principal(float64s(kernel), size, dim, 28)
	if err != nil {
		return nil, fmt.Errorf("patch filters: %w", err)
	}
	var filters []Image
	var captions []string
	for i, values := range components {
		filters = append(filters, filterImage(values, patch, channels))
		captions = append(captions, fmt.Sprintf("%.1f %%", 100*shares[i]))
	}
	return filterGrid(title, fmt.Sprintf("First %d principal components of %d filters of %d × %d pixels, with the share of variance of each; grey is 0", len(filters), dim, patch, patch), filters, captions)
}

// principal returns the first principal components of the columns of a matrix
// [size, samples], and the share of variance of each; the largest weight of a
// component is positive.
func principal(values []float64, size, samples, most int) ([][]float64, []float64, error) {
	m := mat.NewDense(samples, size, nil)
	for i := range size {
		average := mean(values[i*samples : (i+1)*samples])
		for j := range samples {
			m.Set(j, i, values[i*samples+j]-average)
		}
	}
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDThin) {
		return nil, nil, fmt.Errorf("principal components of %d filters: the decomposition did not converge", samples)
	}
	var v mat.Dense
	svd.VTo(&v)
	total, s := 0., svd.Values(nil)
	for _, x := range s {
		total += x * x
	}
	var components [][]float64
	var shares []float64
	for k := range min(most, len(s)) {
		c := mat.Col(nil, k, &v)
		top := 0.
		for _, x := range c {
			if math.Abs(x) > math.Abs(top) {
				top = x
			}
		}
		for i := range c {
			c[i] = math.Copysign(1, top) * c[i]
		}
		components = append(components, c)
		shares = append(shares, s[k]*s[k]/math.Max(total, 1e-300))
	}
	return components, shares, nil
}

func filterGrid(title, below string, filters []Image, captions []string) (*Picture, error) {
	columns := columnsFor(len(filters), false)
	full := pageWidth - 2*margin
	gap, line := math.Max(3, 50/float64(columns)), 0.
	if captions != nil {
		line = tickSize + 4
	}
	cell := (full - gap*float64(columns-1)) / float64(columns)
	rows := (len(filters) + columns - 1) / columns
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + float64(rows)*(cell+line+gap) - gap + margin, alt: title + ". " + below + ".",
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			for i, f := range filters {
				x, y := margin+float64(i%columns)*(cell+gap), y0+float64(i/columns)*(cell+line+gap)
				s.image(x, y, cell, cell, f.picture())
				if captions != nil {
					s.write(x+cell/2, y+cell+tickSize, .5, tickSize, muted(), false, captions[i])
				}
			}
		},
	}, nil
}
