package show_test

import (
	"image"

	"patchlab/kernel/cell/show"
)

// Outside of a notebook everything is shown as text.
func Example() {
	type epoch struct {
		Epoch    int
		Loss     float64
		Accuracy float64
	}
	show.Value([]epoch{{1, 1.7231, 0.41}, {2, 1.4502, 0.4875}})
	show.Value(image.NewRGBA(image.Rect(0, 0, 32, 32)))
	show.Markdown("**Done.**")
	// Output:
	// Epoch    Loss  Accuracy
	//     1  1.7231      0.41
	//     2  1.4502    0.4875
	// picture, 32×32
	// **Done.**
}

func ExampleNewCurve() {
	curve := show.NewCurve("mixer-4")
	for step := range int64(5) {
		curve.Add(step, map[string]float64{"train_loss": 2 / float64(step+1), "val_loss": 2.5 / float64(step+1)})
	}
	curve.Close()
	// Output:
	// mixer-4
	// train_loss  step 4: 0.4  (0.4 to 2)  █▄▂▁▁
	// val_loss    step 4: 0.5  (0.5 to 2.5)  █▄▂▁▁
}
