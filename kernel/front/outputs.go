package front

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/source"
)

// holdTime is how long the text of a panic is held back for the cell's error; a cell that goes on after it has printed
// it no longer than that was not panicking.
const holdTime = time.Second

// outputs publishes what a cell publishes, in its name.
type outputs struct {
	kernel    *Kernel
	execution *execution
	count     int
	stored    bool // count is the cell's own
	counted   bool // GoNB has it, too
	before    int  // the number of the last cell before GoNB began to count
	code      string
	limit     limit

	mu       sync.Mutex
	result   string // the plain text of the cell's result
	held     strings.Builder
	holding  bool
	released bool   // the text held was no panic
	pending  string // what may be GoNB's word on how the cell ended
	newline  bool   // standard error is in the middle of a line
}

// Publish implements child.Outputs.
func (o *outputs) Publish(kind string, content json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind {
	case message.TypeStream:
		var s message.Stream
		if err := json.Unmarshal(content, &s); err != nil {
			o.kernel.options.Logf("a stream is dropped: %v", err)
			return
		}
		if s.Name == "stderr" {
			o.stderr(s.Text)
			return
		}
		o.publish(kind, content)
	case message.TypeExecuteResult:
		var r message.ExecuteResult
		if err := json.Unmarshal(content, &r); err != nil || r.Data == nil {
			o.kernel.options.Logf("a result without data is dropped: %v", err)
			return
		}
		r.ExecutionCount = o.count
		if r.Metadata == nil {
			r.Metadata = map[string]any{}
		}
		o.result, _ = r.Data["text/plain"].(string)
		o.publish(kind, r)
	case message.TypeDisplayData, message.TypeUpdateDisplayData:
		var d message.DisplayData
		if err := json.Unmarshal(content, &d); err != nil || d.Data == nil {
			o.kernel.options.Logf("a %s without data is dropped: %v", kind, err)
			return
		}
		if d.Metadata == nil {
			d.Metadata = map[string]any{}
		}
		standAlone(&d)
		o.publish(kind, d)
	case message.TypeCommOpen, message.TypeCommMessage, message.TypeCommClose:
		var c message.Comm
		if json.Unmarshal(content, &c) == nil {
			o.kernel.track(kind, c)
		}
		o.publish(kind, content)
	default:
		o.publish(kind, content)
	}
}

func (o *outputs) publish(kind string, content any) {
	if o.execution.ask.Silent {
		return
	}
	if ok, say := o.limit.admit(kind, content); !ok {
		if say == "" {
			return
		}
		kind, content = message.TypeStream, message.Stream{Name: "stderr", Text: say}
	}
	o.kernel.publish(o.execution.request.Header, kind, content)
	o.observe(kind, content)
}

// observe tells the observer what the cell published.
func (o *outputs) observe(kind string, content any) {
	k := o.kernel
	k.observing.Lock()
	defer k.observing.Unlock()
	if k.observed == o {
		k.tell(kind, content)
	}
}

// tell is called with Kernel.observing locked.
func (k *Kernel) tell(kind string, content any) {
	if text, err := json.Marshal(content); err == nil { // else it was not published either
		k.options.Observer.Message(kind, text)
	}
}

// observe says whose messages the observer is told, nil: nobody's.
func (k *Kernel) observe(o *outputs) {
	k.observing.Lock()
	k.observed = o
	k.observing.Unlock()
}

// command has the observer run a line.
func (o *outputs) command(line string) *message.Error {
	text, err := o.kernel.options.Observer.Command(line)
	if err != nil {
		return &message.Error{Name: "CommandError", Value: err.Error()}
	}
	if text != "" {
		o.stream("stdout", strings.TrimSuffix(text, "\n")+"\n")
	}
	return nil
}

// publishLate publishes what came when its cell had ended.
func (k *Kernel) publishLate(parent, kind string, content json.RawMessage) {
	k.mu.Lock()
	behind := k.behind
	k.mu.Unlock()
	if behind != nil && behind.execution.request.Header.ID == parent {
		behind.Publish(kind, content)
		return
	}
	var c message.Comm
	if strings.HasPrefix(kind, "comm_") && json.Unmarshal(content, &c) == nil {
		k.track(kind, c)
	}
	if kind == message.TypeExecuteResult { // whose?
		return
	}
	k.publish(message.Header{}, kind, content)
}

// stream publishes text of the kernel itself.
func (o *outputs) stream(name, text string) {
	o.publish(message.TypeStream, message.Stream{Name: name, Text: text})
}

// exitPattern is what GoNB writes to standard error at the end of a cell that failed.
var exitPattern = regexp.MustCompile(`^(\^C\n)?((?:exit status \d+|signal: [a-z0-9 ]+(?: \(core dumped\))?))\n$`)

// stderr publishes text, but holds back what becomes the cell's error.
func (o *outputs) stderr(text string) {
	text = renumber(text, o.before)
	if exitPattern.MatchString(text) {
		o.release()
		o.pending = text
		return
	}
	o.release()
	if !o.holding && !o.released {
		if at := panicAt(text, o.newline); at >= 0 {
			if at > 0 {
				o.stream("stderr", text[:at])
				text = text[at:]
			}
			o.holding = true
			time.AfterFunc(holdTime, o.flush)
		}
	}
	if text != "" {
		o.newline = !strings.HasSuffix(text, "\n")
	}
	if o.holding {
		o.held.WriteString(text)
		if o.held.Len() > 1<<20 {
			o.flushLocked()
		}
		return
	}
	o.stream("stderr", text)
}

// panicAt returns where a line begins with the words of a panic or of a fatal error of Go's runtime; -1: nowhere.
func panicAt(text string, midLine bool) int {
	for at := 0; at < len(text); {
		if at > 0 || !midLine {
			if strings.HasPrefix(text[at:], "panic: ") || strings.HasPrefix(text[at:], "fatal error: ") {
				return at
			}
		}
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			break
		}
		at += n + 1
	}
	return -1
}

// release publishes text that turned out not to be GoNB's last word.
func (o *outputs) release() {
	if text := o.pending; text != "" {
		o.pending = ""
		if o.holding {
			o.held.WriteString(text)
		} else {
			o.stream("stderr", text)
		}
	}
}

// flush publishes what is held back.
func (o *outputs) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
}

func (o *outputs) flushLocked() {
	if o.holding {
		o.stream("stderr", o.held.String())
		o.held.Reset()
		o.holding, o.released = false, true
	}
}

// end is called when the cell has ended, with GoNB's error. It publishes what was held back without reason, and returns
// the cell's error.
func (o *outputs) end(err *message.Error) *message.Error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if rest := o.limit.rest(); rest != "" && !o.execution.ask.Silent {
		s := message.Stream{Name: "stderr", Text: rest}
		o.kernel.publish(o.execution.request.Header, message.TypeStream, s)
		o.observe(message.TypeStream, s)
	}
	if err == nil {
		o.flushLocked()
		o.release()
		o.released = false
		return nil
	}
	if m := exitPattern.FindStringSubmatch(o.pending); m != nil && m[2] == err.Value {
		o.pending = ""
	}
	if o.holding {
		held := o.held.String()
		o.held.Reset()
		o.holding, o.released = false, true
		o.release()
		e := panicError(held)
		if file, err := o.kernel.child.Source(); err == nil {
			locate(e.Traceback, file, o.code, o.count)
		}
		return e
	}
	o.release()
	if err.Name == "ShellError" {
		return err
	}
	return o.kernel.explained(compileError(err, o.count, o.before))
}

// shellError is the error of a shell that failed, which GoNB says in a line of text only; exit is the status that the
// shell itself told, if it did.
func (o *outputs) shellError(step source.Step, exit string) *message.Error {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := exitPattern.FindStringSubmatch(o.pending)
	if exit == "0" || exit == "" && m == nil {
		return nil
	}
	how := "exit status " + exit
	if exit == "" {
		how = m[2]
	}
	if m != nil && m[2] == how {
		o.pending = ""
	}
	what := "the script"
	if step.Shell != "" {
		what = "!" + step.Shell
	}
	return &message.Error{Name: "ShellError", Value: what + " ended with " + how}
}

// question is an input request that waits for its answer.
type question struct {
	id     string
	answer chan string
}

// Input implements child.Outputs: it asks the client that gave the cell.
func (o *outputs) Input(prompt string, password bool, cancel <-chan struct{}) (string, error) {
	k := o.kernel
	if allow := o.execution.ask.AllowStdin; allow != nil && !*allow {
		k.mu.Lock()
		o.execution.refused = "the cell asks for input, but its client does not allow that"
		c := k.child
		k.mu.Unlock()
		c.Interrupt()
		return "", errors.New("input is not allowed")
	}
	m, err := k.session.Reply(o.execution.request, message.TypeInputRequest, message.InputRequest{Prompt: prompt, Password: password})
	if err != nil {
		return "", err
	}
	q := &question{id: m.Header.ID, answer: make(chan string, 1)}
	k.mu.Lock()
	k.waiting = q
	k.mu.Unlock()
	k.send(k.stdin, m)
	select {
	case value := <-q.answer:
		return value, nil
	case <-cancel:
		return "", errors.New("the cell has ended")
	}
}

// results keeps the result of a cell.
type results struct{ data message.Bundle }

// Publish implements child.Outputs.
func (r *results) Publish(kind string, content json.RawMessage) {
	var e message.ExecuteResult
	if kind == message.TypeExecuteResult && json.Unmarshal(content, &e) == nil {
		r.data = e.Data
	}
}

// Input implements child.Outputs.
func (r *results) Input(string, bool, <-chan struct{}) (string, error) {
	return "", errors.New("an expression cannot ask for input")
}
