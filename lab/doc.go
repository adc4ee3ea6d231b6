// Package lab joins the rooms for who trains: it carries a recipe out on a
// backend, records it as a run of the tracker with all that decided it, and
// gives a recorded run's network back. The commands and the notebooks use it.
//
//	env, diff := lab.Environment(ctx, info)
//	run, err := lab.Start(ctx, db, tracker.Spec{Name: "mixer-4-1", Environment: env}, diff)
//	result, err := lab.Carry(ctx, db, run, experiments.Job{…})
//	…
//	recipe, network, err := lab.Load(ctx, db, info, b)
package lab
