// Package sweep plans many trainings: which configurations to try, with which
// seeds, for how many epochs, and what is left to do.
//
// A [Spec] names the flags of "patchlab train" that are the same for all and the
// [Parameter]s that are tried. A [Plan] makes [Trial]s of it, each a recipe known
// by its digest, and tells by the results so far what may run now:
//
//	spec, err := sweep.Read(file, "rates.yaml")
//	plan, err := sweep.NewPlan(spec, recipe)
//	trials, tasks := plan.Next(results) // results by the recipe's digest
//
// Next keeps no state: the same results give the same tasks. So a sweep that is
// begun again, on whatever machine, runs what is missing and nothing else.
//
// The searches are the full grid, random search (Bergstra & Bengio 2012, "Random
// Search for Hyper-Parameter Optimization") and CMA-ES, which models where good
// configurations lie by a normal distribution (Loshchilov & Hutter 2016, "CMA-ES
// for Hyperparameter Optimization of Deep Neural Networks"; goptuna's
// implementation). Early stopping is asynchronous successive halving (Li et al.
// 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2).
//
// The package trains nothing: package launch carries tasks out.
package sweep
