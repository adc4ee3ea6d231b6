package experiments

import (
	"runtime"
	"sync"

	"patchlab/datasets/augment"
)

// batch is what one step trains on.
type batch struct {
	images []uint8 // [B, H, W, C]
	labels []int32 // [B]
	// share is what each image and its label keep of themselves where the batch is
	// mixed, else 1.
	share float64
}

// feed draws the batches that are left of an epoch in goroutines of its own, one
// ahead of the step that is computed. What a batch holds follows from seed, epoch
// and place in the epoch alone, not from when or by which goroutine it is drawn.
type feed struct {
	ready, free chan *batch
	stop, done  chan struct{}
}

// ahead is how many batches there are: one in the step, one ready for the next.
const ahead = 2

// feed begins to draw batches from where the state stands.
func (t *trainer) feed() *feed {
	f := &feed{make(chan *batch, ahead), make(chan *batch, ahead), make(chan struct{}), make(chan struct{})}
	size := t.Recipe.Batch
	for range ahead {
		f.free <- &batch{images: make([]uint8, size*t.train.ImageSize()), labels: make([]int32, size)}
	}
	draw := t.drawing()
	from := t.state.Images
	go func() {
		defer close(f.done)
		for start := from; start < t.train.Len(); start += size {
			select {
			case b := <-f.free:
				draw(b, start)
				f.ready <- b // never waits: there are no more batches than places
			case <-f.stop:
				return
			}
		}
	}()
	return f
}

// next waits for the next batch; there is one for each step of the epoch.
func (f *feed) next() *batch { return <-f.ready }

// give gives a batch back that the step is done with.
func (f *feed) give(b *batch) { f.free <- b }

// close ends the drawing.
func (f *feed) close() {
	close(f.stop)
	<-f.done
}

// drawing returns a function that fills a batch with the images at a place of the
// current epoch's order, varied by the recipe, each processor a part of them.
func (t *trainer) drawing() func(b *batch, start int) {
	order := t.state.order(t.train, t.Recipe.Seed)
	seed, epoch, size := t.Recipe.Seed, t.state.Epochs, t.train.ImageSize()
	height, width, channels := t.Dataset.Height, t.Dataset.Width, t.Dataset.Channels
	policy := t.Recipe.Augment
	var variers []*augment.Varier
	if policy != nil {
		for range runtime.GOMAXPROCS(0) {
			variers = append(variers, augment.NewVarier(*policy, height, width, channels))
		}
	}
	source := augment.NewSource()
	return func(b *batch, start int) {
		count := min(t.Recipe.Batch, len(order)-start)
		b.images, b.labels, b.share = b.images[:count*size], b.labels[:count], 1
		t.train.Batch(order, start, count, b.images, b.labels)
		if policy == nil {
			return
		}
		var wait sync.WaitGroup
		for w, v := range variers {
			wait.Go(func() {
				for i := count * w / len(variers); i < count*(w+1)/len(variers); i++ {
					v.Image(b.images[i*size:(i+1)*size], seed, epoch, int(order[start+i]))
				}
			})
		}
		wait.Wait()
		if m := policy.Mixing; m != nil {
			source.Batch(seed, epoch, start)
			b.share = m.Batch(source, b.images, count, height, width, channels)
		}
	}
}
