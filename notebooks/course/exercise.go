package course

import (
	"fmt"
	"math"

	"patchlab/kernel/cell/show"
)

// Check tells whether an answer holds, and what is wrong where it doesn't: the
// cell fails then, as automatic grading expects.
func Check(what string, holds bool, hint string, values ...any) {
	if !holds {
		panic(fmt.Errorf("%s: not yet. %s", what, fmt.Sprintf(hint, values...)))
	}
	show.Printf("%s: right.\n", what)
}

// Near checks a number to a relative tolerance of a thousandth.
func Near(what string, got, want float64, hint string) {
	Check(what, math.Abs(got-want) <= 1e-3*max(1e-9, math.Abs(want)), "%s You have %.6g.", hint, got)
}
