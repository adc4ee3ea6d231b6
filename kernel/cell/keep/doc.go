// Package keep carries values from one cell of a notebook to the next. Every cell is a process of its own, in which
// variables are computed anew; what is kept is computed once:
//
//	keep.Value("model", model)         // in one cell
//	model := keep.Get[Model]("model")  // in another
//
//	data := keep.Once("data", load)    // or both: load runs once in a session
//
// Kept values live as long as the kernel's session: restarting the kernel clears them, and `patchlab notebook run
// --resume` brings those of the run that it goes on with. Package track stores them beyond it, as an artifact of a run.
// In a program that no kernel started they live in its memory.
//
// # What can be kept
//
// Whatever consists of data comes back equal, bit for bit: numbers (NaN with its bits), strings, slices, arrays, maps,
// structs, pointers, what interfaces hold, tensors of GoMLX; nil stays nil and empty stays empty; pointers that shared
// a target share it again, rings of pointers included. Structs that the notebook declares may have unexported fields.
// Those of other packages are kept if their fields are exported or they marshal themselves (as time.Time, big.Int,
// netip.Addr do); if neither, only their zero value is, so that an unlocked sync.Mutex in a struct does no harm.
//
// Functions, channels and unsafe pointers are code or belong to a process; they are kept only where they are nil. Maps
// and slices that contain themselves are refused, and slices that shared an array come back with one each. Every
// refusal names the place in the value: "at .Layers[3].Act: a func(float64) float64 cannot be kept". A trained model is
// kept by package weights.
//
// A value is read as the type that it was written as. Where a cell has since declared one of its types anew, with
// other fields, Get says which and what has changed; nothing is converted or dropped silently.
//
// # Why not gob, JSON or GoNB's cache
//
// GoNB's package cache writes by gob, in place, into a folder that survives the kernel and is the same for every
// notebook in a folder; a changed type shows as an obscure error or not at all. Gob drops unexported fields, turns
// pointers to zero into nil and empty slices into nil, refuses nil in slices, and never returns from a ring; JSON has
// no NaN and forgets what interfaces hold. The format here is written by the static types, so that numbers are
// copied as they lie in memory; files appear whole or not at all and carry a checksum. BenchmarkRoundTrip sets it
// beside gob: some five times as fast for weights, and about two thirds of gob's speed for rows with small maps.
package keep
