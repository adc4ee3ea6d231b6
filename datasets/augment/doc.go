// Package augment varies training images as they are drawn: random crops and
// flips, RandAugment, random erasing, mixup and CutMix, each from its paper.
//
// Images are bytes in the order row, column, channel, as package datasets has
// them, and are varied in place, on the host: a [Policy] says what is done and
// how often, [Policy.Image] varies one image, [Policy.Mix] a whole batch. All
// randomness comes from the generators that [Source.Image] and [Source.Batch] set, which
// follow from a run's seed, the epoch and the image or batch alone: it does not
// matter which goroutine varies which image, or whether the run was interrupted.
package augment
