package check_test

import (
	"fmt"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/check"
)

func Example() {
	before := notebook.New("patchlab", "Patchlab (Go)", "go")
	before.Insert(0, notebook.NewCell(notebook.Code, "fmt.Println(accuracy)"))
	after := before.Clone()
	before.Cells[0].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", "0.53\n")})
	after.Cells[0].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", "0.54\n")})

	differences, err := check.Compare(before, after, check.Options{})
	if err != nil {
		fmt.Println(err)
	}
	for _, d := range differences {
		fmt.Printf("cell %d: %s\n", d.Cell, d.Line)
		for _, line := range d.Lines {
			fmt.Println(line)
		}
	}
	// Output:
	// cell 1: fmt.Println(accuracy)
	// @ stdout
	// -0.53
	// +0.54
}
