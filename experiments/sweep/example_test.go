package sweep_test

import (
	"fmt"
	"log"
	"strings"

	"patchlab/experiments/sweep"
)

// A sweep is read, its trials are listed, and what was trained is not trained
// again.
func Example() {
	file := strings.NewReader(`
name: dims
parameters:
  dim: [16, 32]
  learning-rate: {min: 1e-4, max: 1e-2, scale: log, count: 2}
`)
	anything := func(flag, value string) error { return nil }
	spec, err := sweep.Read(file, "dims.yaml", anything)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := sweep.NewPlan(spec, recipe)
	if err != nil {
		log.Fatal(err)
	}
	trials, _ := plan.Next(nil)
	_, left := plan.Next(map[string]sweep.Result{trials[0].Digest: {State: sweep.Finished}})
	for _, task := range left {
		fmt.Println(task.Name(spec.Name), task.Candidate)
	}
	// Output:
	// dims-002-s1 dim=16 learning-rate=0.01
	// dims-003-s1 dim=32 learning-rate=0.0001
	// dims-004-s1 dim=32 learning-rate=0.01
}
