package front

import (
	"sync"

	"patchlab/kernel/message"
)

// queue holds the cells that wait to be run.
type queue struct {
	mu    sync.Mutex
	items []*message.Message
	added chan struct{} // has one element where items may have some
	count int           // of executions; owned by the goroutine that runs cells, changed under Kernel.mu
}

func newQueue() *queue { return &queue{added: make(chan struct{}, 1)} }

func (q *queue) add(m *message.Message) {
	q.mu.Lock()
	q.items = append(q.items, m)
	q.mu.Unlock()
	select {
	case q.added <- struct{}{}:
	default:
	}
}

// next takes the first item; nil where there is none.
func (q *queue) next() *message.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil
	}
	m := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	return m
}

// take takes all items.
func (q *queue) take() []*message.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
