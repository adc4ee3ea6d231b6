package course

import (
	"fmt"
	"math"
	"os"

	"patchlab/kernel/cell/show"
)

// Check tells whether an answer holds, and what is wrong where it doesn't: the
// cell fails then, as automatic grading expects, with that sentence alone.
func Check(what string, holds bool, hint string, values ...any) {
	if err := judge(what, holds, hint, values...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	show.Printf("%s: right.\n", what)
}

func judge(what string, holds bool, hint string, values ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%s: not yet. %s", what, fmt.Sprintf(hint, values...))
}

// Near checks a number to a relative tolerance of a thousandth.
func Near(what string, got, want float64, hint string) {
	Check(what, near(got, want), "%s You have %.6g.", hint, got)
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-3*max(1e-9, math.Abs(want)) }

// Todo stands in a student's notebook where the answer is to be written
// (notebooks/nbgrader_config.py): a cell that asks for the answer ends by it.
//
//	panic(course.Todo())
func Todo() any {
	fmt.Fprintln(os.Stderr, "not yet. Write your answer where a cell above says YOUR CODE HERE, execute that cell, then this one again.")
	os.Exit(1)
	return nil
}
