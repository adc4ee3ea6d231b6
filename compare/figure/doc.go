// Package figure draws the charts of a comparison: the Pareto front of speed
// against accuracy, learning curves with bands over seeds, and distributions
// of step times; and the metrics of one run.
//
// A chart is laid out once, on a [Canvas], and comes out as SVG (for a page,
// where colours follow the page's style and every configuration is a group
// that a script can light up, or on its own for a paper) or as PNG, pixel for
// unit the same. Configurations are told apart by colour and by shape or dash,
// so that a chart survives a black-and-white printer.
package figure
