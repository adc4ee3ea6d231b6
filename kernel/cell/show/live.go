package show

import (
	"sync"
	"time"
)

// pace is the shortest time between two pictures of a live area: front ends draw each, and notebooks keep the last.
const pace = 150 * time.Millisecond

// Live is an area below the cell that shows one value at a time: each replaces the one before it, in place. Values that
// come faster than front ends draw are skipped, the last one never. Its methods may be called from several goroutines.
//
//	area := show.NewLive()
//	defer area.Close()
//	for step := range steps {
//		area.Show(picture(step))
//	}
type Live struct {
	id   string
	now  func() time.Time
	send func(kind string, c content)

	mu      sync.Mutex
	shown   bool
	last    time.Time
	pending func() Bundle // what is to be shown next
	timer   *time.Timer
	closed  bool
}

// NewLive returns an area. It takes its place below the cell when it shows its first value.
func NewLive() *Live { return newLive(out.send, time.Now) }

func newLive(send func(string, content), now func() time.Time) *Live {
	return &Live{id: newID(), now: now, send: send}
}

// Show replaces what the area shows.
func (l *Live) Show(value any) { l.Draw(func() Bundle { return Of(value) }) }

// Draw is Show for what takes time to draw: draw is called only for what is really shown, in whatever goroutine, and
// never twice at a time.
func (l *Live) Draw(draw func() Bundle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.pending = draw
	wait := pace - l.now().Sub(l.last)
	switch {
	case !l.shown || wait <= 0:
		l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.flush()
		})
	}
}

// flush shows what is pending; l.mu must be held.
func (l *Live) flush() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.pending == nil {
		return
	}
	kind := updateData
	if !l.shown {
		kind, l.shown = displayData, true
	}
	draw := l.pending
	l.pending = nil
	l.send(kind, content{Data: draw(), Transient: map[string]any{"display_id": l.id}})
	l.last = l.now()
}

// Flush shows the last value at once. A cell that ends without it may lose what came in its last moments.
func (l *Live) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

// Close shows the last value; later ones are not shown.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	l.closed = true
}
