package mlflow_test

import (
	"encoding/json"
	"fmt"
	"log"
	"math"

	"patchlab/tracker/mlflow"
)

func Example() {
	text, err := json.Marshal(mlflow.Metric{Key: "loss", Value: mlflow.Float(math.NaN()), Timestamp: 1000, Step: 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	id := mlflow.NewModelID("01JD8ZK3T5WXYZ0123456789AB", "abcdefgh")
	run, ok := mlflow.RunOfModel(id)
	fmt.Println(mlflow.ModelFolder(id), run, ok)
	// Output:
	// {"key":"loss","value":"NaN","timestamp":1000,"step":3}
	// .models/m-01jd8zk3t5wxyz0123456789ababcdefgh 01JD8ZK3T5WXYZ0123456789AB true
}
