package viz

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
)

// WriteGIF writes the movie as an animated GIF with so many pixels a point. All
// frames share one palette of 256 colours, chosen for them by median cut, and
// no dithering, which would speckle flat maps; after the first, a frame holds
// only what changed, the rest is transparent.
func (m *Movie) WriteGIF(w io.Writer, scale float64) error {
	chosen, err := m.palette(scale)
	if err != nil {
		return fmt.Errorf("write GIF: %w", err)
	}
	same := uint8(len(chosen) - 1) // the last, transparent: as in the frame before
	nearest := map[uint32]uint8{}
	out := &gif.GIF{}
	err = m.each(scale, func(i int, frame, before *image.RGBA, area image.Rectangle) error {
		if i == 0 {
			out.Config = image.Config{ColorModel: chosen, Width: area.Dx(), Height: area.Dy()}
		}
		p := image.NewPaletted(area, chosen)
		for y := area.Min.Y; y < area.Max.Y; y++ {
			for x := area.Min.X; x < area.Max.X; x++ {
				c := frame.RGBAAt(x, y)
				key := uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B)
				index, ok := nearest[key]
				if !ok {
					index = uint8(chosen[:same].Index(c))
					nearest[key] = index
				}
				if i > 0 && before.RGBAAt(x, y) == c {
					index = same
				}
				p.SetColorIndex(x, y, index)
			}
		}
		out.Image = append(out.Image, p)
		out.Delay = append(out.Delay, m.hundredths())
		out.Disposal = append(out.Disposal, gif.DisposalNone)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write GIF: %w", err)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, out); err != nil {
		return fmt.Errorf("write GIF: %w", err)
	}
	return writeAll(w, &b)
}

// palette is 255 colours for the movie, chosen from at most 16 of its frames,
// and a transparent one.
func (m *Movie) palette(scale float64) (color.Palette, error) {
	var some []*image.RGBA
	for i := 0; i < len(m.frames); i += max(1, len(m.frames)/16) {
		r, err := m.frames[i].Raster(scale)
		if err != nil {
			return nil, err
		}
		some = append(some, r)
	}
	return append(medianCut(some, 255), color.RGBA{}), nil
}

// tone is a colour with the number of pixels that have it.
type tone struct {
	rgb   [3]uint8
	times int
}

// medianCut chooses colours for images: the box of all colours is cut again and
// again at the median of its longest side, the box with the most to lose first
// (Heckbert 1982, "Color Image Quantization for Frame Buffer Display"), and each
// box gives its mean.
func medianCut(images []*image.RGBA, most int) color.Palette {
	times := map[[3]uint8]int{}
	for _, m := range images {
		for i := 0; i < len(m.Pix); i += 4 {
			times[[3]uint8(m.Pix[i:i+3])]++
		}
	}
	all := make([]tone, 0, len(times))
	for rgb, n := range times {
		all = append(all, tone{rgb, n})
	}
	slices.SortFunc(all, func(a, b tone) int { return slices.Compare(a.rgb[:], b.rgb[:]) }) // a map has no order
	boxes := [][]tone{all}
	for len(boxes) < most {
		best, worth, along := -1, 0, 0
		for i, b := range boxes {
			if axis, spread := longest(b); spread > 0 {
				if w := spread * spread * min(weight(b), 1<<20); w > worth {
					best, worth, along = i, w, axis
				}
			}
		}
		if best < 0 {
			break
		}
		b := boxes[best]
		slices.SortStableFunc(b, func(x, y tone) int { return cmp.Compare(x.rgb[along], y.rgb[along]) })
		at := middle(b)
		boxes[best] = b[:at]
		boxes = append(boxes, b[at:])
	}
	var chosen color.Palette
	for _, b := range boxes {
		var sum [3]int
		n := weight(b)
		for _, t := range b {
			for k := range sum {
				sum[k] += int(t.rgb[k]) * t.times
			}
		}
		chosen = append(chosen, color.RGBA{uint8((sum[0] + n/2) / n), uint8((sum[1] + n/2) / n), uint8((sum[2] + n/2) / n), 255})
	}
	return chosen
}

// longest is the axis along which a box's colours differ most, and by how much.
func longest(b []tone) (axis, spread int) {
	for k := range 3 {
		low, high := 255, 0
		for _, t := range b {
			low, high = min(low, int(t.rgb[k])), max(high, int(t.rgb[k]))
		}
		if high-low > spread {
			axis, spread = k, high-low
		}
	}
	return axis, spread
}

func weight(b []tone) int {
	n := 0
	for _, t := range b {
		n += t.times
	}
	return n
}

// middle is where a box splits into halves of about as many pixels, neither empty.
func middle(b []tone) int {
	half, n := weight(b)/2, 0
	for i, t := range b {
		n += t.times
		if n >= half {
			return min(max(i, 1), len(b)-1)
		}
	}
	return len(b) - 1
}
