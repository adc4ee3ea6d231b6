// Package sweeps carries out what package sweep plans: it keeps a sweep's folder,
// reads from the tracker what became of its trials, and has them trained, in
// processes of this machine ([Local]) or in rounds of a cluster ([Sweep.Submit],
// [Sweep.Render]).
//
//	s, err := sweeps.Open("rates")
//	plan, err := sweep.NewPlan(s.Spec, recipeOf)
//	l := sweeps.Local{Sweep: s, Plan: plan, Load: load, Results: sweeps.NewResults(s), Program: "patchlab", Cores: cores}
//	end, err := l.Run(ctx)
//	for _, c := range sweeps.Best(s.Spec, end.Trials, end.Runs) { … }
//
// A trial is a run whose recipe has the trial's digest, on the sweep's images and
// backend. What is recorded decides what is left to do: nothing is lost with the
// process that runs the sweep, or with one that trains.
package sweeps
