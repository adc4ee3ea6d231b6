package keep_test

import (
	"errors"
	"fmt"

	"patchlab/kernel/cell/keep"
)

type Point struct{ X, Y float64 }

func Example() {
	// One cell keeps:
	keep.Value("corners", []Point{{0, 0}, {1, 2}})

	// another gets:
	corners := keep.Get[[]Point]("corners")
	fmt.Println(corners)

	// A third computes what is not there yet.
	for range 2 {
		n := keep.Once("answer", func() (int, error) {
			fmt.Println("computing")
			return 42, nil
		})
		fmt.Println(n)
	}
	// Output:
	// [{0 0} {1 2}]
	// computing
	// 42
	// 42
}

func ExampleLoad() {
	_, err := keep.Load[int]("nothing here")
	fmt.Println(errors.Is(err, keep.ErrNotKept))

	keep.Value("word", "seven")
	_, err = keep.Load[int]("word")
	fmt.Println(err)
	// Output:
	// true
	// keep: "word": it was kept as string and is asked for as int
}

func ExampleSave() {
	type layer struct {
		Weights    []float64
		Activation func(float64) float64
	}
	err := keep.Save("layers", []layer{{Activation: func(x float64) float64 { return x * x }}})
	fmt.Println(err)
	// Output:
	// keep: "layers" cannot be kept: at [0].Activation: a func(float64) float64 cannot be kept (nor can other function values): keep what it is made from, or leave it nil
}
