package augment

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// ramp is an image whose bytes are all different from their neighbours'.
func ramp(height, width, channels int) []uint8 {
	image := make([]uint8, height*width*channels)
	for i := range image {
		image[i] = uint8(1 + i*37%251)
	}
	return image
}

// about fails where a share of n trials is more than five standard deviations from p.
func about(t *testing.T, what string, hits, n int, p float64) {
	t.Helper()
	if got, within := float64(hits)/float64(n), 5*math.Sqrt(p*(1-p)/float64(n)); math.Abs(got-p) > within {
		t.Errorf("%s: %.4f of %d, want %.4f ± %.4f", what, got, n, p, within)
	}
}

// A crop is one of the (2·padding+1)² windows of the padded image, all as likely.
func TestCropAndFlip(t *testing.T) {
	const h, w, c, pad, n = 5, 6, 3, 2, 20_000
	original := ramp(h, w, c)
	at := func(image []uint8, y, x, k int) uint8 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return image[(y*w+x)*c+k]
	}
	counts, flips := map[[2]int]int{}, 0
	v := NewVarier(Policy{Crop: pad, Flip: true}, h, w, c)
	for i := range n {
		image := slices.Clone(original)
		v.Image(image, 1, 0, i)
		found := 0
		for down := -pad; down <= pad; down++ {
			for right := -pad; right <= pad; right++ {
				for flip := range 2 {
					same := true
					for y := range h {
						for x := range w {
							for k := range c {
								from := x
								if flip == 1 {
									from = w - 1 - x
								}
								same = same && at(image, y, x, k) == at(original, y-down, from-right, k)
							}
						}
					}
					if same {
						found++
						counts[[2]int{down, right}]++
						flips += flip
					}
				}
			}
		}
		if found != 1 {
			t.Fatalf("image %d is %d of the windows, want 1", i, found)
		}
	}
	about(t, "flipped", flips, n, .5)
	for place, count := range counts {
		about(t, "window "+string(rune('0'+place[0]+pad))+string(rune('0'+place[1]+pad)), count, n, 1./25)
	}
}

func TestErase(t *testing.T) {
	const size, n, p = 32, 4000, .25
	v := NewVarier(Policy{Erase: p}, size, size, 3)
	erased, area, sum, values := 0, 0., 0., 0
	for i := range n {
		image := make([]uint8, size*size*3)
		v.Image(image, 2, 3, i)
		top, bottom, left, right := size, -1, size, -1
		for y := range size {
			for x := range size {
				pixel := image[(y*size+x)*3 : (y*size+x)*3+3]
				if slices.Max(pixel) > 0 {
					top, bottom, left, right = min(top, y), max(bottom, y), min(left, x), max(right, x)
				}
			}
		}
		if bottom < 0 {
			continue
		}
		erased++
		h, w := bottom-top+1, right-left+1
		area += float64(h*w) / (size * size)
		if share := float64(h*w) / (size * size); share < .012 || share > .44 { // a side is rounded
			t.Fatalf("image %d: a rectangle of %d × %d", i, h, w)
		}
		for y := top; y <= bottom; y++ {
			for _, b := range image[(y*size+left)*3 : (y*size+right+1)*3] {
				sum += float64(b)
				values++
			}
		}
	}
	about(t, "erased", erased, n, p)
	if mean := area / float64(erased); math.Abs(mean-.19) > .02 { // slender large ones do not fit
		t.Errorf("mean area %.3f, want .02 to .4 on average about .19", mean)
	}
	if mean := sum / float64(values); math.Abs(mean-127.5) > .5 {
		t.Errorf("mean of the erased bytes is %.2f, want 127.5", mean)
	}
}

// RandAugment draws its operations evenly, and at magnitude 0 none but those without magnitude change anything.
func TestRandDrawsEvenly(t *testing.T) {
	const n = 14_000
	original := ramp(8, 8, 3)
	changed := 0
	v := NewVarier(Policy{Rand: &Rand{Operations: 1, Magnitude: 0}}, 8, 8, 3)
	for i := range n {
		image := slices.Clone(original)
		v.Image(image, 1, 0, i)
		if !slices.Equal(image, original) {
			changed++
		}
	}
	// autoContrast changes the ramp; equalize does not, for it has fewer than 255 pixels.
	about(t, "changed", changed, n, 1./14)

	v = NewVarier(Policy{Rand: &Rand{Operations: 2, Magnitude: 30}}, 8, 8, 3)
	same := 0
	for i := range n {
		image := slices.Clone(original)
		v.Image(image, 1, 0, i)
		if slices.Equal(image, original) {
			same++
		}
	}
	// Twice none of identity and equalize; a few pairs undo one another (mirrored shifts do not, solarize twice does).
	if got := float64(same) / n; got < 4./196-.006 || got > 4./196+.02 {
		t.Errorf("%.4f of the images stay as they are, want about %.4f", got, 4./196)
	}
}

// The same image in the same epoch of the same run is varied in the same way by whoever does it, else otherwise.
func TestVariesByImageAlone(t *testing.T) {
	p := Policy{Crop: 4, Flip: true, Rand: &Rand{2, 20}, Erase: .5}
	one, other := NewVarier(p, 32, 32, 3), NewVarier(p, 32, 32, 3)
	vary := func(v *Varier, seed int64, epoch, index int) string {
		image := ramp(32, 32, 3)
		v.Image(image, seed, epoch, index)
		return string(image)
	}
	want := vary(one, 1, 2, 3)
	for i := range 50 {
		vary(other, 9, i, i)
	}
	if vary(other, 1, 2, 3) != want {
		t.Error("what was varied before decides how an image is varied")
	}
	for _, k := range [][3]int{{2, 2, 3}, {1, 3, 3}, {1, 2, 4}} {
		if vary(one, int64(k[0]), k[1], k[2]) == want {
			t.Errorf("seed, epoch and image %v give the same as 1, 2, 3", k)
		}
	}
}

func TestGreyImages(t *testing.T) {
	v := NewVarier(Policy{Crop: 2, Flip: true, Rand: &Rand{3, 30}, Erase: .5}, 28, 28, 1)
	for i := range 500 {
		v.Image(ramp(28, 28, 1), 1, 0, i)
	}
}

func TestMixing(t *testing.T) {
	const count, size, n = 6, 16, 3000
	batch := func() []uint8 {
		images := make([]uint8, count*size*size*3)
		for i := range count {
			for j := range size * size * 3 {
				images[i*size*size*3+j] = uint8(40 * i)
			}
		}
		return images
	}
	s := NewSource()
	for _, m := range []Mixing{{Mixup: .8, Probability: 1}, {CutMix: 1, Probability: .5}, {Mixup: .2, CutMix: 1, Probability: 1}} {
		mixed, cut, sum, squares := 0, 0, 0., 0.
		for i := range n {
			images := batch()
			s.Batch(1, 0, i)
			share := m.Batch(s, images, count, size, size, 3)
			if share < 0 || share > 1 {
				t.Fatalf("share %v", share)
			}
			if slices.Equal(images, batch()) != (share == 1) && share < .99 {
				t.Fatalf("share %v, but the images are changed: %v", share, !slices.Equal(images, batch()))
			}
			if share < 1 {
				mixed++
			}
			sum += share
			squares += share * share
			isCut := false
			for i := range count {
				image := images[i*size*size*3 : (i+1)*size*size*3]
				own, other := float64(40*i), float64(40*(count-1-i))
				mean := 0.
				for _, v := range image {
					mean += float64(v) / float64(len(image))
				}
				// What an image holds of itself is the share that its label keeps.
				if math.Abs(mean-(share*own+(1-share)*other)) > .5 {
					t.Fatalf("image %d has mean %.2f, share %v of %v and the rest of %v", i, mean, share, own, other)
				}
				isCut = isCut || slices.Min(image) != slices.Max(image)
			}
			if isCut {
				cut++
			}
		}
		mean := sum / n
		variance := squares/n - mean*mean
		switch {
		case m.CutMix == 0: // Beta(α, α): mean 1/2, variance 1/(4(2α+1))
			if want := 1 / (4 * (2*m.Mixup + 1)); math.Abs(mean-.5) > .03 || math.Abs(variance-want) > .01 {
				t.Errorf("mixup's λ has mean %.3f and variance %.4f, want .5 and %.4f", mean, variance, want)
			}
		case m.Mixup == 0:
			if got := float64(mixed) / n; got > m.Probability+.046 || got < .8*m.Probability { // an empty rectangle mixes nothing
				t.Errorf("%.3f of the batches are cut, want at most %v", got, m.Probability)
			}
		default:
			if got := float64(cut) / n; got > .53 || got < .4 {
				t.Errorf("%.3f of the batches are cut, want about half", got)
			}
		}
	}
	s.Batch(1, 0, 0)
	if share := (Mixing{Mixup: 1, Probability: 1}).Batch(s, ramp(4, 4, 3), 1, 4, 4, 3); share != 1 {
		t.Errorf("an image alone keeps %v of itself, want all", share)
	}
}

func TestValidate(t *testing.T) {
	for want, p := range map[string]Policy{
		"crop: padding of -1 pixels; allowed: 0 to 1024":                     {Crop: -1},
		"RandAugment: 0 operations of magnitude 5; allowed: 1 to 14":         {Rand: &Rand{0, 5}},
		"RandAugment: 2 operations of magnitude 31; allowed: 1 to 14 of 0":   {Rand: &Rand{2, 31}},
		"RandAugment: 2 operations of magnitude NaN":                         {Rand: &Rand{2, math.NaN()}},
		"erase: probability 1.5; allowed: 0 to 1":                            {Erase: 1.5},
		"mixing: α 0 of mixup and 0 of CutMix; allowed: 0 (without) or more": {Mixing: &Mixing{Probability: 1}},
		"mixing: α -1 of mixup":                                              {Mixing: &Mixing{Mixup: -1, CutMix: 2, Probability: 1}},
		"mixing: probability 0; allowed: more than 0":                        {Mixing: &Mixing{Mixup: 1}},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (Policy{}).Validate(); err != nil {
		t.Error(err)
	}
}

// BenchmarkImage times the variation of one CIFAR-sized image.
func BenchmarkImage(b *testing.B) {
	for name, p := range map[string]Policy{
		"crop-flip": {Crop: 4, Flip: true}, "rand-2": {Rand: &Rand{2, 12}}, "erase": {Erase: 1},
	} {
		b.Run(name, func(b *testing.B) {
			v, image := NewVarier(p, 32, 32, 3), ramp(32, 32, 3)
			for i := range b.N {
				v.Image(image, 1, 0, i)
			}
		})
	}
}
