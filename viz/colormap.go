package viz

import (
	"image/color"
	"math"

	"github.com/mazznoer/colorgrad"
	"gonum.org/v1/plot/palette/moreland"
)

// ColorMap gives every value from 0 to 1 a colour; beyond them the ends'. All
// of this package's are perceptually uniform: equal steps of value look like
// equal steps of colour, also to those who tell red from green poorly, and grow
// steadily lighter (or, for Diverging, darker from the middle) in grey print.
type ColorMap struct {
	name string
	at   func(v float64) color.NRGBA
}

// Name is the map's usual name.
func (m ColorMap) Name() string { return m.name }

// At is the colour of a value; NaN is grey.
func (m ColorMap) At(v float64) color.NRGBA {
	if math.IsNaN(v) {
		return color.NRGBA{0x99, 0x99, 0x99, 0xff}
	}
	return m.at(math.Min(1, math.Max(0, v)))
}

// Viridis, Magma and Cividis run from dark to light (Smith & van der Walt 2015;
// Cividis: Nuñez, Anderton & Renslow 2018). They serve amounts.
func Viridis() ColorMap { return gradient("viridis", colorgrad.Viridis()) }

// Magma is Viridis's sister from black over purple to cream.
func Magma() ColorMap { return gradient("magma", colorgrad.Magma()) }

// Cividis goes from blue to yellow, nearly the same with and without red-green
// colour blindness.
func Cividis() ColorMap { return gradient("cividis", colorgrad.Cividis()) }

// Diverging runs from blue over light grey to red and serves values around
// zero, which is .5 (Moreland 2009, "Diverging Color Maps for Scientific
// Visualization").
func Diverging() ColorMap {
	m := moreland.SmoothBlueRed()
	m.SetMin(0)
	m.SetMax(1)
	return ColorMap{"smooth blue-red", func(v float64) color.NRGBA {
		c, err := m.At(v)
		if err != nil {
			return color.NRGBA{0x99, 0x99, 0x99, 0xff} // not reached: v lies within 0 and 1
		}
		return color.NRGBAModel.Convert(c).(color.NRGBA)
	}}
}

// ColorMaps lists the maps by name.
func ColorMaps() []ColorMap { return []ColorMap{Viridis(), Magma(), Cividis(), Diverging()} }

func gradient(name string, g colorgrad.Gradient) ColorMap {
	return ColorMap{name, func(v float64) color.NRGBA {
		r, green, b, _ := g.At(v).RGBA255()
		return color.NRGBA{r, green, b, 0xff}
	}}
}

// Scale maps numbers to a colour map: Low to its start, High to its end.
type Scale struct {
	Low, High float64
	Map       ColorMap
	// Clipped says that numbers beyond High (and Low, where it is below 0) exist
	// and take the end's colour.
	Clipped bool
}

// Color is the colour of a number.
func (s Scale) Color(v float64) color.NRGBA { return s.Map.At((v - s.Low) / (s.High - s.Low)) }

// amounts spans 0 to the largest of some numbers, or to the quantile q of them
// where the few above would leave the others without contrast.
func amounts(m ColorMap, q float64, values ...[]float64) Scale {
	high := quantile(q, values...)
	top := quantile(1, values...)
	if !(high > 0) {
		high = top
	}
	if !(high > 0) {
		high = 1
	}
	return Scale{0, high, m, top > high*(1+1e-9)}
}

// signed spans minus to plus the largest magnitude.
func signed(values ...[]float64) Scale {
	high := 0.
	for _, list := range values {
		for _, v := range list {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				high = math.Max(high, math.Abs(v))
			}
		}
	}
	if high == 0 {
		high = 1
	}
	return Scale{-high, high, Diverging(), false}
}
