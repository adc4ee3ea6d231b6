// Package viz draws what a patch-based network looks at and has learned:
// patches, attention, hidden units, kernels, filters, mistakes. It takes plain
// numbers, so that any network's will do.
//
// Every function returns a [Picture], which comes out as PNG or SVG and says in
// words what it shows, or a [Movie], which comes out as animated GIF or PNG; a
// [Page] is one file for a browser, in which the reader points at a patch and
// sees where each head attends. Pictures are 480 points wide, on white, with
// letters of 11 points at least.
//
// gonum/plot draws axes, text and lines. What the numbers are coloured by are
// perceptually uniform colour maps of kept libraries; see [ColorMap].
//
// Numbers come as the models hold them: float32, flattened, the last axis
// fastest. T is the number of patches, which form a square grid in reading
// order. A function whose numbers do not fit their shape, or are no attention,
// returns an error that says what is allowed.
package viz
