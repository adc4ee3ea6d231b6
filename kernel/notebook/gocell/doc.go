// Package gocell takes a Go notebook's cell apart: lines for the kernel,
// imports, declarations, and the statements that it runs.
//
// A cell is written for GoNB: declarations as in a file without its package
// clause; "%%" or "%main" in front of the statements that become func main;
// other lines that begin with % (settings) or ! (shell commands), each also
// behind "//gonb:"; %%writefile, %%script, %%bash, %%sh or %%gx in the first line
// makes the whole cell something else than Go. Package source reads the lines, for
// the kernel as for this package. Declarations stay for the cells that follow, a
// later one of the same name replacing the earlier; main does not.
package gocell
