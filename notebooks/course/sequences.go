package course

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"patchlab/experiments"
	"patchlab/kernel/cell/track"
	"patchlab/models"
)

// Random draws the sequences that a training with that seed sees.
func Random(seed int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

// Follow begins a run of the tracker for a training that a cell carries out
// itself; curves of what it logs grow below the cell, those of the first seed.
func (l Lesson) Follow(what string, seed int64) *track.Active {
	run := track.Run(fmt.Sprintf("%s, seed %d", what, seed))
	run.Tags(map[string]string{lessonTag: l.Name, whatTag: what})
	run.Params(map[string]any{"model": what, "seed": seed})
	if seed > 1 {
		run.Quiet()
	}
	return run
}

// Translator is an untrained encoder-decoder of the size that the first section
// trains, with or without attention.
func Translator(attention bool, symbols int, seed int64) *experiments.Translator {
	b, _ := Backend() // lives as long as the cell
	optimizer := experiments.DefaultAdamW(.005)
	optimizer.WeightDecay = 0
	return must(experiments.NewTranslator(b, models.Seq2Seq{Symbols: symbols, Embed: 16, Hidden: 32, Attention: attention}, optimizer, seed))
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

// Step trains on one batch of reversals of 1 symbol up to the longest, one of
// which has the longest, so that all steps share one compiled graph. It returns
// the loss.
func Step(net *experiments.Translator, random *rand.Rand, batch, longest int) float64 {
	sources, targets := Reversals(random, 1, longest, net.Config.Symbols)
	for range batch - 1 {
		source, target := Reversals(random, 1, 1+random.IntN(longest), net.Config.Symbols)
		sources, targets = append(sources, source...), append(targets, target...)
	}
	return must(net.Step(sources, targets))
}

// Accuracies is the share of symbols that the network writes right, of 100 fresh
// sequences of each length.
func Accuracies(net *experiments.Translator, random *rand.Rand, lengths ...int) []float64 {
	const count = 100
	var sources, targets [][]int32
	for _, length := range lengths {
		s, t := Reversals(random, count, length, net.Config.Symbols)
		sources, targets = append(sources, s...), append(targets, t...)
	}
	written, _, err := net.Translate(sources, slices.Max(lengths))
	check(err)
	right := make([]int, len(lengths))
	for i, target := range targets {
		for j, symbol := range target {
			if j < len(written[i]) && written[i][j] == symbol {
				right[i/count]++
			}
		}
	}
	accuracies := make([]float64, len(lengths))
	for i, length := range lengths {
		accuracies[i] = float64(right[i]) / float64(count*length)
	}
	return accuracies
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
