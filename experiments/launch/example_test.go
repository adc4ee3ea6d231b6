package launch_test

import (
	"fmt"

	"patchlab/experiments/launch"
)

// Five cores are shared out among two workers.
func ExampleShare() {
	fmt.Println(launch.Share([]int{0, 1, 2, 3, 4}, 2))
	// Output: [[0 1 2] [3 4]]
}
