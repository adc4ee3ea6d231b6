package spec

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// The logo is an image cut into three by three patches, two of which attend to each other. Lengths are parts of 64.
const (
	logoSize  = 64
	patchSize = 18
	patchGap  = 3
	margin    = (logoSize - 3*patchSize - 2*patchGap) / 2
)

// patchColor is the colour of the patch in a row and a column.
func patchColor(row, column int) color.RGBA {
	if row == 0 && column == 2 || row == 2 && column == 0 {
		return color.RGBA{0xf5, 0xa6, 0x23, 0xff}
	}
	shade := uint8(28 * (row + column))
	return color.RGBA{0x00 + shade/2, 0x7d + shade/2, 0xa4 + shade/3, 0xff}
}

func patchCorner(i int) int { return margin + i*(patchSize+patchGap) }

func logoSVG() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d">`+"\n", logoSize, logoSize)
	for row := range 3 {
		for column := range 3 {
			c := patchColor(row, column)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="#%02x%02x%02x"/>`+"\n",
				patchCorner(column), patchCorner(row), patchSize, patchSize, c.R, c.G, c.B)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// logoPNG draws the logo with an edge of size pixels, each the mean of 4 by 4 samples.
func logoPNG(size int) []byte {
	const samples = 4
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			var r, g, b, n int
			for i := range samples * samples {
				u := (float64(x) + (float64(i%samples)+.5)/samples) * logoSize / float64(size)
				v := (float64(y) + (float64(i/samples)+.5)/samples) * logoSize / float64(size)
				if c, ok := logoAt(u, v); ok {
					r, g, b, n = r+int(c.R), g+int(c.G), b+int(c.B), n+1
				}
			}
			if n > 0 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(r / n), uint8(g / n), uint8(b / n), uint8(255 * n / (samples * samples))})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // an image in memory, written into memory
	}
	return b.Bytes()
}

// logoAt returns the colour at a point; ok is false between the patches.
func logoAt(u, v float64) (c color.RGBA, ok bool) {
	const radius = 3
	for row := range 3 {
		for column := range 3 {
			x, y := u-float64(patchCorner(column)), v-float64(patchCorner(row))
			if x < 0 || y < 0 || x > patchSize || y > patchSize {
				continue
			}
			dx, dy := max(radius-x, x-(patchSize-radius), 0), max(radius-y, y-(patchSize-radius), 0)
			return patchColor(row, column), dx*dx+dy*dy <= radius*radius
		}
	}
	return color.RGBA{}, false
}
