package augment

import "math"

// picture is one image and room to vary it in.
type picture struct {
	pixels, spare           []uint8 // both height × width × channels
	height, width, channels int
}

// Varier varies images of one size by a policy. It is not safe for concurrent use;
// each goroutine has its own.
type Varier struct {
	policy Policy
	source *Source
	p      picture
}

// NewVarier returns a varier of images of a size.
func NewVarier(policy Policy, height, width, channels int) *Varier {
	return &Varier{policy, NewSource(), picture{spare: make([]uint8, height*width*channels), height: height, width: width, channels: channels}}
}

// Image varies one image in place, by its index in the training images and the
// epoch. Mixing is another matter: see [Mixing.Batch].
func (v *Varier) Image(image []uint8, seed int64, epoch, index int) {
	v.source.Image(seed, epoch, index)
	p, s := &v.p, v.source
	p.pixels = image[:len(p.spare):len(p.spare)]
	if c := v.policy.Crop; c > 0 {
		p.shift(s.IntN(2*c+1)-c, s.IntN(2*c+1)-c)
	}
	if v.policy.Flip && s.Uint64()&1 == 1 {
		p.mirror()
	}
	if r := v.policy.Rand; r != nil {
		for range r.Operations {
			p.operate(operation(s.IntN(int(operations))), r.Magnitude, s.Uint64()&1 == 1)
		}
	}
	if e := v.policy.Erase; e > 0 && s.Float64() < e {
		p.erase(s)
	}
	if &p.pixels[0] != &image[0] { // the last of the swaps left the result in the spare room
		copy(image, p.pixels)
		p.spare = p.pixels
	}
}

// swap makes the spare room the image.
func (p *picture) swap() { p.pixels, p.spare = p.spare, p.pixels }

// shift moves the image down and to the right, and fills with 0: a window of the
// padded image.
func (p *picture) shift(down, right int) {
	if down == 0 && right == 0 {
		return
	}
	clear(p.spare)
	row := p.width * p.channels
	from, to, n := 0, right*p.channels, row-abs(right)*p.channels
	if right < 0 {
		from, to = -to, 0
	}
	if n > 0 {
		for y := max(0, down); y < min(p.height, p.height+down); y++ {
			copy(p.spare[y*row+to:y*row+to+n], p.pixels[(y-down)*row+from:])
		}
	}
	p.swap()
}

func abs(x int) int { return max(x, -x) }

// mirror exchanges left and right.
func (p *picture) mirror() {
	c, row := p.channels, p.width*p.channels
	for y := range p.height {
		line := p.pixels[y*row : (y+1)*row]
		for a, b := 0, row-c; a < b; a, b = a+c, b-c {
			for k := range c {
				line[a+k], line[b+k] = line[b+k], line[a+k]
			}
		}
	}
}

// erase fills a random rectangle with random bytes: Random Erasing (Zhong et al.
// 2020, "Random Erasing Data Augmentation", algorithm 1, RE-R), of .02 to .4 of
// the area and a side ratio of .3 to 1/.3. Deviation: the ratio is uniform in its
// logarithm, so that both directions are as likely, as in timm and torchvision; a
// rectangle that does not fit is drawn again ten times at most.
func (p *picture) erase(s *Source) {
	for range 10 {
		area := float64(p.height*p.width) * (.02 + .38*s.Float64())
		ratio := math.Exp((2*s.Float64() - 1) * math.Log(1/.3))
		h, w := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
		if h < 1 || w < 1 || h > p.height || w > p.width {
			continue
		}
		top, left := s.IntN(p.height-h+1), s.IntN(p.width-w+1)
		for y := top; y < top+h; y++ {
			at := (y*p.width + left) * p.channels
			fill(p.pixels[at:at+w*p.channels], s)
		}
		return
	}
}

// fill writes random bytes.
func fill(b []uint8, s *Source) {
	for len(b) > 0 {
		word := s.Uint64()
		for i := range min(8, len(b)) {
			b[i] = uint8(word >> (8 * i))
		}
		b = b[min(8, len(b)):]
	}
}
