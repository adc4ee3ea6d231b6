package viz

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Activations shows the hidden units [channels, hidden] of a Mixer layer's
// token-mixing MLP for one image, after its GELU: how strongly each unit answers
// to each channel, units from the most active on (on average over the channels;
// the mean of the magnitude counts).
func Activations(title, layer string, values []float32, channels, hidden int) (*Picture, error) {
	if err := badSize("activations of "+layer, len(values), channels, hidden); err != nil {
		return nil, err
	}
	active := make([]float64, hidden)
	order := make([]int, hidden)
	for j := range hidden {
		order[j] = j
		for c := range channels {
			active[j] += math.Abs(float64(values[c*hidden+j])) / float64(channels)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(active[b], active[a]) })
	sorted := make([]float64, 0, len(values))
	for c := range channels {
		for _, j := range order {
			sorted = append(sorted, float64(values[c*hidden+j]))
		}
	}
	below := fmt.Sprintf("%s: %s after GELU, the most active first, for each of %s", layer, count(hidden, "hidden unit"), count(channels, "channel"))
	scale := signed(sorted)
	if high := quantile(.995, magnitudes([][]float64{sorted})...); high > 0 && high < scale.High*.7 {
		scale.Low, scale.High, scale.Clipped = -high, high, true
	}
	const axisRoom, foot = 44.0, 42.0
	width := pageWidth - 2*margin - axisRoom
	height := math.Min(360, math.Max(120, width*float64(channels)/float64(hidden)))
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + height + foot + barHeight + margin,
		alt: fmt.Sprintf("%s. %s. Unit %d is the most active, with a mean magnitude of %s; the least active has %s.",
			title, below, order[0]+1, number(active[order[0]]), number(active[order[hidden-1]])),
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			s.matrix(margin+axisRoom, y0, width, height, sorted, channels, hidden, scale, "hidden unit, by rank", "channel")
			s.colorBar(margin+axisRoom, y0+height+foot, width-30, scale, "activation")
		},
	}, nil
}
