package course

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"patchlab/experiments"
	"patchlab/models"
)

// Translator is an untrained encoder-decoder of the size that the first section
// trains, with or without attention.
func Translator(attention bool, symbols int, seed int64) *experiments.Translator {
	b, _ := Backend() // lives as long as the cell
	optimizer := experiments.DefaultAdamW(.005)
	optimizer.WeightDecay = 0
	return must(experiments.NewTranslator(b, models.Seq2Seq{Symbols: symbols, Embed: 16, Hidden: 48, Attention: attention}, optimizer, seed))
}

// Reversals draws sequences of symbols 1 to so many, and the same the other way
// round: a task in which no symbol may be forgotten.
func Reversals(random *rand.Rand, count, length, symbols int) (sources, targets [][]int32) {
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

// Step trains on one batch of reversals and returns the loss.
func Step(net *experiments.Translator, random *rand.Rand, batch, length int) float64 {
	return must(net.Step(Reversals(random, batch, length, net.Config.Symbols)))
}

// Accuracy is the share of symbols that the network writes right of 100 fresh
// sequences of a length.
func Accuracy(net *experiments.Translator, random *rand.Rand, length int) float64 {
	sources, targets := Reversals(random, 100, length, net.Config.Symbols)
	written, _, err := net.Translate(sources, length)
	check(err)
	right := 0
	for i, target := range targets {
		for j, symbol := range target {
			if j < len(written[i]) && written[i][j] == symbol {
				right++
			}
		}
	}
	return float64(right) / float64(100*length)
}

// Alignment is what the network looks at while it reverses a sequence, with the
// symbols read and written as words.
func Alignment(net *experiments.Translator, source []int32) (weights [][]float32, read, written []string) {
	targets, alignment, err := net.Translate([][]int32{source}, len(source))
	check(err)
	if alignment == nil {
		panic(fmt.Errorf("this network has no attention to look at"))
	}
	return alignment[0], words(source), words(targets[0])
}

func words(symbols []int32) []string {
	var out []string
	for _, s := range symbols {
		out = append(out, fmt.Sprint(s))
	}
	return out
}
