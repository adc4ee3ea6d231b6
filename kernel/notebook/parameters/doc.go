// Package parameters gives a notebook's parameters values, by papermill's
// conventions: the cell tagged "parameters" declares them with their defaults, and
// a cell tagged "injected-parameters" behind it (or first, where there is no such
// cell) sets them.
//
// In a Go notebook the parameters are typed. The tagged cell declares variables or
// constants:
//
//	var (
//		epochs   = 3                  // int
//		rate     = 1e-3               // float64
//		limit    = 90 * time.Second   // time.Duration
//		layers   = []int{64, 32}
//		note     string
//	)
//
// and a value that does not fit the type, or a name that is not declared there, is
// refused with a sentence that lists what is allowed. The injected cell declares
// them anew, with their types. Types are bool, string, int and uint of any size,
// float32, float64, time.Duration and slices of these.
//
// For Python the injected cell is the one that papermill writes.
package parameters
