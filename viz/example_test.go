package viz_test

import (
	"bytes"
	"fmt"
	"time"

	"patchlab/viz"
)

// Attention of one head over four patches, checked, drawn and animated.
func Example() {
	scores := []float32{
		.7, .1, .1, .1,
		.4, .4, .1, .1,
		.25, .25, .25, .25,
		0, 0, .5, .5,
	}
	attention, err := viz.NewAttention("Block 1", 1, scores)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("distance %.2f patches, entropy %.2f bits\n", attention.Distances()[0], attention.Entropies()[0])

	picture, err := viz.AttentionMatrices("Who looks at whom", attention)
	if err != nil {
		fmt.Println(err)
		return
	}
	var svg bytes.Buffer
	if err := picture.WriteSVG(&svg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(picture.Alt())

	image := viz.Image{Height: 2, Width: 2, Channels: 1, Pixels: []uint8{0, 80, 160, 240}}
	movie, err := viz.AttentionMovie("Where each patch looks", image, attention, 100*time.Millisecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(movie.Len(), "frames")

	scores[0] = .8
	_, err = viz.NewAttention("Block 1", 1, scores)
	fmt.Println(err)
	// Output:
	// distance 0.58 patches, entropy 1.52 bits
	// Who looks at whom. 1 head: 4 × 4 scores, queries down and keys across; the largest score is 0.7, an even share would be 0.25.
	// 4 frames
	// attention of Block 1: head 1, query patch 1 sums to 1.1; allowed: 1 within 0.0001
}
