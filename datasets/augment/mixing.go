package augment

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Batch mixes count images of a size, in place: image i with image count−1−i,
// which in a shuffled batch is a random pairing (as in timm). It returns λ, the
// share that an image keeps of itself; its label is to keep the same share, and
// the rest goes to the other's. λ is 1 where nothing is mixed. Source is to be
// set by [Source.Batch].
func (m Mixing) Batch(s *Source, images []uint8, count, height, width, channels int) float64 {
	if s.Float64() >= m.Probability || count < 2 {
		return 1
	}
	size := height * width * channels
	cut := m.CutMix > 0 && (m.Mixup == 0 || s.Uint64()&1 == 1)
	pairs := func(mix func(a, b []uint8)) {
		for i := range count / 2 {
			j := count - 1 - i
			mix(images[i*size:(i+1)*size], images[j*size:(j+1)*size])
		}
	}
	if !cut {
		share := beta(m.Mixup, s)
		keep := int(math.Round(share * 65536))
		pairs(func(a, b []uint8) { blendPair(a, b, keep) })
		return float64(keep) / 65536
	}
	top, left, h, w := rectangle(beta(m.CutMix, s), height, width, s)
	pairs(func(a, b []uint8) {
		for y := top; y < top+h; y++ {
			at := (y*width + left) * channels
			for i := at; i < at+w*channels; i++ {
				a[i], b[i] = b[i], a[i]
			}
		}
	})
	return 1 - float64(h*w)/float64(height*width)
}

func beta(alpha float64, s *Source) float64 {
	return distuv.Beta{Alpha: alpha, Beta: alpha, Src: s}.Rand()
}

// blendPair gives each image keep/65536 of itself and the rest of the other,
// rounded to a byte. Deviation from mixup as published: the blend is of bytes, at
// most half a grey level off.
func blendPair(a, b []uint8, keep int) {
	other := 65536 - keep
	b = b[:len(a)]
	for i, v := range a {
		w := int(b[i])
		a[i] = uint8((int(v)*keep + w*other + 32768) >> 16)
		b[i] = uint8((w*keep + int(v)*other + 32768) >> 16)
	}
}

// rectangle draws CutMix's box (its section 3.1, equation 2): sides √(1−λ) of the
// image's around a uniform middle, cut at the borders.
func rectangle(share float64, height, width int, s *Source) (top, left, h, w int) {
	side := math.Sqrt(1 - share)
	span := func(size int) (from, length int) {
		half := int(side*float64(size)) / 2
		middle := s.IntN(size)
		from = max(0, middle-half)
		return from, min(size, middle+half) - from
	}
	top, h = span(height)
	left, w = span(width)
	return top, left, h, w
}
