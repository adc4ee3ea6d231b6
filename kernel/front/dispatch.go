package front

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"patchlab/kernel/child"
	"patchlab/kernel/message"
	"patchlab/kernel/source"
	"patchlab/kernel/zmtp"
)

// onShell handles a message of the shell channel. It does not wait for cells.
func (k *Kernel) onShell(ctx context.Context, m *message.Message) {
	switch m.Header.Type {
	case message.TypeExecuteRequest:
		k.queue.add(m)
	case message.TypeCompleteRequest:
		k.assist(m, func() { k.complete(ctx, m) })
	case message.TypeInspectRequest:
		k.assist(m, func() { k.inspect(ctx, m) })
	case message.TypeIsCompleteRequest:
		k.work(m, func() { k.isComplete(m) })
	case message.TypeHistoryRequest:
		k.work(m, func() { k.replyHistory(m) })
	case message.TypeCommInfoRequest:
		k.work(m, func() { k.commInfo(m) })
	case message.TypeCommOpen, message.TypeCommMessage, message.TypeCommClose:
		k.work(m, func() { k.comm(m) })
	default:
		k.onBoth(k.shell, m)
	}
}

// onControl handles a message of the control channel.
func (k *Kernel) onControl(_ context.Context, m *message.Message) { k.onBoth(k.control, m) }

// onBoth handles what may come on the shell and on the control channel.
func (k *Kernel) onBoth(on *zmtp.Server, m *message.Message) {
	switch m.Header.Type {
	case message.TypeKernelInfoRequest:
		k.work(m, func() { k.reply(on, m, message.TypeKernelInfoReply, k.info) })
	case message.TypeInterruptRequest:
		k.work(m, func() {
			k.interrupt()
			k.reply(on, m, message.TypeInterruptReply, map[string]string{"status": message.StatusOK})
		})
	case message.TypeShutdownRequest:
		k.work(m, func() {
			var r message.ShutdownRequest
			if err := m.Content(&r); err != nil {
				k.options.Logf("%v; shutting down without restart", err)
			}
			answer := message.ShutdownReply{Status: message.StatusOK, Restart: r.Restart}
			k.reply(on, m, message.TypeShutdownReply, answer)
			k.publish(m.Header, message.TypeShutdownReply, answer)
		})
		k.stop()
	case message.TypeDebugRequest:
		k.work(m, func() { k.refuse(on, m, "NotSupported", "this kernel has no debugger") })
	default:
		if !strings.HasSuffix(m.Header.Type, "_request") {
			k.options.Logf("a message of the unknown type %.60q is dropped", m.Header.Type)
			return
		}
		k.options.Logf("a message of the unknown type %.60q is answered with an error", m.Header.Type)
		k.work(m, func() {
			k.refuse(on, m, "NotSupported", "this kernel does not know messages of the type "+m.Header.Type)
		})
	}
}

// refuse answers a request with an error.
func (k *Kernel) refuse(on *zmtp.Server, m *message.Message, name, value string) {
	kind, ok := strings.CutSuffix(m.Header.Type, "_request")
	if !ok {
		return // it expects no answer
	}
	if m.Header.Type == message.TypeExecuteRequest {
		k.mu.Lock()
		count := k.queue.count
		k.mu.Unlock()
		k.reply(on, m, message.TypeExecuteReply, message.ExecuteReply{
			Status: message.StatusError, ExecutionCount: count, Name: name, Value: value, Traceback: []string{value},
		})
		return
	}
	k.reply(on, m, kind+"_reply", message.Error{Status: message.StatusError, Name: name, Value: value, Traceback: []string{value}})
}

func (k *Kernel) isComplete(m *message.Message) {
	var r message.IsCompleteRequest
	if err := m.Content(&r); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
		return
	}
	if len(r.Code) > MaxCell {
		k.reply(k.shell, m, message.TypeIsCompleteReply, message.IsCompleteReply{Status: "unknown"})
		return
	}
	status, indent := source.IsComplete(r.Code)
	k.reply(k.shell, m, message.TypeIsCompleteReply, message.IsCompleteReply{Status: status, Indent: indent})
}

func (k *Kernel) replyHistory(m *message.Message) {
	var r message.HistoryRequest
	if err := m.Content(&r); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
		return
	}
	entries, err := k.history.Find(r)
	if err != nil {
		k.refuse(k.shell, m, "HistoryError", err.Error())
		return
	}
	k.reply(k.shell, m, message.TypeHistoryReply, message.HistoryReply{Status: message.StatusOK, History: entries})
}

// assist has a request answered by the goroutine of the assistant.
func (k *Kernel) assist(m *message.Message, do func()) {
	select {
	case k.assists <- func() { k.work(m, do) }:
	default:
		k.work(m, func() { k.refuse(k.shell, m, "Busy", "too many completions are waiting") })
	}
}

func (k *Kernel) complete(ctx context.Context, m *message.Message) {
	var r message.CompleteRequest
	if err := m.Content(&r); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
		return
	}
	answer := message.CompleteReply{
		Status: message.StatusOK, Matches: []string{}, CursorStart: r.CursorPos, CursorEnd: r.CursorPos, Metadata: map[string]any{},
	}
	if k.options.Assistant != nil && len(r.Code) <= MaxCell && 0 <= r.CursorPos && r.CursorPos <= utf8.RuneCountInString(r.Code) {
		c, err := k.options.Assistant.Complete(ctx, r.Code, r.CursorPos, k.declarations())
		if err != nil {
			k.options.Logf("completing: %v", err)
		} else if len(c.Matches) > 0 {
			answer.Matches, answer.CursorStart, answer.CursorEnd = c.Matches, c.Start, c.End
			if len(c.Types) == len(c.Matches) {
				types := make([]map[string]any, len(c.Types))
				for i, t := range c.Types {
					types[i] = map[string]any{"start": c.Start, "end": c.End, "text": c.Matches[i], "type": t}
				}
				answer.Metadata["_jupyter_types_experimental"] = types
			}
		}
	}
	k.reply(k.shell, m, message.TypeCompleteReply, answer)
}

func (k *Kernel) inspect(ctx context.Context, m *message.Message) {
	var r message.InspectRequest
	if err := m.Content(&r); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
		return
	}
	data := k.describe(ctx, r.Code, r.CursorPos)
	k.reply(k.shell, m, message.TypeInspectReply, message.InspectReply{
		Status: message.StatusOK, Found: len(data) > 0, Data: data, Metadata: map[string]any{},
	})
}

// describe returns what is known about what stands at a position of a cell; it is empty where that is nothing.
func (k *Kernel) describe(ctx context.Context, code string, cursor int) message.Bundle {
	data := message.Bundle{}
	if k.options.Assistant == nil || len(code) > MaxCell || cursor < 0 || cursor > utf8.RuneCountInString(code) {
		return data
	}
	markdown, plain, err := k.options.Assistant.Inspect(ctx, code, cursor, k.declarations())
	if err != nil {
		k.options.Logf("inspecting: %v", err)
	}
	if plain != "" {
		data["text/plain"] = plain
	}
	if markdown != "" {
		data["text/markdown"] = markdown
	}
	return data
}

func (k *Kernel) declarations() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.declared
}

// gonbTarget is the only comm that GoNB knows.
const gonbTarget = "gonb_comm"

func (k *Kernel) commInfo(m *message.Message) {
	var r message.CommInfoRequest
	if err := m.Content(&r); err != nil {
		k.refuse(k.shell, m, "ProtocolError", err.Error())
		return
	}
	comms := map[string]message.CommInfo{}
	k.mu.Lock()
	for id, target := range k.comms {
		if r.TargetName == "" || r.TargetName == target {
			comms[id] = message.CommInfo{TargetName: target}
		}
	}
	k.mu.Unlock()
	k.reply(k.shell, m, message.TypeCommInfoReply, message.CommInfoReply{Status: message.StatusOK, Comms: comms})
}

// comm passes a client's comm message to GoNB, if it knows the comm; a comm of an unknown target is closed.
func (k *Kernel) comm(m *message.Message) {
	var c message.Comm
	if err := m.Content(&c); err != nil || c.ID == "" {
		k.options.Logf("a %s without a comm is dropped", m.Header.Type)
		return
	}
	if m.Header.Type == message.TypeCommOpen && c.TargetName != gonbTarget {
		k.publish(m.Header, message.TypeCommClose, message.Comm{ID: c.ID, Data: json.RawMessage("{}")})
		return
	}
	gonb := k.track(m.Header.Type, c)
	if gonb == nil {
		return
	}
	if err := gonb.Comm(m.Header.Type, m.Body); err != nil {
		k.options.Logf("passing a %s on: %v", m.Header.Type, err)
	}
}

// maxComms bounds the comms that are open.
const maxComms = 10_000

// track keeps the open comms, and returns GoNB if the comm is one of them.
func (k *Kernel) track(kind string, c message.Comm) *child.Child {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kind == message.TypeCommOpen && len(k.comms) < maxComms {
		k.comms[c.ID] = c.TargetName
	}
	if _, open := k.comms[c.ID]; !open {
		return nil
	}
	if kind == message.TypeCommClose {
		delete(k.comms, c.ID)
	}
	return k.child
}
