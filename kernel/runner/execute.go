package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patchlab/kernel/message"
)

// iopubPatience is how long after its reply a cell's last outputs may come.
const iopubPatience = 10 * time.Second

// Execute runs code and returns how it ended. Everything that the kernel says
// about it on IOPub, in order, and its reply go to handle before Execute returns.
//
// When the context ends first the kernel is interrupted, and killed if it does
// not heed that; the error is then the context's cause, beside a reply that may
// be empty. When the kernel's process ends the error is [ErrDied], within two
// seconds, and tells how it ended and what it last wrote.
func (k *Kernel) Execute(ctx context.Context, request message.ExecuteRequest, handle func(*message.Message)) (reply message.ExecuteReply, err error) {
	m, err := k.session.New(message.TypeExecuteRequest, request)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = k.send(message.Shell, m)
	}
	if err != nil {
		return reply, k.orDeath(err)
	}
	e := execution{kernel: k, id: m.Header.ID, handle: handle}
	ended := ctx.Done()
	var unheeded, lost, late <-chan time.Time
	for {
		if err := e.take(); err != nil {
			return e.reply, err
		}
		if e.replied && e.idle {
			break
		}
		if e.lost && lost == nil {
			lost = time.After(time.Second) // its process should end now
		}
		if e.replied && late == nil {
			late = time.After(iopubPatience)
		}
		select {
		case <-k.in.wake:
		case <-ended:
			ended = nil
			if err := k.Interrupt(); err != nil {
				return e.reply, k.orDeath(errors.Join(context.Cause(ctx), err))
			}
			unheeded = time.After(k.grace)
		case <-unheeded:
			k.process.kill(0)
			return e.reply, fmt.Errorf("%w; the kernel did not heed the interrupt for %v and was killed", context.Cause(ctx), k.grace)
		case <-k.process.ended:
			k.drain(&e)
			return e.reply, k.death()
		case <-lost:
			k.process.kill(0)
			return e.reply, fmt.Errorf("%w: it closed its connections", ErrDied)
		case <-late:
			e.idle = true
		}
	}
	if ctx.Err() != nil && unheeded != nil {
		return e.reply, context.Cause(ctx)
	}
	return e.reply, nil
}

// drain hands on what an ended kernel had still sent.
func (k *Kernel) drain(e *execution) {
	done := make(chan struct{})
	go func() {
		k.pumps.Wait() // the connections of a process that has ended are closed
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second): // but a child may hold them
	}
	e.take()
}

// orDeath is the kernel's death where it has died, since other errors follow
// from that; else err.
func (k *Kernel) orDeath(err error) error {
	if k.process.wait(200 * time.Millisecond) {
		return k.death()
	}
	return err
}

func (k *Kernel) death() error {
	said := k.process.output.lines(8)
	if said != "" {
		said = "; it last said:\n" + said
	}
	return fmt.Errorf("%w (%s)%s", ErrDied, k.process.state(), said)
}

// execution is one request under way.
type execution struct {
	kernel  *Kernel
	id      string
	handle  func(*message.Message)
	reply   message.ExecuteReply
	replied bool
	idle    bool
	lost    bool
}

// take handles the messages that have arrived. Those that belong to other
// requests are dropped.
func (e *execution) take() error {
	for _, a := range e.kernel.in.take() {
		if a.message == nil {
			e.lost = true
			continue
		}
		if a.message.Parent.ID != e.id {
			continue
		}
		switch a.channel {
		case message.Shell:
			e.replied = true
			e.handle(a.message)
			if err := a.message.Content(&e.reply); err != nil {
				return err
			}
		case message.IOPub:
			e.handle(a.message)
			if a.message.Header.Type == message.TypeStatus {
				var s message.Status
				if err := a.message.Content(&s); err != nil {
					return err
				}
				e.idle = e.idle || s.State == message.StateIdle
			}
		}
	}
	return nil
}
