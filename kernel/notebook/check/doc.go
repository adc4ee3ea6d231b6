// Package check compares the outputs of two runs of a notebook.
//
// Text, HTML, SVG and JSON must be the same, pictures nearly so (see [Options]);
// of an error its name and message count, not its trace. What is written on one
// stream is compared as a whole, as its pieces come as they will. Execution
// counts, times and metadata count for nothing.
//
// Tags of a cell change this:
//
//	skip-check, nondeterministic   its outputs are not compared
//	nbval-ignore-output            the same, by nbval's name
//	timing                         times such as 1.5s or 30 ms count as the same
//	raises-exception               only the error's name counts
package check
