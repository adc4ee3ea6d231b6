package weights_test

import (
	"fmt"

	"github.com/gomlx/gomlx/ml/model"

	"patchlab/kernel/cell/weights"
)

func Example() {
	// One cell trains and keeps:
	store := model.NewStore()
	store.VariableWithValue("/dense/weights", []float32{1, 2})
	weights.Keep("model", store)

	// another goes on:
	again := weights.Get("model")
	fmt.Println(again.GetVariable("/dense/weights").MustValue().Value())
	// Output: [1 2]
}
