package experiments_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/models"
)

// reversals draws sequences and the same the other way round.
func reversals(random *rand.Rand, count, length, symbols int) (sources, targets [][]int32) {
	for range count {
		source := make([]int32, length)
		for i := range source {
			source[i] = 1 + random.Int32N(int32(symbols))
		}
		target := slices.Clone(source)
		slices.Reverse(target)
		sources, targets = append(sources, source), append(targets, target)
	}
	return sources, targets
}

// TestTranslatorLearns: with attention a network learns to reverse sequences,
// and its attention runs along the other diagonal.
func TestTranslatorLearns(t *testing.T) {
	b, _ := open(t, backend.XLA)
	const length, symbols = 5, 6
	for _, attention := range []bool{true, false} {
		net, err := experiments.NewTranslator(b, models.Seq2Seq{Symbols: symbols, Embed: 8, Hidden: 24, Attention: attention}, experiments.DefaultAdamW(.01), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer net.Close()
		net.Optimizer.WeightDecay = 0
		random := rand.New(rand.NewPCG(1, 2))
		first, last := 0.0, 0.0
		for step := range 300 {
			loss, err := net.Step(reversals(random, 32, length, symbols))
			if err != nil {
				t.Fatal(err)
			}
			if last = loss; step == 0 {
				first = loss
			}
		}
		if math.Abs(first-math.Log(symbols+1)) > .1 {
			t.Errorf("the first loss is %v, that of a guess is %v", first, math.Log(symbols+1))
		}
		sources, targets := reversals(random, 50, length, symbols)
		got, alignment, err := net.Translate(sources, length+1)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for i := range got {
			if slices.Equal(got[i], targets[i]) {
				right++
			}
		}
		t.Logf("attention %v: loss %.3f, %d of 50 right", attention, last, right)
		if !attention {
			if alignment != nil {
				t.Error("without attention there is an alignment")
			}
			continue
		}
		if right < 40 {
			t.Errorf("%d of 50 sequences are reversed right, loss %.3f", right, last)
		}
		for i, row := range alignment[0] {
			sum, best := 0.0, 0
			for j, w := range row {
				sum += float64(w)
				if w > row[best] {
					best = j
				}
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Errorf("row %d of the alignment sums to %v", i, sum)
			}
			if len(got[0]) == length && best != length-1-i {
				t.Logf("row %d looks at %d", i, best)
			}
		}
	}
}

func TestTranslatorRefuses(t *testing.T) {
	b, _ := open(t, backend.Go)
	net, err := experiments.NewTranslator(b, models.Seq2Seq{Symbols: 3, Embed: 2, Hidden: 2}, experiments.DefaultAdamW(.01), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	for want, sources := range map[string][][]int32{
		"no source is given":              {},
		"source 1 is empty":               {{1}, {}},
		"holds symbol 4; allowed: 1 to 3": {{4}},
		"holds symbol 0; allowed: 1 to 3": {{1, 0}},
		"1 sources but 2 targets":         {{1}},
	} {
		if _, err := net.Step(sources, [][]int32{{1}, {2}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", sources, err, want)
		}
	}
}
