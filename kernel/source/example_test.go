package source_test

import (
	"fmt"

	"patchlab/kernel/source"
)

func Example() {
	fmt.Println(source.Prepare("x := 3\nx * 2", "").Code)
	fmt.Println(source.IsComplete("for i := range 3 {"))
	// Output:
	// func main() { x := 3
	// patchlabResult(x * 2)
	// }
	// incomplete
}
