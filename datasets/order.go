package datasets

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Order is the order in which an epoch visits n pictures: a permutation of 0 to n-1 that depends on
// nothing but n, seed and epoch, so that a resumed run finds its place again on any machine.
//
// The generator is ChaCha8 (math/rand/v2, specified as C2SP chacha8rand) under the 32-byte key
// "patchlab: order " followed by seed and epoch as little-endian 64-bit words; the permutation is
// Fisher and Yates's shuffle from the end, with Lemire's unbiased bounded integers ("Fast Random
// Integer Generation in an Interval", 2019, algorithm 5). Both are written out here or fixed by a
// specification, so a new Go release doesn't change an old run.
func Order(n int, seed int64, epoch int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	src := keyed("patchlab: order ", uint64(seed), uint64(int64(epoch)))
	for i := n - 1; i > 0; i-- {
		j := below(src, uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// keyed is a generator of its own for each pair of words within one domain of 16 letters.
func keyed(domain string, a, b uint64) *rand.ChaCha8 {
	return rand.NewChaCha8(seedKey(domain, a, b))
}

func seedKey(domain string, a, b uint64) (key [32]byte) {
	copy(key[:16], domain)
	binary.LittleEndian.PutUint64(key[16:], a)
	binary.LittleEndian.PutUint64(key[24:], b)
	return key
}

// below is uniform over 0 to n-1, n > 0.
func below(src *rand.ChaCha8, n uint64) uint64 {
	hi, lo := bits.Mul64(src.Uint64(), n)
	if lo < n {
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul64(src.Uint64(), n)
		}
	}
	return hi
}

// Batch copies the pictures order[start], order[start+1], … and their labels, at most size of them,
// to the front of images (size × [Split.ImageSize] bytes) and labels (size values), and returns how many there
// were. The last batch of an epoch is smaller where size doesn't divide len(order); past the end it
// is 0. A nil order is file order. Buffers that are too small panic.
//
// Labels are int32, the type that sparse cross-entropy takes.
func (s Split) Batch(order []int32, start, size int, images []uint8, labels []int32) int {
	total := s.Len()
	if order != nil {
		total = len(order)
	}
	count := min(size, total-start)
	if count <= 0 {
		return 0
	}
	bytes := s.ImageSize()
	if len(images) < count*bytes || len(labels) < count {
		panic(fmt.Sprintf("datasets: batch of %d images needs %d bytes and %d labels, the buffers hold %d and %d",
			count, count*bytes, count, len(images), len(labels)))
	}
	if order == nil {
		copy(images, s.Images[start*bytes:(start+count)*bytes])
		for i, l := range s.Labels[start : start+count] {
			labels[i] = int32(l)
		}
		return count
	}
	for i, at := range order[start : start+count] {
		from := int(at) * bytes
		copy(images[i*bytes:(i+1)*bytes], s.Images[from:from+bytes])
		labels[i] = int32(s.Labels[at])
	}
	return count
}
