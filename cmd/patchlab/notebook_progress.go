package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"patchlab/kernel/runner"
)

// cellProgress shows how far a notebook's run is: on a terminal a line with the
// cell under way, its number, the time that it has taken and its first line; a
// line for each cell that has ended everywhere. A cell that takes long is named
// once a minute where there is no terminal.
type cellProgress struct {
	w    io.Writer
	tty  bool
	ran  int
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex // guards what follows, and w
	now   runner.Event
	since time.Time
	shown bool // whether the line under way stands on the terminal
}

func newCellProgress(w io.Writer) *cellProgress {
	p := &cellProgress{w: w, tty: isTerminal(w), stop: make(chan struct{})}
	every := time.Minute
	if p.tty {
		every = 200 * time.Millisecond
	}
	p.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.mu.Lock()
				p.underway()
				p.mu.Unlock()
			case <-p.stop:
				return
			}
		}
	})
	return p
}

// tell takes in an event of the run.
func (p *cellProgress) tell(e runner.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.since = e, time.Now()
	switch e.Phase {
	case runner.Starting, runner.Restoring, runner.Running:
		if p.tty {
			p.underway()
		}
	case runner.Done, runner.Failed:
		p.ran++
		p.clear()
		fmt.Fprintln(p.w, p.line(e, e.Elapsed))
	}
}

// underway shows what is under way.
func (p *cellProgress) underway() {
	if p.since.IsZero() || p.now.Phase == runner.Done || p.now.Phase == runner.Failed {
		return
	}
	line := p.line(p.now, time.Since(p.since))
	if !p.tty {
		fmt.Fprintln(p.w, line)
		return
	}
	p.clear()
	fmt.Fprint(p.w, line)
	p.shown = true
}

func (p *cellProgress) line(e runner.Event, elapsed time.Duration) string {
	word := map[runner.Phase]string{runner.Restoring: "restore", runner.Running: "running", runner.Done: "done", runner.Failed: "FAILED"}[e.Phase]
	text := fmt.Sprintf("[%*d/%d] %-7s %8s  %s", len(fmt.Sprint(e.Of)), e.Cell, e.Of, word, seconds(elapsed), runner.Plain(e.Line))
	if e.Phase == runner.Starting {
		text = fmt.Sprintf("Starting the kernel %s", seconds(elapsed))
	}
	return cut(text, p.width())
}

// width is how many characters fit on a line.
func (p *cellProgress) width() int {
	if f, ok := p.w.(*os.File); ok && p.tty {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			return width - 1
		}
	}
	return 80
}

// clear takes the line under way off the terminal.
func (p *cellProgress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// close ends the display.
func (p *cellProgress) close() {
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// seconds is a time for people: 0.3 s, 12.3 s, 4 min 5 s, 2 h 3 min.
func seconds(d time.Duration) string {
	switch s := d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case s < time.Hour:
		return fmt.Sprintf("%d min %d s", s/time.Minute, s%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", s/time.Hour, s%time.Hour/time.Minute)
	}
}
