package viz

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestRefusals: numbers that are not what they should be are refused in one
// sentence with what is allowed.
func TestRefusals(t *testing.T) {
	good := scores(2, 3)
	bent := slices.Clone(good)
	bent[4] += 2e-4
	negative := slices.Clone(good)
	negative[0], negative[1] = negative[0]+negative[1]+.5, -.5
	nan := slices.Clone(good)
	nan[7] = float32(math.NaN())
	infinite := noise(4 * 4 * 3 * 96)
	infinite[7] = float32(math.Inf(1))
	a := attention(t, "Block 1", 2, 3)
	m := disc(9)
	of := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"a row of 1.0002":    of(NewAttention("Block 1", 2, bent)),
		"a negative score":   of(NewAttention("Block 1", 2, negative)),
		"NaN":                of(NewAttention("Block 1", 2, nan)),
		"no square":          of(NewAttention("Block 1", 1, make([]float32, 12))),
		"no grid":            of(NewAttention("Block 1", 1, make([]float32, 25))),
		"no heads":           of(NewAttention("Block 1", 0, good)),
		"head 2 of 2":        of(AttentionByQuery("x", a, 2)),
		"empty rollout":      of(Rollout(nil)),
		"unlike layers":      of(Rollout([]Attention{a, attention(t, "Block 2", 1, 2)})),
		"pixels missing":     of(Patches("x", Image{4, 4, 3, make([]uint8, 3)}, 2)),
		"two channels":       of(Patches("x", Image{1, 1, 2, make([]uint8, 2)}, 1)),
		"no grid of patches": of(Patches("x", m, 0)),
		"captions":           of(Images("x", []Image{m}, []string{"a", "b"}, 3)),
		"units":              of(NewUnits("Block 1", make([]float32, 7), 2)),
		"units of no grid":   of(NewUnits("Block 1", make([]float32, 6), 2)),
		"activations":        of(Activations("x", "Block 1", make([]float32, 5), 2, 3)),
		"kernels":            of(DepthwiseKernels("x", "Block 1", make([]float32, 9), 3, 2)),
		"filters":            of(PatchFilters("x", make([]float32, 9), 3, 3, 1)),
		"infinite filters":   of(PatchFilters("x", infinite, 4, 3, 96)),
		"entropy of NaN":     of(AttentionEntropy("x", []HeadValues{{"Block 1", []float64{math.NaN()}}}, 3, 16)),
		"positions":          of(PositionSimilarity("x", make([]float32, 12), 6, 2)),
		"confusion":          of(Confusion("x", [][]int{{1, 2}}, []string{"a", "b"})),
		"nothing confused":   of(Confusion("x", [][]int{{0, 0}, {0, 0}}, []string{"a", "b"})),
		"mistakes":           of(Mistakes("x", nil)),
		"views":              of(Views("x", m, "", nil)),
		"curves":             of(Curves("x", nil, nil)),
		"a broken curve":     of(Curves("x", []Curve{{"a", []float64{1}, nil}}, nil)),
		"no roof":            of(Roofline("x", "", Roofs{0, 1}, [][]Achieved{{{"a", 1, 1}}})),
		"nothing below it":   of(Roofline("x", "", Roofs{1, 1}, nil)),
		"work of no bytes":   of(Roofline("x", "", Roofs{1, 1}, [][]Achieved{{{"a", math.Inf(1), 1}}})),
		"occlusion":          of(Occlusion(m, 10)),
		"movie":              of(AttentionMovie("x", m, a, 0)),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if !strings.Contains(err.Error(), "allowed: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say what is allowed in one line", name, err)
		}
	}
}

// TestTicksEnd: of spans that are no numbers, or are lost in rounding, too.
func TestTicksEnd(t *testing.T) {
	for _, s := range []Scale{
		{Low: math.NaN(), High: math.NaN()}, {High: math.Inf(1)}, {Low: math.Inf(-1), High: math.Inf(1)},
		{Low: 1e13 - .004, High: 1e13}, {Low: 1, High: 1},
	} {
		if n := len(s.ticks()); n > 20 {
			t.Errorf("%g to %g has %d ticks", s.Low, s.High, n)
		}
	}
	if got := (Scale{Low: -1, High: 1}).ticks(); len(got) != 5 || got[0].Value != -1 || got[4].Value != 1 {
		t.Errorf("-1 to 1 has the ticks %v", got)
	}
}

// TestDistanceAndEntropy holds both against values that can be counted by hand.
func TestDistanceAndEntropy(t *testing.T) {
	one, even := make([]float32, 16), make([]float32, 16)
	for q := range 4 {
		one[q*4+q] = 1
		for k := range 4 {
			even[q*4+k] = .25
		}
	}
	a, err := NewAttention("Block 1", 2, append(one, even...))
	if err != nil {
		t.Fatal(err)
	}
	if d := a.Distances(); d[0] != 0 || math.Abs(d[1]-(2+math.Sqrt2)/4) > 1e-12 || math.Abs(d[1]-evenDistance(2)) > 1e-12 {
		t.Errorf("distances %v, want 0 and (2 + √2)/4 patches", d)
	}
	if e := a.Entropies(); e[0] != 0 || math.Abs(e[1]-2) > 1e-12 {
		t.Errorf("entropies %v, want 0 and 2 bits", e)
	}
}

// TestRollout: with A the mean over heads and I the skip connection the flow is
// (A2 + I)/2 times (A1 + I)/2, whose rows sum to 1; here computed by hand.
func TestRollout(t *testing.T) {
	layer := func(rows ...float32) Attention {
		a, err := NewAttention("x", 1, rows)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	to0 := layer(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
	to1 := layer(0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
	flow, err := Rollout([]Attention{to0, to1})
	if err != nil {
		t.Fatal(err)
	}
	// Patch 3 takes half from itself and half from 1; each of them took half
	// from itself and half from 0 before.
	if want := []float64{.5, .25, 0, .25}; !slices.Equal(flow[12:], want) {
		t.Errorf("patch 3 takes %v, want %v", flow[12:], want)
	}
}

// TestByFrequency: pairs of opposite waves come out side by side, slow ones first.
func TestByFrequency(t *testing.T) {
	const grid, hidden = 8, 6
	kernel := make([]float32, grid*grid*hidden)
	for j, f := range []float64{3, 1, 2, 1, 3, 2} { // units 0, 4; 1, 3; 2, 5 are pairs
		sign := 1.
		if j >= 3 {
			sign = -1
		}
		for i := range grid * grid {
			kernel[i*hidden+j] = float32(sign * math.Cos(2*math.Pi*f*float64(i%grid)/grid))
		}
	}
	u, err := NewUnits("Block 1", kernel, hidden)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.ByFrequency(), []int{1, 3, 2, 5, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	even, err := NewUnits("Block 1", slices.Repeat([]float32{.5}, grid*grid), 1)
	if err != nil {
		t.Fatal(err)
	}
	if f := even.Frequencies()[0]; f != 0 {
		t.Errorf("a unit of one weight has the frequency %v, want 0", f)
	}
	for i, want := range []float64{3, 1, 2, 1, 3, 2} {
		if got := u.Frequencies()[i]; math.Abs(got-want) > 1e-6 {
			t.Errorf("unit %d has the frequency %v, want %v", i, got, want)
		}
	}
}

// TestPrincipal: filters made of two patterns have two components, which are they.
func TestPrincipal(t *testing.T) {
	a, b := []float64{1, 0, 0, 0}, []float64{0, 1, 0, 0}
	const samples = 100
	values := make([]float64, 4*samples)
	for j := range samples {
		for i := range 4 {
			values[i*samples+j] = 3*math.Sin(float64(j))*a[i] + math.Cos(1.7*float64(j))*b[i]
		}
	}
	components, shares, err := principal(values, 4, samples, 3)
	if err != nil {
		t.Fatal(err)
	}
	if components[0][0] < .99 || components[1][1] < .99 || shares[0] < .85 || shares[0]+shares[1] < .9999 {
		t.Errorf("components %.3v explain %.3v", components, shares)
	}
}

// TestOcclusion: each copy differs in its patch alone, and the mean is kept.
func TestOcclusion(t *testing.T) {
	m := disc(9)
	copies, err := Occlusion(m, 4) // 9 pixels in 4 patches: of 2, 2, 2 and 3
	if err != nil {
		t.Fatal(err)
	}
	touched := make([]int, 9*9)
	for _, c := range copies {
		for i := range touched {
			if !slices.Equal(c.Pixels[i*3:i*3+3], m.Pixels[i*3:i*3+3]) {
				touched[i]++
			}
		}
	}
	for i, n := range touched {
		if n != 1 {
			t.Errorf("pixel %d is covered %d times, want once", i, n)
		}
	}
}
