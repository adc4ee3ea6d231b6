package parameters_test

import (
	"fmt"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/parameters"
)

func Example() {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Code, "var epochs, rate = 3, 1e-3", parameters.Tag))
	if _, _, err := parameters.Inject(n, []parameters.Assignment{{Name: "rate", Text: "1"}}); err != nil {
		fmt.Println(err)
	}
	fmt.Print(n.Cells[1].Source())

	_, _, err := parameters.Inject(n, []parameters.Assignment{{Name: "epoch", Text: "1"}})
	fmt.Println(err)
	// Output:
	// // Parameters
	// var rate float64 = 1.0
	// no parameter "epoch"; allowed: epochs int, rate float64
}
