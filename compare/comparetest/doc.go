// Package comparetest fills tracker databases with made-up runs that look like
// training runs to package compare: the same parameters, metrics and
// artifacts. It serves tests and benchmarks, and draws from no clock and no
// randomness of its own: the same runs give the same numbers.
package comparetest
