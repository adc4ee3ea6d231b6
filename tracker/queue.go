package tracker

import (
	"errors"
	"sync"
	"time"
)

const (
	// queuePoints is how many points may wait to be written; then Log waits.
	queuePoints = 1 << 16
	// commitEvery is how long a point waits at most before it is written.
	commitEvery = 200 * time.Millisecond
	// beatEvery is how often a process says that its runs are alive.
	beatEvery = 10 * time.Second
)

// queued is one value on its way to the file.
type queued struct {
	run *Run // not its row, whose number another run may have after gc
	key string
	sample
}

// queue collects points and writes them in one goroutine, many a transaction.
// Points leave memory only after their transaction is durable.
type queue struct {
	db *DB

	mu       sync.Mutex
	changed  sync.Cond // accepted, durable, failure or closing changed
	waiting  []queued  // not yet taken by the writer
	accepted uint64    // points ever taken in
	durable  uint64    // points ever written
	attempts uint64    // transactions tried
	failure  error     // of the last attempt
	told     bool      // a caller knows of a failure
	closing  bool

	wake chan struct{} // someone wants it written now
	done chan struct{}
}

func newQueue(db *DB) *queue {
	q := &queue{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.changed.L = &q.mu
	go q.work()
	return q
}

var errClosed = errors.New("the database is closed")

// add takes values in. It waits while the queue is full, unless the last
// attempt to write failed: then it refuses, for waiting might have no end.
func (q *queue) add(run *Run, step, at int64, values func(func(string, float64) bool)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) >= queuePoints && !q.closing {
		if q.failure != nil {
			q.told = true
			return q.failure
		}
		q.nudge()
		q.changed.Wait()
	}
	if q.closing {
		return errClosed
	}
	for key, value := range values {
		q.waiting = append(q.waiting, queued{run, key, sample{step, at, value}})
		q.accepted++
	}
	if len(q.waiting) >= queuePoints/2 {
		q.nudge()
	}
	return nil
}

// tell notes that a caller knows of a failure.
func (q *queue) tell() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told = true
}

func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// flush waits until all that was accepted before is durable, or until an
// attempt that began afterwards failed.
func (q *queue) flush() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	target, attempt := q.accepted, q.attempts+2 // the attempt in progress may have begun before
	for q.durable < target {
		if q.failure != nil && (q.closing || q.attempts >= attempt) {
			q.told = true
			return q.failure
		}
		q.nudge()
		q.changed.Wait()
	}
	return nil
}

// close writes what is left and ends the goroutine.
func (q *queue) close() error {
	q.mu.Lock()
	if q.closing {
		q.mu.Unlock()
		return errClosed
	}
	q.closing = true
	q.changed.Broadcast()
	q.mu.Unlock()
	q.nudge()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.durable == q.accepted:
		return nil
	case q.told:
		return &unwritten{q.accepted - q.durable, q.failure}
	default:
		return q.failure
	}
}

func (q *queue) work() {
	defer close(q.done)
	commit := time.NewTicker(commitEvery)
	defer commit.Stop()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	var batch, spare []queued // batch: taken, not durable yet
	for {
		select {
		case <-q.wake:
		case <-commit.C:
		case <-beat.C:
			q.db.heartbeat()
		}
		q.mu.Lock()
		if len(batch) == 0 {
			batch, q.waiting = q.waiting, spare[:0]
			q.changed.Broadcast() // there is room
		}
		closing := q.closing
		q.mu.Unlock()

		var err error
		if len(batch) > 0 {
			err = q.db.store(batch)
		}
		q.mu.Lock()
		q.attempts++
		q.failure = err
		if err == nil {
			q.durable += uint64(len(batch))
			clear(batch) // lets go of the keys' strings
			spare, batch = batch[:0], nil
		}
		q.changed.Broadcast()
		finished := closing && (err != nil || len(q.waiting) == 0)
		again := err == nil && len(q.waiting) > 0 && (closing || len(q.waiting) >= queuePoints/2)
		q.mu.Unlock()
		if finished {
			return
		}
		if again {
			q.nudge()
		}
	}
}
