package gocell_test

import (
	"fmt"

	"patchlab/kernel/notebook/gocell"
)

func Example() {
	cell, err := gocell.Split(`import "fmt"

var epochs = 3

%%
fmt.Println("training for", epochs)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("runs:   ", cell.Main)
	fmt.Println("declares", cell.Decls[0].Names)
	fmt.Println(cell.Definitions())
	// Output:
	// runs:    fmt.Println("training for", epochs)
	// declares [epochs]
	// import "fmt"
	//
	// var epochs = 3
}
