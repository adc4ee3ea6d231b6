package viz

import (
	"image"
	"math"

	"gonum.org/v1/plot"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// barHeight is the room that a colour bar takes, its ticks and title included.
const barHeight = 46.0

// colorBar explains a scale below what it colours: a strip, ticks, and what is
// measured with its unit.
func (s *sheet) colorBar(x, y, width float64, scale Scale, what string) {
	p := axes(what, "")
	p.HideY()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = scale.Low, scale.High, 0, 1
	p.X.Tick.Marker = plot.ConstantTicks(scale.ticks())
	p.X.LineStyle.Width = 0
	p.Add(strip{scale})
	s.chart(x, y, width, barHeight, p)
}

// ticks are about five round numbers; the ends say where larger ones are cut.
func (s Scale) ticks() []plot.Tick {
	span := s.High - s.Low
	step := roundStep(span / 5)
	if s.Clipped {
		step = roundStep(span / 8)
	}
	var ticks []plot.Tick
	first := math.Ceil(s.Low/step - 1e-9)
	for k := range 20 { // more than there are; counted, since a span that is no number, or lost in rounding, has no end
		v := (first+float64(k))*step + 0
		if !(v <= s.High*(1+1e-9)+1e-12) {
			break
		}
		if s.Clipped && (s.High-v < span*.11 || s.Low < 0 && v-s.Low < span*.11) {
			continue // room for the ends' own
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: decimals(v, step)})
	}
	if s.Clipped {
		ticks = append(ticks, plot.Tick{Value: s.High, Label: "≥ " + number(s.High)})
		if s.Low < 0 {
			ticks = append(ticks, plot.Tick{Value: s.Low, Label: "≤ " + number(s.Low)})
		}
	}
	return ticks
}

// roundStep is the next of 1, 2, 5 times a power of ten.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= least*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// strip is the bar's colours.
type strip struct{ Scale }

// Plot fills the chart.
func (b strip) Plot(c vgdraw.Canvas, _ *plot.Plot) {
	const steps = 256
	m := image.NewNRGBA(image.Rect(0, 0, steps, 1))
	for i := range steps {
		m.SetNRGBA(i, 0, b.Map.At((float64(i)+.5)/steps))
	}
	drawPixels(c, m)
}
