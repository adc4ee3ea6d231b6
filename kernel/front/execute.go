package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"patchlab/kernel/child"
	"patchlab/kernel/message"
	"patchlab/kernel/source"
)

// execution is a cell that runs.
type execution struct {
	request     *message.Message
	ask         message.ExecuteRequest
	stop        context.CancelFunc // ends what the kernel itself does for the cell
	interrupted bool               // guarded by Kernel.mu
	refused     string             // why the kernel ended it; guarded by Kernel.mu
}

// execute runs the cells, one after the other, and owns GoNB.
func (k *Kernel) execute(ctx context.Context, ready func()) {
	starts := 0
	start := func() error {
		if ctx.Err() != nil {
			return errors.New("the kernel is shutting down")
		}
		starts++
		return k.startChild(ctx, starts)
	}
	if err := start(); err != nil && ctx.Err() == nil {
		k.options.Logf("%v", err)
	}
	ready()
	deaths, last := 0, time.Time{}
	for {
		var ended <-chan struct{}
		if k.child != nil {
			ended = k.child.Ended()
		}
		select {
		case <-ctx.Done():
			k.abort(k.queue.take(), "the kernel is shutting down")
			return
		case <-ended:
			if ctx.Err() != nil {
				continue
			}
			if time.Since(last) > time.Minute {
				deaths = 0
			}
			last = time.Now()
			if deaths++; deaths > maxDeaths {
				k.options.Logf("GoNB has ended (%s) again and is started with the next cell", k.child.State())
				k.dropChild()
				continue
			}
			k.options.Logf("GoNB has ended (%s) and is started again", k.child.State())
			k.restart(start)
		case <-k.queue.added:
			for m := k.queue.next(); m != nil && ctx.Err() == nil; m = k.queue.next() {
				k.run(ctx, m, start)
			}
		}
	}
}

// maxDeaths is how often GoNB is started again between two cells within a minute.
const maxDeaths = 5

// dropChild does away with a GoNB that has ended.
func (k *Kernel) dropChild() {
	k.mu.Lock()
	old := k.child
	k.child = nil
	k.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// restart replaces a GoNB that has ended, and says what became of the declarations.
func (k *Kernel) restart(start func() error) string {
	k.dropChild()
	k.before = k.queue.count
	if err := start(); err != nil {
		k.options.Logf("%v", err)
		return "It could not be started again: " + err.Error()
	}
	declared := k.declarations()
	if declared == "" {
		return "It was started again."
	}
	outcome, err := k.child.Execute(child.Request{Code: declared, Silent: true}, nil)
	if err != nil || outcome.Error != nil {
		k.mu.Lock()
		k.declared = ""
		k.mu.Unlock()
		return "It was started again, without what the cells had declared: run them again."
	}
	return "It was started again, with what the cells had declared."
}

// run runs one cell and answers its request.
func (k *Kernel) run(ctx context.Context, m *message.Message, start func() error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	e := &execution{request: m, stop: stop}
	k.mu.Lock()
	k.running = e
	k.mu.Unlock()
	var aborted []*message.Message
	k.publish(m.Header, message.TypeStatus, message.Status{State: message.StateBusy})
	if err := m.Content(&e.ask); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
	} else {
		reply := k.runCell(ctx, e, start)
		if reply.Status != message.StatusOK && (e.ask.StopOnError == nil || *e.ask.StopOnError) {
			aborted = k.queue.take() // what comes after the reply is meant to run
		}
		k.reply(k.shell, m, message.TypeExecuteReply, reply)
	}
	k.mu.Lock()
	k.running = nil
	k.publish(m.Header, message.TypeStatus, message.Status{State: message.StateIdle})
	k.mu.Unlock()
	k.abort(aborted, "a cell before it failed")
}

// abort answers cells without running them.
func (k *Kernel) abort(cells []*message.Message, why string) {
	for _, m := range cells {
		k.work(m, func() {
			k.reply(k.shell, m, message.TypeExecuteReply, message.ExecuteReply{
				Status: message.StatusAborted, ExecutionCount: k.queue.count, Name: "Aborted", Value: why, Traceback: []string{},
			})
		})
	}
}

// runCell runs the code of a request.
func (k *Kernel) runCell(ctx context.Context, e *execution, start func() error) message.ExecuteReply {
	stored := !e.ask.Silent && (e.ask.StoreHistory == nil || *e.ask.StoreHistory)
	if stored {
		k.mu.Lock()
		k.queue.count++
		k.mu.Unlock()
	}
	count := k.queue.count
	out := &outputs{kernel: k, execution: e, count: count, stored: stored, before: k.before}
	defer k.keepCount(out)
	code := e.ask.Code
	if len(code) > MaxCell {
		return k.failure(out, &message.Error{Name: "CellTooLarge", Value: fmt.Sprintf("the cell has %d bytes, allowed are %d", len(code), MaxCell)})
	}
	if !e.ask.Silent {
		k.publish(e.request.Header, message.TypeExecuteInput, message.ExecuteInput{Code: code, ExecutionCount: count})
	}
	ok := false
	if k.options.Observer != nil && stored {
		k.options.Observer.Begin(count, code)
		k.observe(out)
		defer func() {
			k.observe(nil)
			k.options.Observer.End(ok)
		}()
	}
	reply := message.ExecuteReply{Status: message.StatusOK, ExecutionCount: count, UserExpressions: map[string]json.RawMessage{}, Payload: []json.RawMessage{}}
	if name, ok := asksHelp(code); ok {
		if reply.Payload = k.page(ctx, name); ctx.Err() != nil {
			k.remember(stored, count, code, "")
			return k.failure(out, &message.Error{Name: "Interrupted", Value: "the cell was interrupted"})
		}
	} else if strings.TrimSpace(code) != "" {
		slow := time.AfterFunc(slowTime, func() { k.explain(out) })
		defer slow.Stop()
		if err := k.runCode(e, out, code, start); err != nil {
			k.remember(stored, count, code, "")
			return k.failure(out, err)
		}
	}
	ok = true
	k.remember(stored, count, code, out.result)
	for name, expression := range e.ask.UserExpressions {
		reply.UserExpressions[name] = k.evaluate(expression)
	}
	return reply
}

func (k *Kernel) remember(stored bool, count int, code, result string) {
	if !stored {
		return
	}
	if err := k.history.Add(count, code, result); err != nil {
		k.options.Logf("%v", err)
	}
}

// runCode has GoNB run code; the error is what went wrong with it.
func (k *Kernel) runCode(e *execution, out *outputs, code string, start func() error) *message.Error {
	if k.options.Observer != nil {
		commands, rest, bare := source.Take(code, k.options.Magic)
		for _, line := range commands {
			if err := out.command(line); err != nil {
				return err
			}
		}
		if bare {
			return nil
		}
		code = rest
	}
	if name, known := source.Unknown(code, k.options.Magic); name != "" {
		return &message.Error{Name: "UnknownCommand", Value: fmt.Sprintf("there is no command %s; there are %s", name, strings.Join(known, ", "))}
	}
	if k.child == nil {
		if err := start(); err != nil {
			return &message.Error{Name: "StartError", Value: err.Error()}
		}
		if k.before = out.count; out.stored {
			k.before--
		}
		out.before = k.before
	}
	prepared := source.Prepare(code, k.declarations())
	out.code = prepared.Code
	for i, step := range source.Steps(prepared.Code, child.ShellStatus, child.ShellBackground) {
		err := k.runStep(e, out, step, child.Request{
			ID: e.request.Header.ID, Code: step.Code, Shows: prepared.Shows && step.Shell == "", Background: step.Background,
			Silent: e.ask.Silent, Store: out.stored && i == 0, AllowStdin: e.ask.AllowStdin == nil || *e.ask.AllowStdin,
		}, start)
		if err != nil {
			return err
		}
	}
	if text, err := k.child.Source(); err == nil {
		if declared, ok := source.Declarations(text); ok {
			k.mu.Lock()
			k.declared = declared
			k.mu.Unlock()
		}
	}
	return nil
}

// keepCount has GoNB count a cell that it was not given, so that it gives the next ones their numbers.
func (k *Kernel) keepCount(out *outputs) {
	if !out.stored || out.counted || k.child == nil {
		return
	}
	if _, err := k.child.Execute(child.Request{Silent: true, Store: true}, nil); err != nil {
		k.options.Logf("counting a cell: %v", err)
	}
}

// runStep has GoNB run a part of a cell; the error is what went wrong with it.
func (k *Kernel) runStep(e *execution, out *outputs, step source.Step, request child.Request, start func() error) *message.Error {
	if step.Background {
		k.mu.Lock()
		k.behind = out
		k.mu.Unlock()
	}
	out.counted = out.counted || request.Store
	outcome, err := k.child.Execute(request, out)
	k.mu.Lock()
	interrupted, refused := e.interrupted, e.refused
	k.mu.Unlock()
	if errors.Is(err, child.ErrDied) {
		out.flush()
		text := fmt.Sprintf("%v (%s). ", err, k.child.State()) + k.restart(start)
		out.stream("stderr", text+"\n")
		return &message.Error{Name: "ProcessDied", Value: text}
	}
	if err != nil {
		out.flush()
		return &message.Error{Name: "KernelError", Value: err.Error()}
	}
	if outcome.Error == nil && (step.Shell != "" || step.Foreign) {
		outcome.Error = out.shellError(step, outcome.Exit)
	}
	failure := out.end(outcome.Error)
	switch {
	case refused != "":
		return &message.Error{Name: "StdinNotAllowed", Value: refused}
	case interrupted:
		return &message.Error{Name: "Interrupted", Value: "the cell was interrupted"}
	}
	return failure
}

// failure publishes the one error of a cell, and returns its reply.
func (k *Kernel) failure(out *outputs, err *message.Error) message.ExecuteReply {
	if len(err.Traceback) == 0 {
		err.Traceback = []string{err.Name + ": " + err.Value}
	}
	err.Status = ""
	out.publish(message.TypeError, err)
	return message.ExecuteReply{
		Status: message.StatusError, ExecutionCount: out.count, Name: err.Name, Value: err.Value, Traceback: err.Traceback,
		UserExpressions: map[string]json.RawMessage{},
	}
}

// evaluate returns the value of a user expression, or what keeps it from having one.
func (k *Kernel) evaluate(expression string) json.RawMessage {
	if k.child == nil {
		return json.RawMessage(`{"status":"error","ename":"StartError","evalue":"GoNB does not run","traceback":[]}`)
	}
	var value any
	r := &results{}
	outcome, err := k.child.Execute(child.Request{Code: "func main() { " + source.ResultFunc + "(" + expression + ") }", Silent: true}, r)
	switch {
	case err != nil:
		value = message.Error{Status: message.StatusError, Name: "ProcessDied", Value: err.Error(), Traceback: []string{}}
	case outcome.Error != nil:
		e := compileError(outcome.Error, 0, k.before)
		e.Status = message.StatusError
		value = e
	default:
		value = map[string]any{"status": message.StatusOK, "data": r.data, "metadata": map[string]any{}}
	}
	b, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("{}")
	}
	return b
}

var helpPattern = regexp.MustCompile(`^\s*([\pL_][\pL\pN_]*(?:\.[\pL_][\pL\pN_]*)*)\?\s*$`)

// asksHelp says whether a cell is a name and a question mark, which asks what the name is.
func asksHelp(code string) (name string, ok bool) {
	if match := helpPattern.FindStringSubmatch(code); match != nil {
		return match[1], true
	}
	return "", false
}

// page returns what a frontend's pager shows about a name.
func (k *Kernel) page(ctx context.Context, name string) []json.RawMessage {
	data := make(chan message.Bundle, 1)
	select {
	case k.assists <- func() { data <- k.describe(ctx, name, len([]rune(name))) }:
	case <-ctx.Done():
		return nil
	}
	var bundle message.Bundle
	select {
	case bundle = <-data:
	case <-ctx.Done():
		return nil
	}
	if len(bundle) == 0 {
		bundle = message.Bundle{"text/plain": "Nothing is known about " + name + "."}
	}
	b, err := json.Marshal(map[string]any{"source": "page", "data": bundle, "start": 0})
	if err != nil {
		return []json.RawMessage{}
	}
	return []json.RawMessage{b}
}

// slowTime is how long a cell runs before it is said what may slow it down.
const slowTime = 3 * time.Second

// note keeps what slows cells down; empty: nothing does.
func (k *Kernel) note(text string) {
	k.mu.Lock()
	k.slows = text
	k.mu.Unlock()
}

// explain says once what slows cells down, if something does, under the cell that waits.
func (k *Kernel) explain(out *outputs) {
	k.mu.Lock()
	text := k.slows
	running := k.running == out.execution
	if running {
		k.slows = ""
	}
	k.mu.Unlock()
	if text != "" && running {
		out.publish(message.TypeDisplayData, message.DisplayData{
			Data: message.Bundle{"text/plain": text}, Metadata: map[string]any{message.Notice: true},
		})
	}
}
