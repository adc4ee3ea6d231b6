package datasets

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// How many shapes there are where no limit says otherwise, and the most that a limit may ask for.
const (
	shapesTrain = 20_000
	shapesTest  = 4_000
	shapesMost  = 1_000_000
)

// The classes of the shapes come in four groups, each of which asks something else of a network:
//
//   - disc, triangle, star: ONE smooth figure. Only its outline tells, at any place, size and turn.
//   - stripes, checks, dots: one figure with a pattern. Only the local texture tells; the outline is
//     any of the three above, so it is no clue.
//   - row, corners: FOUR small marks, in a straight line or at the corners of a square, with the same
//     marks and the same mean distance from their middle. Only the arrangement tells: a bag of
//     patches, that is attention without positions, can't see it.
//   - twins, rivals: TWO figures far apart, of one hue or of two hues. Only the comparison of distant
//     places tells; neither figure alone is a clue.
//
// Colours, brightness, background, clutter and noise vary in all of them alike.
const (
	classDisc = iota
	classTriangle
	classStar
	classStripes
	classChecks
	classDots
	classRow
	classCorners
	classTwins
	classRivals
)

func shapesClasses() []string {
	return []string{"disc", "triangle", "star", "stripes", "checks", "dots", "row", "corners", "twins", "rivals"}
}

// loadShapes draws the shapes of a seed. Picture i of a split depends on the seed, the split and i
// alone: a limit draws just the first so many of the same pictures. A limit above the default draws more.
// Within each ten pictures 10k to 10k+9 each class occurs once, in an order drawn from the
// seed, so a limit that 10 divides leaves the classes exactly balanced.
func loadShapes(ctx context.Context, o Options) (*Dataset, error) {
	train, test := shapesTrain, shapesTest
	if o.TrainLimit > 0 {
		train = o.TrainLimit
	}
	if o.TestLimit > 0 {
		test = o.TestLimit
	}
	if max(train, test) > shapesMost {
		return nil, fmt.Errorf("limits are %d train and %d test images, shapes draws at most %d", train, test, shapesMost)
	}
	d := &Dataset{
		Classes: shapesClasses(),
		Height:  side, Width: side, Channels: 3,
		Source: fmt.Sprintf("drawn by Patchlab from seed %d", o.Seed),
	}
	var err error
	if d.Train, err = drawSplit(ctx, "patchlab: train ", o.Seed, train); err != nil {
		return nil, err
	}
	if d.Test, err = drawSplit(ctx, "patchlab: test  ", o.Seed, test); err != nil {
		return nil, err
	}
	return d, nil
}

// drawSplit draws n pictures, all cores at work, in blocks of ten that hold each class once.
func drawSplit(ctx context.Context, domain string, seed int64, n int) (Split, error) {
	split := Split{Images: make([]uint8, n*side*side*3), Labels: make([]uint16, n), Channels: 3}
	const block = 10 // the number of classes
	var (
		wait sync.WaitGroup
		next atomic.Int64
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			p := painter{dice: dice{src: new(rand.ChaCha8)}}
			for ctx.Err() == nil {
				first := int(next.Add(1)-1) * block
				if first >= n {
					return
				}
				p.dice.key(domain, uint64(seed), uint64(first/block))
				var labels [block]uint8
				for i := range labels {
					j := p.dice.upTo(i)
					labels[i], labels[j] = labels[j], uint8(i)
				}
				for i := first; i < min(first+block, n); i++ {
					label := labels[i-first]
					split.Labels[i] = uint16(label)
					p.draw(int(label))
					p.develop(split.Image(i))
				}
			}
		})
	}
	wait.Wait()
	return split, ctx.Err()
}
