// Package weights carries a trained GoMLX model from one cell of a notebook to the next: its variables (weights,
// optimizer's moments, step, random state, all bit for bit) and its parameters.
//
//	weights.Keep("model", store)        // in one cell
//	store := weights.Get("model")       // in another: use it as the one that was trained
//
// It is a package of its own so that cells without a model link faster; what it keeps is kept by package keep, under
// the same names, and package track stores it with a run in the same way. What a model is built of (a patchlab
// models.Config, or the notebook's own graph function) is a declaration or a value of its own: keep.Value.
package weights
