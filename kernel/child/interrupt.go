package child

import (
	"slices"
	"syscall"
	"time"

	"patchlab/kernel/process"
)

// interruptTime is how long a cell may go on after it was asked to end, before it is killed.
const interruptTime = 600 * time.Millisecond

// Interrupt ends the cell that runs: it and what it has started get SIGINT, and SIGKILL where they have not ended soon
// after. If GoNB itself does not return, it is killed too. Interrupt does not wait; it is false where no cell runs.
func (c *Child) Interrupt() bool {
	c.mu.Lock()
	r := c.current
	c.mu.Unlock()
	if r == nil || !r.ifRuns(c.interruptOnce) {
		return false
	}
	go func() {
		deadline := time.After(interruptTime)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		kill, kills := false, 0
		for {
			select {
			case <-r.done:
				return
			case <-c.process.Ended():
				return
			case <-deadline:
				kill = true
			case <-tick.C:
			}
			if !kill {
				continue
			}
			r.ifRuns(func() {
				process.SignalAll(process.Descendants(c.process.Pid), syscall.SIGKILL)
				if kills > 0 { // what holds the cell has left GoNB's tree
					process.SignalAll(slices.DeleteFunc(process.WithEntry(c.entry()), func(pid int) bool { return pid == c.process.Pid }), syscall.SIGKILL)
				}
			})
			if kills++; kills > 30 {
				c.config.Logf("GoNB does not return from an interrupted cell and is killed")
				c.process.Signal(syscall.SIGKILL)
			}
		}
	}()
	return true
}

// ifRuns does something to the cell's processes, unless the cell has ended; the next does not begin meanwhile.
func (r *run) ifRuns(do func()) bool {
	r.ending.Lock()
	defer r.ending.Unlock()
	if !r.over {
		do()
	}
	return !r.over
}

// interruptOnce sends SIGINT to GoNB, which passes it on to the cell, and to all below it, such as the compiler.
func (c *Child) interruptOnce() {
	c.process.Signal(syscall.SIGINT)
	process.SignalAll(process.Descendants(c.process.Pid), syscall.SIGINT)
}
