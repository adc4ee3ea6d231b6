// Package tracker keeps experiments in one SQLite file: runs with their
// parameters, metrics, tags, notes, inputs, environment and artifacts.
//
//	db, err := tracker.Open("lab.db")
//	run, err := db.Start(ctx, tracker.Spec{Experiment: "cifar10", Name: "mixer-4"})
//	err = run.Log(step, map[string]float64{"train_loss": loss})
//	err = run.Flush()                  // everything logged so far is durable
//	err = run.Finish(tracker.Finished) // and so is the run
//
// # What holds
//
// What a returned Flush or Finish covered survives the death of the process
// and the loss of power. Log queues: it costs microseconds, waits where the
// disk is slower than the caller, and drops nothing. Values come back bit for
// bit, NaN and infinities included; times to the microsecond; steps are any
// int64, in any order, as often as they were logged.
//
// Several processes may write one file at a time. A run whose process died
// shows as Crashed and can be resumed. Deleting a run hides it; GC removes it.
//
// # How it is kept
//
// Integer keys inside, ULIDs outside, so that files merge. The few points that
// one transaction brings are a row of the table hot; when a metric of a run
// has 500 of them they are sealed into a compressed row of the table chunk.
// The latest value, extremes and count of every metric lie in the run's own
// row, so that listing runs never touches points. Content of artifacts lies
// in files named by their SHA-256 in X.artifacts beside X.db.
//
// # Copies
//
// Merge brings the runs of another file in, each checked against its digest
// first, and adds what a copy that is there already has not: it takes away
// nothing. A run that is damaged in the file is listed as Damaged, and neither
// hides nor stops another.
package tracker
