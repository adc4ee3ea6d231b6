package child

import (
	"encoding/json"
	"sync"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/process"
)

// Request is a cell to be run.
type Request struct {
	ID         string // by which Config.Late names it
	Code       string
	Shows      bool // its last expression is to be shown as richly as can be
	Silent     bool
	Store      bool // GoNB counts the cell; in its messages cells bear these numbers
	AllowStdin bool
	Background bool // it has a line for a shell that begins with ShellBackground
}

// Outputs is given what a cell publishes while it runs. Its methods are called by several goroutines, Publish by one at
// a time.
type Outputs interface {
	// Publish is given messages of the types stream, display_data, update_display_data, execute_result, clear_output and
	// those of comms.
	Publish(kind string, content json.RawMessage)
	// Input asks the user for a line; it returns early when cancel is closed.
	Input(prompt string, password bool, cancel <-chan struct{}) (string, error)
}

// Outcome is how a cell ended: Error is nil where it ended well, as far as GoNB says. Of a line for a shell, Exit is its
// exit status, "" where it did not tell.
type Outcome struct {
	Error *message.Error
	Exit  string
}

// run is a cell that runs.
type run struct {
	request Request
	id      string // of the message that GoNB got
	outputs Outputs
	idle    chan struct{}             // closed when all has been published
	reply   chan message.ExecuteReply // one
	done    chan struct{}             // closed when Execute returns

	ending sync.Mutex // held while something is done to the cell's processes
	over   bool       // the cell has ended

	publishing sync.Mutex
	touched    time.Time         // when GoNB last published something of it
	results    []json.RawMessage // of its last expression: published when all that it printed is
}

func (r *run) publish(kind string, content json.RawMessage) {
	if r.outputs == nil {
		return
	}
	r.publishing.Lock()
	defer r.publishing.Unlock()
	r.outputs.Publish(kind, content)
}

// Execute runs a cell to its end. Outputs may be nil. The error is ErrDied, wrapped, where GoNB ended before the cell.
func (c *Child) Execute(request Request, outputs Outputs) (Outcome, error) {
	if err := c.provideResult(request.Shows); err != nil {
		return Outcome{}, err
	}
	// GoNB reads these without looking whether they are there.
	m, err := c.session.New(message.TypeExecuteRequest, map[string]any{
		"code": request.Code, "silent": request.Silent, "store_history": request.Store,
		"user_expressions": struct{}{}, "allow_stdin": request.AllowStdin, "stop_on_error": true,
	})
	if err != nil {
		return Outcome{}, err
	}
	r := &run{
		request: request, id: m.Header.ID, outputs: outputs,
		idle: make(chan struct{}), reply: make(chan message.ExecuteReply, 1), done: make(chan struct{}),
	}
	c.pipe.forget()
	c.mu.Lock()
	c.current = r
	if request.Background {
		c.owner = request.ID
	}
	c.mu.Unlock()
	c.takeExit()
	defer func() {
		r.ending.Lock()
		r.over = true
		r.ending.Unlock()
		c.mu.Lock()
		c.current = nil
		c.mu.Unlock()
		close(r.done)
	}()
	if err := c.send(c.shell, m); err != nil {
		return Outcome{}, ErrDied
	}
	if outputs != nil {
		go c.serveInput(r)
	}
	var reply message.ExecuteReply
	select {
	case reply = <-r.reply:
	case <-c.process.Ended():
		c.finish(r)
		return Outcome{}, ErrDied
	}
	c.awaitIdle(r)
	c.finish(r)
	if reply.Status == message.StatusOK {
		return Outcome{Exit: c.takeExit()}, nil
	}
	return Outcome{Error: &message.Error{Name: reply.Name, Value: reply.Value, Traceback: reply.Traceback}}, nil
}

// idleTime is how long GoNB may publish nothing after its reply, before the state idle is taken for lost.
const idleTime = 5 * time.Second

// awaitIdle waits until all that the cell published has come, which GoNB says on another socket than its reply.
func (c *Child) awaitIdle(r *run) {
	tick := time.NewTicker(idleTime)
	defer tick.Stop()
	for begin := time.Now(); ; {
		select {
		case <-r.idle:
			return
		case <-c.process.Ended():
			return
		case <-tick.C:
		}
		r.publishing.Lock()
		last := r.touched
		r.publishing.Unlock()
		if time.Since(begin) >= idleTime && time.Since(last) >= idleTime {
			c.config.Logf("GoNB replied, but did not say that it is idle; going on")
			return
		}
	}
}

// finish publishes what is left of a cell that GoNB says no more of.
func (c *Child) finish(r *run) {
	c.pipe.drain()
	for _, b := range c.behind {
		b.drain()
	}
	r.publishing.Lock()
	results := r.results
	r.publishing.Unlock()
	for _, content := range results {
		r.publish(message.TypeExecuteResult, content)
	}
}

// running returns the cell that runs, if its message has the id.
func (c *Child) running(id string) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.current.id == id {
		return c.current
	}
	return nil
}

func (c *Child) receivePublished() {
	for frames := range c.published.Messages() {
		m, err := c.key.Decode(frames)
		if err != nil {
			c.config.Logf("GoNB published something unreadable: %v", err)
			continue
		}
		r := c.running(m.Parent.ID)
		switch m.Header.Type {
		case message.TypeStatus:
			var s message.Status
			if r != nil && m.Content(&s) == nil && s.State == message.StateIdle {
				close(r.idle)
			}
		case message.TypeExecuteInput, message.TypeError:
			// Told by the one who gave the cell, and by the reply.
		default:
			if r != nil {
				r.publish(m.Header.Type, m.Body)
				r.publishing.Lock()
				r.touched = time.Now()
				r.publishing.Unlock()
			} else {
				c.publishLate(m.Header.Type, m.Body)
			}
		}
	}
}

func (c *Child) publishLate(kind string, content json.RawMessage) {
	c.late.Lock()
	defer c.late.Unlock()
	c.config.Late("", kind, content)
}

func (c *Child) receiveReplies() {
	for frames := range c.shell.Messages() {
		m, err := c.key.Decode(frames)
		if err != nil {
			c.config.Logf("GoNB replied something unreadable: %v", err)
			continue
		}
		r := c.running(m.Parent.ID)
		if m.Header.Type != message.TypeExecuteReply || r == nil {
			continue
		}
		var reply message.ExecuteReply
		if err := m.Content(&reply); err != nil {
			reply = message.ExecuteReply{Status: message.StatusError, Name: "ProtocolError", Value: err.Error()}
		}
		select {
		case r.reply <- reply:
		default: // one is enough
		}
	}
}

func (c *Child) receiveInput() {
	for frames := range c.stdin.Messages() {
		m, err := c.key.Decode(frames)
		if err != nil || m.Header.Type != message.TypeInputRequest {
			c.config.Logf("GoNB asked something unreadable: %v", err)
			continue
		}
		var question message.InputRequest
		r := c.running(m.Parent.ID)
		if r == nil || r.outputs == nil || m.Content(&question) != nil {
			continue
		}
		go func() {
			value, err := r.outputs.Input(question.Prompt, question.Password, r.done)
			if err != nil {
				return // the cell has ended, or is about to
			}
			answer, err := c.session.New(message.TypeInputReply, message.InputReply{Status: message.StatusOK, Value: value})
			if err == nil {
				answer.Parent = m.Header
				err = c.send(c.stdin, answer)
			}
			if err != nil {
				c.config.Logf("giving input to a cell: %v", err)
			}
		}()
	}
}

// Comm passes a client's comm message to GoNB.
func (c *Child) Comm(kind string, content json.RawMessage) error {
	m, err := c.session.New(kind, content)
	if err != nil {
		return err
	}
	return c.send(c.shell, m)
}

// cellMessage publishes what a cell wrote into the pipe.
func (c *Child) cellMessage(kind string, content json.RawMessage) {
	c.mu.Lock()
	r := c.current
	c.mu.Unlock()
	if r == nil {
		c.publishLate(kind, content)
		return
	}
	if kind == message.TypeExecuteResult {
		r.publishing.Lock()
		r.results = append(r.results, content)
		r.publishing.Unlock()
		return
	}
	// What the cell printed before comes through GoNB, which takes a moment.
	const quiet, most = 3 * time.Millisecond, 300 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < most; {
		time.Sleep(quiet)
		r.publishing.Lock()
		still := time.Since(r.touched) >= quiet
		r.publishing.Unlock()
		if still && !process.Unread(c.process.Pid) {
			break
		}
	}
	r.publish(kind, content)
}
