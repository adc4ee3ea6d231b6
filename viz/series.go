package viz

import (
	"image/color"

	"gonum.org/v1/plot/vg"
)

// series is the colour of the i-th curve, apart for most eyes (after Okabe and
// Ito 2008, darkened until letters in them can be read on paper).
func series(i int) color.Color {
	list := []color.NRGBA{
		{0x00, 0x72, 0xb2, 255}, {0xc2, 0x54, 0x00, 255}, {0x00, 0x85, 0x5f, 255},
		{0xad, 0x4d, 0x85, 255}, {0x94, 0x64, 0x00, 255}, {0x6a, 0x4a, 0xa0, 255},
	}
	return list[i%len(list)]
}

// dashes is the line of the i-th curve.
func dashes(i int) []vg.Length {
	return [][]vg.Length{nil, {7, 4}, {2, 3}, {10, 3, 2, 3}, {4, 2}, {12, 4}}[i%6]
}
