// Package stats holds the statistics with which Patchlab compares
// architectures: intervals for a mean over seeds and for a proportion of test
// images, tests for pairs of configurations, the correction for many
// comparisons, effect sizes, the number of seeds that a difference needs, and
// the Pareto front with its bootstrap probabilities.
//
// Every function works on plain numbers and says in its result what it
// assumes and what the reader has to be warned of ([Test.Assumptions],
// [Test.Warnings]): a p-value never travels without them. Randomness is
// passed in as a [math/rand/v2.Source], so that the same source gives the same
// answer on every machine.
//
// The functions are checked against values that SciPy and statsmodels give
// for the same inputs; compare/testdata/scipy_values.py makes those values.
package stats
