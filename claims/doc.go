// Package claims holds what the course claims, each claim with the measurement
// that decides it and the region in which the measured value must lie to support
// it. The regions were fixed before the first finding; a method that is changed after
// a finding is named in results/claims-history.md, with that finding.
//
// A [Claim] comes down to one or several [Part]s, each a number a seed with its
// mean and 95 % t interval. An interval wholly within its [Region] supports the
// claim, one wholly outside does not, and one that reaches over the border leaves
// it undecided here; [Part.Decide] does that and says why. A [Bench] measures: it
// trains what a claim needs, records each training and each finding in the
// tracker, and finds there what was measured before; times are compared within one
// build alone.
package claims
