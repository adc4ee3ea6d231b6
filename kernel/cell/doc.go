// Package cell is where a cell's program and the kernel's front meet. Every cell of a Go notebook is a process of its
// own, so that variables end with it; what outlives a cell lies in the folder of the kernel's session, whose path is
// in the environment variable PATCHLAB_SESSION.
//
// What cells import are the packages below this one:
//
//   - keep: values across cells, one line to keep and one to get.
//   - weights: the same for trained GoMLX models.
//   - show: pictures, tables, progress and learning curves as output.
//   - track: a run of the tracker that spans cells.
//
// Package record is the front's half: it makes the folder, writes down what was executed, and keeps the run.
package cell
