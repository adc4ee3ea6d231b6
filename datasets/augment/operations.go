package augment

import "math"

// operation is one of RandAugment's.
type operation int

const (
	identity operation = iota
	autoContrast
	equalize
	rotate
	solarize
	colour
	posterize
	contrast
	brightness
	sharpness
	shearX
	shearY
	translateX
	translateY
	operations // how many there are
)

// operate applies an operation at a magnitude, 0 to [MaxMagnitude]; those that
// have a direction go the other way where negative. The ranges are torchvision's:
// the farther from 0, the farther from the image as it was (the paper's own code
// has colour, contrast, brightness and sharpness go from .1 to 1.9 times as much,
// so that its middle magnitude changes nothing). What comes into view is grey
// 128, as in the paper's code. Bytes are those that Pillow computes.
func (p *picture) operate(op operation, magnitude float64, negative bool) {
	m := magnitude / MaxMagnitude
	signed := m
	if negative {
		signed = -m
	}
	const degree = math.Pi / 180
	switch op {
	case autoContrast:
		p.autoContrast()
	case equalize:
		p.equalize()
	case rotate:
		p.turn(30 * signed * degree)
	case solarize:
		limit := 255 * (1 - m)
		p.lookUp(func(v int) int {
			if float64(v) < limit {
				return v
			}
			return 255 - v
		})
	case colour:
		p.colour(float32(1 + .9*signed))
	case posterize:
		drop := int(math.RoundToEven(4 * m))
		p.lookUp(func(v int) int { return v >> drop << drop })
	case contrast:
		mean, factor := p.meanGrey(), float32(1+.9*signed)
		p.lookUp(func(v int) int { return blend(mean, v, factor) })
	case brightness:
		factor := float32(1 + .9*signed)
		p.lookUp(func(v int) int { return blend(0, v, factor) })
	case sharpness:
		p.sharpen(float32(1 + .9*signed))
	case shearX:
		p.affine(1, .3*signed, 0, 0, 1, 0)
	case shearY:
		p.affine(1, 0, 0, .3*signed, 1, 0)
	case translateX:
		p.affine(1, 0, math.Trunc(signed*150/331*float64(p.width)), 0, 1, 0)
	case translateY:
		p.affine(1, 0, 0, 0, 1, math.Trunc(signed*150/331*float64(p.height)))
	}
}

// blend goes from a to b and, with factors beyond 1, past it; what is no byte is
// cut. The conversions keep the compiler from joining product and sum, which
// rounds otherwise on some machines.
func blend(a, b int, factor float32) int {
	return int(min(max(float32(a)+float32(factor*float32(b-a)), 0), 255))
}

// lookUp replaces each byte by what f gives for it.
func (p *picture) lookUp(f func(int) int) {
	var table [256]uint8
	for v := range table {
		table[v] = uint8(f(v))
	}
	for i, v := range p.pixels {
		p.pixels[i] = table[v]
	}
}

// grey is the luma of a pixel (ITU-R BT.601, in 16 bits as Pillow has it).
func grey(r, g, b uint8) int {
	return int(uint32(r)*19595+uint32(g)*38470+uint32(b)*7471+0x8000) >> 16
}

// meanGrey is the mean luma, rounded.
func (p *picture) meanGrey() int {
	sum, count := 0, p.height*p.width
	if p.channels != 3 {
		for _, v := range p.pixels {
			sum += int(v)
		}
		count *= p.channels
	} else {
		for i := 0; i < len(p.pixels); i += 3 {
			sum += grey(p.pixels[i], p.pixels[i+1], p.pixels[i+2])
		}
	}
	return int(float64(sum)/float64(count) + .5)
}

// colour goes from the grey image (factor 0) through the image (1) beyond.
func (p *picture) colour(factor float32) {
	if p.channels != 3 {
		return // grey has no colour
	}
	for i := 0; i < len(p.pixels); i += 3 {
		pixel := p.pixels[i : i+3 : i+3]
		luma := grey(pixel[0], pixel[1], pixel[2])
		for k, v := range pixel {
			pixel[k] = uint8(blend(luma, int(v), factor))
		}
	}
}

// sharpen goes from the smoothed image (factor 0) through the image (1) beyond.
// The outermost pixels stay.
func (p *picture) sharpen(factor float32) {
	c, row := p.channels, p.width*p.channels
	copy(p.spare, p.pixels)
	for y := 1; y < p.height-1; y++ {
		above, here, below := p.pixels[(y-1)*row:y*row], p.pixels[y*row:(y+1)*row], p.pixels[(y+1)*row:(y+2)*row]
		for i := c; i < row-c; i++ {
			sum := 5*int(here[i]) + int(here[i-c]) + int(here[i+c]) +
				int(above[i-c]) + int(above[i]) + int(above[i+c]) + int(below[i-c]) + int(below[i]) + int(below[i+c])
			p.spare[y*row+i] = uint8(blend((2*sum+13)/26, int(here[i]), factor)) // sum/13, rounded
		}
	}
	p.swap()
}

// perChannel replaces each channel's bytes by a table made from its histogram,
// unless it has none.
func (p *picture) perChannel(table func(histogram *[256]int) *[256]uint8) {
	for k := range p.channels {
		var histogram [256]int
		for i := k; i < len(p.pixels); i += p.channels {
			histogram[p.pixels[i]]++
		}
		t := table(&histogram)
		if t == nil {
			continue
		}
		for i := k; i < len(p.pixels); i += p.channels {
			p.pixels[i] = t[p.pixels[i]]
		}
	}
}

// autoContrast stretches each channel to 0 and 255.
func (p *picture) autoContrast() {
	p.perChannel(func(histogram *[256]int) *[256]uint8 {
		low, high := 0, 255
		for low < 255 && histogram[low] == 0 {
			low++
		}
		for high > 0 && histogram[high] == 0 {
			high--
		}
		if high <= low {
			return nil
		}
		var t [256]uint8
		scale := 255 / float64(high-low)
		offset := float64(-low) * scale
		for v := range t {
			t[v] = uint8(min(max(float64(float64(v)*scale)+offset, 0), 255))
		}
		return &t
	})
}

// equalize makes each channel's values about equally frequent.
func (p *picture) equalize() {
	p.perChannel(func(histogram *[256]int) *[256]uint8 {
		last := 255
		for last > 0 && histogram[last] == 0 {
			last--
		}
		step := (p.height*p.width - histogram[last]) / 255
		if step == 0 {
			return nil
		}
		var t [256]uint8
		n := step / 2
		for v := range t {
			t[v] = uint8(min(n/step, 255))
			n += histogram[v]
		}
		return &t
	})
}

// turn rotates counter-clockwise about the middle, by an angle in radians.
func (p *picture) turn(angle float64) {
	cos, sin := math.Cos(angle), math.Sin(angle)
	x, y := float64(p.width)/2, float64(p.height)/2
	p.affine(cos, -sin, x-(cos*x-sin*y), sin, cos, y-(sin*x+cos*y))
}

// affine takes each pixel from where (a x + b y + c, d x + e y + f) lies, the
// nearest, in 16 fractional bits.
func (p *picture) affine(a, b, c, d, e, f float64) {
	fixed := func(v float64) int { return int(math.Floor(v*65536 + .5)) }
	stepX, stepY := [2]int{fixed(a), fixed(d)}, [2]int{fixed(b), fixed(e)}
	line := [2]int{fixed(c + a*.5 + b*.5), fixed(f + d*.5 + e*.5)}
	n, at := p.channels, 0
	for range p.height {
		x, y := line[0], line[1]
		for range p.width {
			fromX, fromY := x>>16, y>>16
			if fromX >= 0 && fromX < p.width && fromY >= 0 && fromY < p.height {
				from := (fromY*p.width + fromX) * n
				for k := range n {
					p.spare[at+k] = p.pixels[from+k]
				}
			} else {
				for k := range n {
					p.spare[at+k] = 128
				}
			}
			at += n
			x, y = x+stepX[0], y+stepX[1]
		}
		line[0], line[1] = line[0]+stepY[0], line[1]+stepY[1]
	}
	p.swap()
}
