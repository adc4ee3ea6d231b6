package course

import (
	"context"
	"math"
	"slices"
	"time"

	"patchlab/experiments"
	"patchlab/models"
	"patchlab/viz"
)

// Cost is what a forward pass of a network takes on images of more and more
// patches.
type Cost struct {
	Name   string
	Tokens []float64
	Rounds [][]float64 // milliseconds an image, by round and number of tokens
}

// MeasureCost times a network of [Model], untrained, on grids of so many patches
// a side: three rounds, each the median of eleven passes of 16 images,
// compilation apart.
func MeasureCost(name string, grids []int, stack string, changes ...func(*models.Config)) Cost {
	const rounds = 3
	c := Cost{Name: name, Rounds: make([][]float64, rounds)}
	for _, grid := range grids {
		side := func(c *models.Config) { c.ImageSize = c.PatchSize * grid }
		config := Model(stack, append(slices.Clone(changes), side)...)
		c.Tokens = append(c.Tokens, float64(config.Tokens()))
		for i, ms := range milliseconds(config, rounds) {
			c.Rounds[i] = append(c.Rounds[i], ms)
		}
	}
	return c
}

// Line is the median of the rounds, to draw.
func (c Cost) Line() viz.Curve {
	line := viz.Curve{Name: c.Name, X: c.Tokens}
	for i := range c.Tokens {
		line.Y = append(line.Y, median(c.column(i)))
	}
	return line
}

// Milliseconds an image at that many tokens, one value a round.
func (c Cost) Milliseconds(tokens int) []float64 {
	return c.column(slices.Index(c.Tokens, float64(tokens)))
}

func (c Cost) column(i int) (values []float64) {
	for _, r := range c.Rounds {
		values = append(values, r[i])
	}
	return values
}

// Powers tells how fast the cost grows between the last two numbers of tokens:
// as tokens to that power, one value a round.
func (c Cost) Powers() (powers []float64) {
	n := len(c.Tokens) - 1
	for _, r := range c.Rounds {
		powers = append(powers, math.Log(r[n]/r[n-1])/math.Log(c.Tokens[n]/c.Tokens[n-1]))
	}
	return powers
}

// milliseconds measures what one image's forward pass costs.
func milliseconds(c models.Config, rounds int) (medians []float64) {
	b, _ := Backend()
	defer b.Finalize()
	network := must(experiments.NewNetwork(b, c, 1))
	defer network.Close()
	const batch, passes = 16, 11
	images := make([]uint8, batch*c.ImageSize*c.ImageSize*c.Channels)
	for i := range images {
		images[i] = uint8(i * 7)
	}
	pass := func() float64 {
		start := time.Now()
		must(network.Logits(context.Background(), images, c.ImageSize, c.ImageSize, batch))
		return time.Since(start).Seconds() * 1000 / batch
	}
	pass() // compiles
	for range rounds {
		var times []float64
		for range passes {
			times = append(times, pass())
		}
		medians = append(medians, median(times))
	}
	return medians
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
