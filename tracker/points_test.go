package tracker

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func sameSamples(a, b []sample) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].step != b[i].step || a[i].time != b[i].time || !sameBits(a[i].value, b[i].value) {
			return false
		}
	}
	return true
}

func TestBatchesComeBack(t *testing.T) {
	c := newCodec()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, count := range []int{0, 1, 2, 3, chunkPoints, 3000} {
		samples := make([]sample, count)
		for i := range samples {
			samples[i] = sample{int64(rng.Uint64()), int64(rng.Uint64()), math.Float64frombits(rng.Uint64())}
		}
		for name, data := range map[string][]byte{"plain": c.plain(nil, samples), "compressed": c.compressed(nil, samples)} {
			got, err := c.decode(nil, data)
			if err != nil || !sameSamples(got, samples) {
				t.Errorf("%d points, %s: %v", count, name, err)
			}
			for _, cut := range []int{1, len(data) / 2, len(data) - 1} {
				if got, err := c.decode(nil, data[:cut]); err == nil && count > 0 {
					t.Errorf("%d points, %s, cut to %d of %d bytes, gave %d points", count, name, cut, len(data), len(got))
				}
			}
		}
	}
}

// FuzzPoints feeds the decoder what may lie in a damaged file, and checks that
// what it makes of it, and any points at all, come back from the encoder.
func FuzzPoints(f *testing.F) {
	c := newCodec()
	samples := []sample{{1, 2, 3}, {2, 4, math.NaN()}, {math.MinInt64, math.MaxInt64, math.Inf(1)}}
	f.Add(c.plain(nil, samples))
	f.Add(c.compressed(nil, samples))
	f.Add(summaries{{key: 1, count: 2, last: samples[0]}}.encode(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(samples []sample) {
			for _, encoded := range [][]byte{c.plain(nil, samples), c.compressed(nil, samples)} {
				got, err := c.decode(nil, encoded)
				if err != nil || !sameSamples(got, samples) {
					t.Fatalf("%v came back as %v, %v", samples, got, err)
				}
			}
		}
		if samples, err := c.decode(nil, data); err == nil {
			check(samples)
		}
		if samples, err := decodeBody(nil, data); err == nil { // past the checksum
			check(samples)
		}
		var all summaries
		if err := decodeSummaries(data, func(k keySummary) { all = append(all, k) }); err == nil {
			again := 0
			if err := decodeSummaries(all.encode(nil), func(keySummary) { again++ }); err != nil || again != len(all) {
				t.Fatalf("%d summaries came back as %d, %v", len(all), again, err)
			}
		}
		var raw []sample
		for rest := data; len(rest) >= 24; rest = rest[24:] {
			raw = append(raw, sample{int64(binary.LittleEndian.Uint64(rest)), int64(binary.LittleEndian.Uint64(rest[8:])),
				math.Float64frombits(binary.LittleEndian.Uint64(rest[16:]))})
		}
		check(raw)
	})
}
