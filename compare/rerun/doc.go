// Package rerun judges whether a run that was made again came to the same: bit for
// bit, within a tolerance, or where the two first depart. The verdict is kept in the
// tags of both runs.
//
//	v, err := rerun.Judge(ctx, db, old, again, .01)
//	err = v.Store(ctx, db, old.ID, again.ID)
//	…
//	v, err = rerun.Stored(run)
package rerun
