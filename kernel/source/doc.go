// Package source reads the cells of a Go notebook as GoNB does, without running them: which lines are commands (% and
// !), where main begins (%%), whether a cell is complete, which expression at its end is to be shown as its result,
// and what a language server must see to complete a name in it.
//
// It changes a cell only where the cell would not compile as it is: an expression at the end becomes an argument of
// ResultFunc, and statements outside of a function become those of main. Lines keep their numbers, so that the
// compiler's messages fit what the user sees.
package source
