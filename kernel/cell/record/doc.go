// Package record is the front's half of what cells keep and track: it makes the folder of a kernel's session, writes
// down every cell with its source, outputs and duration, and keeps the session's run in the tracker.
//
// The front, not a cell, writes the run: cells are processes that come and go, and a run whose writer is gone is
// crashed to whoever looks. The front lives as long as the session, so that a run is running between two cells, ends
// with the session, and is crashed where the kernel was killed. Cells ask over a socket (package wire), which package
// track speaks; a cell thus needs neither SQLite nor cgo. What a cell logged is taken in before its end is told, also
// where it was killed right after.
//
// The run's artifact notebook.ipynb has the cells that the session has executed so far, in that order, with outputs
// and times. It is a notebook that can be executed again.
package record
