package front

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"patchlab/kernel/child"
	"patchlab/kernel/jupytertest"
	"patchlab/kernel/message"
	"patchlab/kernel/zmtp"
)

// patience bounds what a test waits for; it is reached only where something is broken.
const patience = 3 * time.Minute

// running is a kernel in this process.
type running struct {
	connection message.Connection
	folder     string
	ended      chan error
	kernel     *Kernel
}

func serve(t *testing.T, change func(*Options)) *running {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pf") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	connection, err := message.NewTCP("patchlab")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Connection: connection, Folder: filepath.Join(dir, "k"), Child: child.Config{Tools: jupytertest.Tools(t)},
		Info: message.KernelInfoReply{Implementation: "test", LanguageInfo: message.LanguageInfo{Name: "go"}}, Logf: t.Logf,
	}
	if change != nil {
		change(&o)
	}
	k, err := listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{connection: connection, folder: o.Folder, ended: make(chan error, 1), kernel: k}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.ended <- k.serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	return r
}

// client is a client of a kernel, over real sockets.
type client struct {
	t       *testing.T
	key     message.Key
	session *message.Session
	sockets map[message.Channel]*zmtp.Client

	mu       sync.Mutex
	changed  chan struct{} // replaced at each message
	messages []*message.Message
	channels []message.Channel // of messages
}

func (r *running) client(t *testing.T) *client {
	t.Helper()
	c := &client{
		t: t, key: message.Key(r.connection.Key), session: message.NewSession("test"), sockets: map[message.Channel]*zmtp.Client{},
		changed: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ch, kind := range map[message.Channel]zmtp.Kind{
		message.Shell: zmtp.Dealer, message.Control: zmtp.Dealer, message.Stdin: zmtp.Dealer, message.IOPub: zmtp.Sub, message.Heartbeat: zmtp.Req,
	} {
		network, address := r.connection.Address(ch)
		s, err := zmtp.Dial(ctx, network, address, kind, zmtp.Options{Identity: []byte(c.session.ID)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		c.sockets[ch] = s
		if ch == message.Heartbeat {
			continue
		}
		go func() {
			for frames := range s.Messages() {
				m, err := c.key.Decode(frames)
				if err != nil {
					t.Errorf("the kernel sent something unreadable: %v", err)
					continue
				}
				c.mu.Lock()
				c.messages, c.channels = append(c.messages, m), append(c.channels, ch)
				close(c.changed)
				c.changed = make(chan struct{})
				c.mu.Unlock()
			}
		}()
	}
	if err := c.sockets[message.IOPub].Subscribe(""); err != nil {
		t.Fatal(err)
	}
	c.wait("a welcome", func(ch message.Channel, m *message.Message) bool { return m.Header.Type == message.TypeWelcome })
	return c
}

// find returns the messages that fit.
func (c *client) find(fits func(message.Channel, *message.Message) bool) []*message.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*message.Message
	for i, m := range c.messages {
		if fits(c.channels[i], m) {
			found = append(found, m)
		}
	}
	return found
}

// wait returns the first message that fits.
func (c *client) wait(what string, fits func(message.Channel, *message.Message) bool) *message.Message {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if found := c.find(fits); len(found) > 0 {
			return found[0]
		}
		select {
		case <-changed:
		case <-deadline:
			c.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// send sends a request and returns its id.
func (c *client) send(ch message.Channel, kind string, content any) string {
	c.t.Helper()
	m, err := c.session.New(kind, content)
	if err != nil {
		c.t.Fatal(err)
	}
	frames, err := c.key.Encode(m)
	if err == nil {
		err = c.sockets[ch].Send(frames)
	}
	if err != nil && !errors.Is(err, zmtp.ErrClosed) {
		c.t.Fatal(err)
	}
	return m.Header.ID
}

// reply waits for the reply to a request, reads its content, and waits for the state idle after it.
func (c *client) reply(id string, content any) *message.Message {
	c.t.Helper()
	m := c.wait("the reply to "+id, func(ch message.Channel, m *message.Message) bool {
		return (ch == message.Shell || ch == message.Control) && m.Parent.ID == id
	})
	if content != nil {
		if err := m.Content(content); err != nil {
			c.t.Fatal(err)
		}
	}
	c.wait("idle after "+id, func(ch message.Channel, m *message.Message) bool {
		var s message.Status
		return m.Header.Type == message.TypeStatus && m.Parent.ID == id && m.Content(&s) == nil && s.State == message.StateIdle
	})
	return m
}

// ask sends a request and reads the reply's content.
func (c *client) ask(ch message.Channel, kind string, request, reply any) string {
	c.t.Helper()
	id := c.send(ch, kind, request)
	c.reply(id, reply)
	return id
}

// outputs returns what a cell published, without its states and its input.
func (c *client) outputs(id string) (types []string, messages []*message.Message) {
	messages = c.find(func(ch message.Channel, m *message.Message) bool {
		return ch == message.IOPub && m.Parent.ID == id && m.Header.Type != message.TypeStatus && m.Header.Type != message.TypeExecuteInput
	})
	for _, m := range messages {
		types = append(types, m.Header.Type)
	}
	return types, messages
}

// run runs a cell.
func (c *client) run(code string) (message.ExecuteReply, string) {
	c.t.Helper()
	var r message.ExecuteReply
	id := c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code}, &r)
	return r, id
}

// text returns what a cell wrote to a stream.
func (c *client) text(id, stream string) string {
	text := ""
	_, messages := c.outputs(id)
	for _, m := range messages {
		var s message.Stream
		if m.Header.Type == message.TypeStream && m.Content(&s) == nil && s.Name == stream {
			text += s.Text
		}
	}
	return text
}
