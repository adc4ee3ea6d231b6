package augment_test

import (
	"fmt"

	"patchlab/datasets/augment"
)

// The same image of the same epoch and run is always varied in the same way.
func Example() {
	policy := augment.Policy{Crop: 1, Flip: true, Mixing: &augment.Mixing{CutMix: 1, Probability: .5}}
	fmt.Println(policy, policy.Validate())

	varier := augment.NewVarier(policy, 3, 3, 1)
	for epoch := range 3 {
		image := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9}
		varier.Image(image, 1, epoch, 0) // seed 1, image 0
		fmt.Println(image)
	}
	// Output:
	// crop 1, flip, cutmix 1, mixed 0.5 <nil>
	// [2 3 0 5 6 0 8 9 0]
	// [1 2 3 4 5 6 7 8 9]
	// [1 2 3 4 5 6 7 8 9]
}
