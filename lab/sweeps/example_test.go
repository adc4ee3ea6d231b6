package sweeps_test

import (
	"fmt"

	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// The results so far say which candidate is the best, and what is left to train.
func Example() {
	spec := sweep.Default()
	spec.Name = "rates"
	rates, err := sweep.ParseParameter("learning-rate=0.001,0.002,0.003")
	if err != nil {
		fmt.Println(err)
		return
	}
	spec.Parameters = []sweep.Parameter{rates}
	plan, err := sweep.NewPlan(spec, func(flags map[string]string) (experiments.Recipe, error) {
		r, err := experiments.ReferenceRecipe("mixer-4", experiments.Data{Name: "shapes", Validation: .1}, 1)
		fmt.Sscan(flags["learning-rate"], &r.Optimizer.LearningRate)
		return r, err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	trials, _ := plan.Next(nil)
	runs := sweeps.Runs{ // as [sweeps.Results] reads them from the tracker
		trials[0].Digest: {Result: sweep.Result{State: sweep.Finished, Epochs: []experiments.Evaluation{{Top1: .4, Loss: 2}, {Top1: .5, Loss: 1.8}}}},
		trials[1].Digest: {Result: sweep.Result{State: sweep.Finished, Epochs: []experiments.Evaluation{{Top1: .5, Loss: 1.9}, {Top1: .6, Loss: 1.7}}}},
	}
	trials, tasks := plan.Next(runs.Results())
	fmt.Println(sweeps.Count(trials, tasks, runs))
	for i, c := range sweeps.Best(spec, trials, runs) {
		fmt.Printf("%d. %s: %g\n", i+1, c.Candidate, c.Value)
	}
	// Output:
	// 2 finished, 1 to train
	// 1. learning-rate=0.002: 0.6
	// 2. learning-rate=0.001: 0.5
}
