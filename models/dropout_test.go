package models

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/backend"
)

// draw returns n random words for a seed and a site.
func draw(t testing.TB, opened compute.Backend, seed any, site, n int) []uint32 {
	t.Helper()
	exec, err := graph.NewExec(opened, func(seed *graph.Node) *graph.Node {
		net := &network{pass: Pass{Seed: seed, Kernels: backend.Kernels(seed.Graph())}}
		return net.randomBits(site, []int{n})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	bits, err := exec.Call1(seed)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[uint32](bits)
}

// TestRandomBitsKeepTheirValues pins the generator: a run that is resumed by a later version must draw
// the same masks. The values were worked by the plain Go loop below.
func TestRandomBitsKeepTheirValues(t *testing.T) {
	plain := func(low, high uint32, site int, i uint32) uint32 {
		mix := func(x uint32) uint32 {
			x = (x ^ x>>16) * 0x7feb352d
			x = (x ^ x>>15) * 0x846ca68b
			return x ^ x>>16
		}
		first := mix(mix(low+0x9e3779b9*uint32(site+1)) + high)
		second := mix(first + 0x85ebca6b)
		x := i*0x9e3779b1 + first
		x = (x ^ x>>16) * 0x7feb352d
		x = (x ^ x>>15 ^ second) * 0x846ca68b
		return x ^ x>>16
	}
	pure := goBackend(t)
	for _, seed := range []uint64{0, 1, 12345, math.MaxUint32, 1 << 32, 0xfedcba9876543210} {
		for _, site := range []int{0, 1, 7} {
			got := draw(t, pure, seed, site, 100)
			for i, v := range got {
				if want := plain(uint32(seed), uint32(seed>>32), site, uint32(i)); v != want {
					t.Fatalf("seed %#x, site %d, element %d: %#x, want %#x", seed, site, i, v, want)
				}
			}
			if seed <= math.MaxUint32 && !slices.Equal(got, draw(t, pure, uint32(seed), site, 100)) {
				t.Errorf("seed %#x as uint32 draws other words than as uint64", seed)
			}
		}
	}
	if got := plain(1, 0, 0, 0); got != 0x234374fc {
		t.Errorf("first word of seed 1 is %#x, and was 0x234374fc in every version", got)
	}
}

func TestRandomBitsAreTheSameOnXLA(t *testing.T) {
	fast, pure := xlaBackend(t), goBackend(t)
	for _, seed := range []any{uint32(3), uint64(0xfedcba9876543210)} {
		if !slices.Equal(draw(t, fast, seed, 2, 1<<16), draw(t, pure, seed, 2, 1<<16)) {
			t.Errorf("seed %v: XLA and pure Go draw different words", seed)
		}
	}
}

// score returns how many standard deviations a count of successes lies from its expectation.
func score(successes, trials int, p float64) float64 {
	n := float64(trials)
	return (float64(successes) - n*p) / math.Sqrt(n*p*(1-p))
}

// TestRandomBitsLookRandom runs on fixed seeds, so it cannot fail by chance: 5 standard deviations are
// far beyond what the largest of its some 700 statistics should reach.
func TestRandomBitsLookRandom(t *testing.T) {
	const n, far = 1 << 18, 5.0
	backend := goBackend(t)
	check := func(what string, z float64) {
		t.Helper()
		if !(math.Abs(z) <= far) {
			t.Errorf("%s: %.1f standard deviations from expectation, allowed %.0f", what, z, far)
		}
	}
	agreeing := func(a, b []uint32, bit int) (same int) {
		for i := range min(len(a), len(b)) {
			if (a[i]^b[i])>>bit&1 == 0 {
				same++
			}
		}
		return same
	}
	type stream struct {
		seed uint32
		site int
	}
	words := map[stream][]uint32{}
	for _, s := range []stream{{0, 0}, {1, 0}, {2, 0}, {0, 1}, {0, 2}, {1, 1}, {1 << 31, 0}} {
		words[s] = draw(t, backend, s.seed, s.site, n)
	}

	for s, w := range words {
		// Each bit is set half of the time, alone and given the element before, the one a row (64) before,
		// and the one a plane (4096) before.
		for bit := range 32 {
			set := 0
			for _, v := range w {
				set += int(v >> bit & 1)
			}
			check(fmt.Sprintf("%v: bit %d set", s, bit), score(set, n, .5))
			if bit >= 28 { // the bits that decide most
				for _, lag := range []int{1, 2, 16, 64, 144, 256, 4096} {
					check(fmt.Sprintf("%v: bit %d with lag %d", s, bit, lag), score(agreeing(w, w[lag:], bit), n-lag, .5))
				}
			}
		}
		// Each byte takes its 256 values equally often: chi-square with 255 degrees of freedom, made
		// normal by Wilson and Hilferty's cube root. Pairs of neighbouring high bytes' upper halves too.
		chi := func(what string, cells []int) {
			total, sum := 0, 0.0
			for _, c := range cells {
				total += c
			}
			expected := float64(total) / float64(len(cells))
			for _, c := range cells {
				sum += (float64(c) - expected) * (float64(c) - expected) / expected
			}
			k := float64(len(cells) - 1)
			check(what, (math.Cbrt(sum/k)-(1-2/(9*k)))/math.Sqrt(2/(9*k)))
		}
		for b := range 4 {
			cells := make([]int, 256)
			for _, v := range w {
				cells[v>>(8*b)&255]++
			}
			chi(fmt.Sprintf("%v: byte %d", s, b), cells)
		}
		pairs := make([]int, 256)
		for i := range n - 1 {
			pairs[w[i]>>28<<4|w[i+1]>>28]++
		}
		chi(fmt.Sprintf("%v: neighbouring nibbles", s), pairs)
		// The kept fraction of each rate in use.
		for _, rate := range []float64{.1, .2, .3, .4, .5, .9} {
			kept := 0
			for _, v := range w {
				if v < uint32((1-rate)*(1<<32)) {
					kept++
				}
			}
			check(fmt.Sprintf("%v: kept at rate %v", s, rate), score(kept, n, 1-rate))
		}
	}
	// Streams of different seeds or sites share nothing, in place or shifted.
	base := words[stream{0, 0}]
	for s, w := range words {
		if (s == stream{0, 0}) {
			continue
		}
		for bit := 24; bit < 32; bit++ {
			check(fmt.Sprintf("%v against {0 0}: bit %d", s, bit), score(agreeing(base, w, bit), n, .5))
			check(fmt.Sprintf("%v against {0 0} shifted by 1: bit %d", s, bit), score(agreeing(base, w[1:], bit), n-1, .5))
		}
	}
}

// TestDropout checks the layer: off outside training and without a seed, else zeros or x/(1-rate), on
// average x, another mask at each site.
func TestDropout(t *testing.T) {
	backend := goBackend(t)
	const rate = .3
	run := func(training, seeded bool) (first, second []float32) {
		exec := graph.MustNewExec(backend, func(x, seed *graph.Node) (*graph.Node, *graph.Node) {
			n := &network{pass: Pass{Training: training, Seed: seed}}
			if !seeded {
				n.pass.Seed = nil
			}
			return n.dropout(x, rate), n.dropout(x, rate)
		})
		defer exec.Finalize()
		x := tensors.FromScalarAndDimensions(float32(2), 100, 1000)
		a, b, err := exec.Call2(x, uint32(9))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](a), tensors.MustCopyFlatData[float32](b)
	}
	for _, off := range [][2]bool{{false, true}, {true, false}} {
		first, _ := run(off[0], off[1])
		for _, v := range first {
			if v != 2 {
				t.Fatalf("training %v, seeded %v: an element became %v", off[0], off[1], v)
			}
		}
	}
	first, second := run(true, true)
	var sum float64
	both := 0
	for i, v := range first {
		if v != 0 && math.Abs(float64(v)-2/(1-rate)) > 1e-6 {
			t.Fatalf("element %d became %v, allowed are 0 and %v", i, v, 2/(1-rate))
		}
		sum += float64(v)
		if v != 0 && second[i] != 0 {
			both++
		}
	}
	if mean := sum / float64(len(first)); math.Abs(mean-2) > 0.02 {
		t.Errorf("mean after dropout is %v, want about 2", mean)
	}
	if z := score(both, len(first), (1-rate)*(1-rate)); math.Abs(z) > 5 {
		t.Errorf("two sites keep the same element too often or too seldom: %.1f standard deviations", z)
	}
}

// TestDropoutGradient: what a mask drops gets no gradient, what it keeps gets 1/(1-rate).
func TestDropoutGradient(t *testing.T) {
	exec := graph.MustNewExec(goBackend(t), func(x *graph.Node) (*graph.Node, *graph.Node) {
		n := &network{pass: Pass{Training: true, Seed: graph.Scalar(x.Graph(), dtypes.Uint32, 5)}}
		y := n.dropout(x, .5)
		return y, graph.Gradient(graph.ReduceAllSum(y), x)[0]
	})
	defer exec.Finalize()
	y, gradient, err := exec.Call2(tensors.FromScalarAndDimensions(float32(1), 1000))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tensors.MustCopyFlatData[float32](y), tensors.MustCopyFlatData[float32](gradient)) {
		t.Error("gradient of dropout is not its own mask")
	}
}

// TestWriteRandomBits writes words without end to the file that PATCHLAB_RANDOM_BITS names, for a battery of
// statistical tests (bench/dropout/run.sh): for the seeds 1, 2, 3 and so on eight sites of 2^20 elements each.
func TestWriteRandomBits(t *testing.T) {
	path := os.Getenv("PATCHLAB_RANDOM_BITS")
	if path == "" {
		t.Skip("PATCHLAB_RANDOM_BITS names no file")
	}
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	exec, err := graph.NewExec(xlaBackend(t), func(seed *graph.Node) *graph.Node {
		var sites []*graph.Node
		for site := range 8 {
			net := &network{pass: Pass{Seed: seed, Kernels: backend.Kernels(seed.Graph())}}
			sites = append(sites, net.randomBits(site, []int{1 << 20}))
		}
		return graph.Stack(sites, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	for seed := uint32(1); ; seed++ {
		bits, err := exec.Call1(seed)
		if err != nil {
			t.Fatal(err)
		}
		if binary.Write(out, binary.LittleEndian, tensors.MustCopyFlatData[uint32](bits)) != nil {
			return // the reader has enough
		}
		bits.MustFinalizeAll()
	}
}
