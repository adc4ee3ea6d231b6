package datasets

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// The shapes are drawn in integers throughout, so that a seed gives the same bytes on every
// machine: floating point may be fused differently from one processor to another. Lengths are in
// 1/256 of a pixel, sines and cosines in 1/16384, opacity in 1/256, colours in grey levels.
const (
	side    = 32  // pixels
	pixel   = 256 // the unit of length is a 256th of a pixel
	sineOne = 1 << 14
	turn    = 1024 // the unit of angle is a 1024th of a turn
	opaque  = 256
)

// dice draws integers from a keyed ChaCha8 generator.
type dice struct{ src *rand.ChaCha8 }

func (d dice) key(domain string, a, b uint64) { d.src.Seed(seedKey(domain, a, b)) }

// upTo is uniform over 0 to n, both included, up to a bias below 2^-48 for the n in use here.
func (d dice) upTo(n int) int {
	return int((d.src.Uint64() >> 16) * uint64(n+1) >> 48)
}

// between is uniform over lo to hi, both included.
func (d dice) between(lo, hi int) int { return lo + d.upTo(hi-lo) }

// once in n throws, on average.
func (d dice) onceIn(n int) bool { return d.upTo(n-1) == 0 }

// sign is -1 or 1.
func (d dice) sign() int { return 2*d.upTo(1) - 1 }

// noise fills out with independent values of a triangular distribution over -255 to 255 (standard
// deviation 104): the difference of two random bytes.
func (d dice) noise(out []int16) {
	var word [8]byte
	for len(out) >= 4 {
		binary.LittleEndian.PutUint64(word[:], d.src.Uint64())
		for i := range 4 {
			out[i] = int16(word[2*i]) - int16(word[2*i+1])
		}
		out = out[4:]
	}
}

// sine of an angle in 1024ths of a turn, in units of 1/16384, to within one unit: the Taylor
// polynomial to degree 9 on a quarter turn, evaluated in 2^-30.
func sine(angle int) int {
	a := angle & (turn - 1)
	negative := a >= turn/2
	a &= turn/2 - 1
	if a > turn/4 {
		a = turn/2 - a
	}
	const one = 1 << 30
	const radian = 6588397 // 2π/1024 in 2^-30
	x := int64(a) * radian
	square := (x * (x >> 2) >> 28)
	term, sum := x, x
	for k := int64(1); k <= 4; k++ {
		term = -(term * (square >> 2) >> 28) / (2 * k * (2*k + 1))
		sum += term
	}
	value := int((sum*sineOne + one/2) >> 30)
	if negative {
		return -value
	}
	return value
}

func cosine(angle int) int { return sine(angle + turn/4) }

// colour is red, green, blue in grey levels.
type colour [3]int32

// mix is a moved towards b by share/256.
func (a colour) mix(b colour, share int32) colour {
	for c := range a {
		a[c] += (b[c] - a[c]) * share >> 8
	}
	return a
}

// plus is each channel made lighter by the same amount.
func (a colour) plus(level int32) colour {
	for c := range a {
		a[c] += level
	}
	return a
}

// distance is the sum over channels of the differences.
func (a colour) distance(b colour) int32 {
	sum := int32(0)
	for c := range a {
		sum += max(a[c]-b[c], b[c]-a[c])
	}
	return sum
}

// hueTurn is the number of hues on the colour circle: six edges of 256 steps.
const hueTurn = 6 * 256

// hsv is the colour of a hue (any integer, modulo hueTurn), a saturation and a value of 0 to 255.
func hsv(hue, saturation, value int) colour {
	hue = (hue%hueTurn + hueTurn) % hueTurn
	edge, along := hue/256, hue%256
	low := value * (255 - saturation) / 255
	up := low + (value-low)*along/255
	down := value - (value-low)*along/255
	v, l, u, d := int32(value), int32(low), int32(up), int32(down)
	return [6]colour{{v, u, l}, {d, v, l}, {l, v, u}, {l, d, v}, {u, l, v}, {v, l, d}}[edge]
}

// outline is a family of closed figures.
type outline int

const (
	outlineDisc outline = iota
	outlineTriangle
	outlineStar
)

// figure is an outline at a place, of a size, turned. Radius is that of the circle around it.
type figure struct {
	outline  outline
	x, y     int // centre
	radius   int
	sin, cos int // of the turn
	squeeze  int // width over height in 256ths
}

// local turns a point of the picture into the figure's own frame, before the squeeze.
func (f *figure) local(x, y int) (u, v int) {
	x, y = x-f.x, y-f.y
	return (x*f.cos + y*f.sin) >> 14, (y*f.cos - x*f.sin) >> 14
}

// distance is how far a point of the figure's own frame lies outside of the outline, negative inside.
// It is exact near the edges that it is used for, up to the squeeze.
func (f *figure) distance(u, v int) int {
	u = u * 256 / f.squeeze
	switch f.outline {
	case outlineTriangle: // three half planes, at half the outer radius from the centre
		u = max(u, -u)
		return max(-v, (14189*u+8192*v)>>14) - f.radius/2
	case outlineStar:
		// Mirror the point into the tenth of the star between a tip, straight up, and the notch
		// beside it, 36 degrees on: across the axes at 108 degrees and at 36 degrees, and upright.
		u = max(u, -u)
		if t := (-5063*u - 15582*v) >> 14; t > 0 {
			u, v = u+(2*t*5063>>14), v+(2*t*15582>>14)
		}
		if t := (13255*u - 9630*v) >> 14; t > 0 {
			u, v = u-(2*t*13255>>14), v+(2*t*9630>>14)
		}
		u = max(u, -u)
		// There the edge is one line, from the tip to a notch at .45 of the radius.
		return (15128*u + 6292*(v-f.radius)) >> 14
	default:
		return root(u*u+v*v) - f.radius
	}
}

// root is the square root, rounded down; math.Sqrt is correctly rounded, so this too is the same
// everywhere.
func root(n int) int { return int(math.Sqrt(float64(n))) }

// cover is the opacity at a distance outside of an edge: a ramp one pixel wide.
func cover(distance int) int32 { return int32(min(max(opaque/2-distance, 0), opaque)) }

// canvas is a picture in the making.
type canvas [side * side]colour

// paint lays a figure onto the canvas. fill gives the colour at a point of the figure's own frame.
func (c *canvas) paint(f *figure, opacity int32, fill func(u, v int) colour) {
	reach := f.radius*max(256, f.squeeze)/256 + pixel
	x0, x1 := span(f.x, reach)
	y0, y1 := span(f.y, reach)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			u, v := f.local(x*pixel+pixel/2, y*pixel+pixel/2)
			if share := cover(f.distance(u, v)) * opacity >> 8; share > 0 {
				at := &c[y*side+x]
				*at = at.mix(fill(u, v), share)
			}
		}
	}
}

// span is the pixels, lo up to hi, that lie within reach of a centre.
func span(centre, reach int) (lo, hi int) {
	return max((centre-reach)>>8, 0), min((centre+reach)>>8+1, side)
}

// line lays a straight stroke of infinite length through (x, y) onto the canvas.
func (c *canvas) line(x, y, angle, width int, ink colour, opacity int32) {
	sin, cos := sine(angle), cosine(angle)
	for i := range c {
		dx, dy := (i%side)*pixel+pixel/2-x, (i/side)*pixel+pixel/2-y
		across := (dy*cos - dx*sin) >> 14
		if share := cover(max(across, -across)-width/2) * opacity >> 8; share > 0 {
			c[i] = c[i].mix(ink, share)
		}
	}
}
