// Package datasets brings labelled pictures into memory: CIFAR-10, Fashion-MNIST and the built-in
// shapes, which need neither network nor files.
//
// [Load] finds a dataset by name. For the two real ones it looks, in this order, into
// [Options.Dir], into the cache, where the system keeps it (Debian's dataset-fashion-mnist) and at
// last on the network; what it downloads is checked against a pinned SHA-256 before it is used.
// Where a dataset can't be had at all the error is [ErrUnavailable], so that a caller can go on with
// "shapes".
//
// Pictures are bytes, 0 to 255, in the order image, row, column, channel (NHWC). Labels are
// numbers that index [Dataset.Classes].
//
// Everything here is a pure function of its inputs, the same on every machine: the held-out part is
// the last fraction of the train split, [Order] draws the shuffle of an epoch from a generator that
// is specified bit by bit, a limit takes the first images in file order, and [Dataset.Digest] names
// the very pixels and labels that are used.
package datasets
