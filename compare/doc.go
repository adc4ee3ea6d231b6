// Package compare answers which of the recorded architectures is better for
// the time it takes, and how sure we are.
//
// [Build] reads runs from a tracker's database, groups them (by model unless
// told otherwise), settles every difference by the statistics of package stats
// and returns a [Report]: plain data, which package report writes as text,
// Markdown, CSV, JSON, LaTeX, pictures or one HTML page. [DiffRuns] sets two
// runs side by side.
//
// Rules that hold in every report:
//   - Runs of different machines, backends, precisions or datasets never stand
//     in one table unasked: each such [Setting] has its own. [Options.Across]
//     puts them together and marks every cell that this touches.
//   - Only finished runs count. The others are counted apart and named.
//   - A repeat of the same recipe with the same seed is no new evidence: its
//     accuracy counts once.
//   - What a number assumes and what it has to be doubted for are data
//     ([Warning]) that every format shows.
package compare
