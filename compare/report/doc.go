// Package report writes a [compare.Report] for people and programs: as a text
// of 80 columns, Markdown, CSV, JSON, LaTeX (booktabs), an SVG or PNG figure,
// or one HTML page that needs nothing else.
//
// Every format carries the same warnings and the same count of runs left out:
// what the terminal has to say to be honest, the paper has to say too.
package report
