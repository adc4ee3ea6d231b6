package ordered_test

import (
	"fmt"

	"patchlab/kernel/notebook/ordered"
)

func Example() {
	v, err := ordered.Parse([]byte(`{"nbformat": 4, "metadata": {"b": 1.50, "a": "é"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	meta := v.(*ordered.Object).Object("metadata")
	meta.Set("c", ordered.String("new"))
	fmt.Println(string(ordered.Append(nil, v, " ")))
	// Output:
	// {
	//  "nbformat": 4,
	//  "metadata": {
	//   "b": 1.50,
	//   "a": "é",
	//   "c": "new"
	//  }
	// }
}
