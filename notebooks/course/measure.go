package course

import (
	"context"
	"slices"
	"time"

	"patchlab/experiments"
	"patchlab/models"
)

// Milliseconds measures what one image's forward pass costs: the median of
// eleven passes of 16 images, compilation apart.
func Milliseconds(c models.Config) float64 {
	b, _ := Backend()
	defer b.Finalize()
	network := must(experiments.NewNetwork(b, c, 1))
	defer network.Close()
	const batch, passes = 16, 11
	images := make([]uint8, batch*c.ImageSize*c.ImageSize*c.Channels)
	for i := range images {
		images[i] = uint8(i * 7)
	}
	var times []float64
	for range passes + 1 {
		start := time.Now()
		must(network.Logits(context.Background(), images, c.ImageSize, c.ImageSize, batch))
		times = append(times, time.Since(start).Seconds()*1000/batch)
	}
	times = times[1:] // the first compiles
	slices.Sort(times)
	return times[passes/2]
}
