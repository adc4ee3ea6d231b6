// Package track makes a run of the tracker out of the cells of a notebook.
//
//	run := track.Run("mixer by hand")                        // in one cell
//	run.Params(map[string]any{"learning_rate": 0.001})
//
//	run := track.Run("mixer by hand")                        // in any later cell: the same run
//	run.Log(step, map[string]float64{"train_loss": loss})    // a curve grows below the cell
//	run.End()
//
// The kernel keeps the run: it is running from its first cell to End or to the end of the session, whichever cell runs
// or none, and `patchlab serve` shows its metrics within a second. With it go the source, outputs and durations of all
// cells that the session executed so far (the artifact notebook.ipynb), the versions of the modules that the cell was
// built of, the state of the git work tree, and the machine. `patchlab rerun` executes the notebook of such a run again.
//
// The tracker's file is $PATCHLAB_DB, or patchlab.db in the notebook's folder. %patchlab run NAME in a cell does what
// Run does.
//
// In a program that no kernel of Patchlab's started (an exported notebook, say) nothing is recorded: Run says so once
// on standard error, curves are printed as text, and everything else does nothing.
package track
