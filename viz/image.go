package viz

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Image is pixels of 0 to 255 row by row, channels last: 1 (grey) or 3 (red,
// green, blue) a pixel.
type Image struct {
	Height, Width, Channels int
	Pixels                  []uint8
}

func (m Image) check() error {
	if m.Channels != 1 && m.Channels != 3 {
		return fmt.Errorf("an image has %d channels; allowed: 1, 3", m.Channels)
	}
	return badSize("an image's pixels", len(m.Pixels), m.Height, m.Width, m.Channels)
}

// picture returns the pixels as Go's image.
func (m Image) picture() *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Height * m.Width {
		p := m.Pixels[i*m.Channels : (i+1)*m.Channels]
		c := color.NRGBA{p[0], p[0], p[0], 255}
		if m.Channels == 3 {
			c.G, c.B = p[1], p[2]
		}
		out.SetNRGBA(i%m.Width, i/m.Width, c)
	}
	return out
}

// heat colours a matrix of rows × columns values.
func heat(values []float64, columns int, s Scale) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, columns, len(values)/columns))
	for i, v := range values {
		out.SetNRGBA(i%columns, i/columns, s.Color(v))
	}
	return out
}

// overlay shows values of a grid over an image: the image in grey shines
// through by three tenths.
func overlay(m Image, values []float64, columns int, s Scale) *image.NRGBA {
	const finer = 8 // so that patches meet inside a pixel
	out := image.NewNRGBA(image.Rect(0, 0, m.Width*finer, m.Height*finer))
	rows := len(values) / columns
	under := m.picture()
	for y := range m.Height * finer {
		for x := range m.Width * finer {
			p := under.NRGBAAt(x/finer, y/finer)
			grey := .299*float64(p.R) + .587*float64(p.G) + .114*float64(p.B)
			c := s.Color(values[y*rows/(m.Height*finer)*columns+x*columns/(m.Width*finer)])
			mix := func(v uint8) uint8 { return uint8(math.Round(.3*grey + .7*float64(v))) }
			out.SetNRGBA(x, y, color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 255})
		}
	}
	return out
}

// filterImage makes weights of any range pixels around grey, the largest
// magnitude at one end of 0 to 255.
func filterImage(values []float64, size, channels int) Image {
	top := 1e-30
	for _, v := range values {
		top = math.Max(top, math.Abs(v))
	}
	m := Image{size, size, channels, make([]uint8, len(values))}
	for i, v := range values {
		m.Pixels[i] = uint8(math.Round(127.5 + 127.5*v/top))
	}
	return m
}

// lit shows an image as bright as the values of a grid are large.
func lit(m Image, values []float64, columns int) *image.NRGBA {
	out := m.picture()
	rows, top := len(values)/columns, quantile(1, values)
	for y := range m.Height {
		for x := range m.Width {
			share := .08
			if top > 0 {
				share += .92 * values[y*rows/m.Height*columns+x*columns/m.Width] / top
			}
			c := out.NRGBAAt(x, y)
			dim := func(v uint8) uint8 { return uint8(math.Round(share * float64(v))) }
			out.SetNRGBA(x, y, color.NRGBA{dim(c.R), dim(c.G), dim(c.B), 255})
		}
	}
	return out
}

// region is a rectangle of an image.
func region(m image.Image, x, y, width, height int) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	for j := range height {
		for i := range width {
			out.Set(i, j, m.At(x+i, y+j))
		}
	}
	return out
}
