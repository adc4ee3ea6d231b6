package front

import (
	"context"

	"patchlab/kernel/message"
)

// onStdin handles the answer to an input request. Clients name the request as its parent; some leave it out.
func (k *Kernel) onStdin(_ context.Context, m *message.Message) {
	var r message.InputReply
	if m.Header.Type != message.TypeInputReply {
		k.options.Logf("a message of the type %.60q on the stdin channel is dropped", m.Header.Type)
		return
	}
	if err := m.Content(&r); err != nil {
		k.options.Logf("%v", err)
		return
	}
	k.mu.Lock()
	q := k.waiting
	if q != nil && (m.Parent.ID == "" || m.Parent.ID == q.id || m.Parent.Type != message.TypeInputRequest) {
		k.waiting = nil
	} else {
		q = nil
	}
	k.mu.Unlock()
	if q == nil {
		k.options.Logf("an input that nobody waits for is dropped")
		return
	}
	q.answer <- r.Value
}
