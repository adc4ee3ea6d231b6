package track_test

import "patchlab/kernel/cell/track"

// Without a kernel nothing is recorded, and the curve is printed.
func Example() {
	run := track.Run("by hand")
	run.Params(map[string]any{"learning_rate": 0.1})
	for step := range int64(4) {
		run.Log(step, map[string]float64{"train_loss": 1 / float64(step+1)})
	}
	run.End()
	// Output:
	// by hand
	// train_loss  step 3: 0.25  (0.25 to 1)  █▃▂▁
}
