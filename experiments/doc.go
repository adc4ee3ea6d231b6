// Package experiments trains and evaluates the networks of package models on
// the images of package datasets.
//
// A [Recipe] is everything that decides the outcome: model, data, optimiser,
// schedule, seed. It is one typed value, written as JSON and known by its
// digest; the same recipe, seed and backend give the same losses, bit for bit, on
// the same kind of processor and with the same build. [ReferenceRecipe] is the
// course's, [ModernRecipe] that of today. [Train] carries a recipe out, checkpoints
// as it goes and continues from its last checkpoint as if it had never been
// interrupted. [Network] holds trained weights and evaluates or predicts with them.
//
// What a run yields goes to a [Recorder], a small interface that the tracker
// satisfies, and to a progress function, so that this package knows neither a
// database nor a terminal.
//
// Graph-building code panics, as is GoMLX's habit; this package recovers those
// panics and returns them as errors.
package experiments
