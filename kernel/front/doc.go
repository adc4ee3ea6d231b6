// Package front is a Jupyter kernel: it owns the sockets, answers the messaging protocol 5.4, and has the cells
// compiled and run by a GoNB behind it.
//
// One goroutine receives from each socket. Cells wait in one queue and are run by one goroutine, which also owns GoNB.
// What needs no cell (information, history, completeness) is answered by the goroutine that received it, and what the
// language server knows by one more, so that both are answered while a cell runs. Control messages overtake all.
//
// A message whose signature does not fit, or that is none, is logged and dropped; one with a malformed content, of an
// unknown type or with a cell that is too large is answered with an error. GoNB may end at any time: the running cell
// then fails, a new GoNB gets the declarations of the old one, and the next cell runs.
package front
