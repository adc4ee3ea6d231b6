package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"patchlab/kernel/child"
	"patchlab/kernel/message"
	"patchlab/kernel/zmtp"
)

// MaxCell bounds the bytes of a cell's code.
const MaxCell = 8 << 20

// Completion is what may stand between two positions of a cell, counted in Unicode code points.
type Completion struct {
	Start, End int
	Matches    []string
	Types      []string // of the matches, as JupyterLab shows them; empty or as long as Matches
}

// Assistant knows the language. Its methods are called by one goroutine. Code is the cell, cursor a position in it in
// code points, and declared a Go file with what the cells before it have declared.
type Assistant interface {
	Complete(ctx context.Context, code string, cursor int, declared string) (Completion, error)
	// Inspect describes what stands at the cursor, in Markdown and as plain text; both are empty where nothing is known.
	Inspect(ctx context.Context, code string, cursor int, declared string) (markdown, plain string, err error)
}

// Observer is told what the cells that count do, and runs the commands that are its own. Begin, Message and End are
// called one at a time, in this order for each cell.
type Observer interface {
	Begin(count int, code string)
	Message(kind string, content json.RawMessage)
	End(ok bool)
	// Command runs a line of a cell that begins with Options.Magic, and returns what there is to say.
	Command(line string) (string, error)
}

// Options say what a kernel is.
type Options struct {
	Connection message.Connection
	// Child configures GoNB. Its Folder, Late and Logf are set by the kernel.
	Child child.Config
	// Folder is the kernel's private folder; it is removed at the end.
	Folder string
	// Info describes the kernel. Status and ProtocolVersion are filled in.
	Info message.KernelInfoReply
	// Assistant completes and inspects; nil: nothing is known.
	Assistant Assistant
	// Observer is told about cells; nil: nobody is. Connect, if it is not nil, is given a function by which it publishes
	// below the cell that runs, and is told so by Message; Begin, End and Command may call it, and any goroutine.
	Observer Observer
	Connect  func(publish func(kind string, content any))
	Magic    string // what the lines begin with that are the observer's, such as "%patchlab"
	// History keeps cells; nil: in memory, for this session.
	History *History
	// Ready is called, if it is not nil, by a goroutine of its own when GoNB was first started. While it
	// works on something that slows cells down, it says so with slows, which is shown under a cell that takes long; with
	// the empty text, that has ended. The context ends with the kernel, which waits for Ready.
	Ready func(ctx context.Context, slows func(text string))
	// Logf is told what goes wrong; nil: nobody is.
	Logf func(format string, args ...any)
}

// Kernel is a running kernel.
type Kernel struct {
	options Options
	key     message.Key
	session *message.Session
	info    message.KernelInfoReply
	history *History

	shell, control, stdin, iopub, heartbeat *zmtp.Server

	stop    context.CancelFunc // ends the kernel
	queue   *queue
	assists chan func()
	before  int // cells that were run before this GoNB; owned by the goroutine that runs cells

	observing sync.Mutex // held while the observer is told of a message
	observed  *outputs   // of the cell that it is told of

	mu       sync.Mutex // guards all below
	running  *execution // the cell that runs
	child    *child.Child
	declared string // Go source of what the cells have declared
	comms    map[string]string
	slows    string   // what slows cells down
	behind   *outputs // of the cell that left something running last
	waiting  *question
}

// Serve runs a kernel until it is shut down or the context ends, and leaves nothing behind. The error is nil after a
// shutdown.
func Serve(ctx context.Context, o Options) error {
	k, err := listen(o)
	if err != nil {
		return err
	}
	return k.serve(ctx)
}

// listen binds the sockets.
func listen(o Options) (*Kernel, error) {
	if err := o.Connection.Validate(); err != nil {
		return nil, fmt.Errorf("starting the kernel: connection: %w", err)
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.History == nil {
		o.History = NewHistory()
	}
	k := &Kernel{
		options: o, key: message.Key(o.Connection.Key), session: message.NewSession("kernel"), info: o.Info, history: o.History,
		queue: newQueue(), assists: make(chan func(), 100), comms: map[string]string{},
	}
	k.info.Status, k.info.ProtocolVersion = message.StatusOK, message.Version
	if k.info.HelpLinks == nil {
		k.info.HelpLinks = []message.HelpLink{}
	}
	for _, s := range []struct {
		server  **zmtp.Server
		channel message.Channel
		kind    zmtp.Kind
	}{
		{&k.heartbeat, message.Heartbeat, zmtp.Rep}, {&k.iopub, message.IOPub, zmtp.Pub}, {&k.stdin, message.Stdin, zmtp.Router},
		{&k.control, message.Control, zmtp.Router}, {&k.shell, message.Shell, zmtp.Router},
	} {
		network, address := o.Connection.Address(s.channel)
		server, err := zmtp.Listen(network, address, s.kind, zmtp.Options{MaxMessage: 128 << 20, Log: o.Logf})
		if err != nil {
			k.closeSockets()
			return nil, fmt.Errorf("binding the %s socket: %w", s.channel, err)
		}
		*s.server = server
	}
	return k, nil
}

func (k *Kernel) closeSockets() {
	var closing sync.WaitGroup
	for _, s := range []*zmtp.Server{k.shell, k.control, k.stdin, k.iopub, k.heartbeat} {
		if s != nil {
			closing.Go(func() { s.Close() })
		}
	}
	closing.Wait()
}

func (k *Kernel) serve(ctx context.Context) error {
	ctx, k.stop = context.WithCancel(ctx)
	defer k.stop()
	if k.options.Connect != nil {
		k.options.Connect(func(kind string, content any) {
			k.mu.Lock()
			var parent message.Header
			if k.running != nil {
				parent = k.running.request.Header
			}
			k.mu.Unlock()
			k.publish(parent, kind, content)
			if k.options.Observer != nil {
				k.observing.Lock()
				defer k.observing.Unlock()
				k.tell(kind, content)
			}
		})
	}
	var receiving, working sync.WaitGroup
	receiving.Go(func() {
		for m := range k.heartbeat.Messages() {
			k.heartbeat.Send(m)
		}
	})
	k.publish(message.Header{}, message.TypeStatus, message.Status{State: message.StateStarting})
	receiving.Go(k.welcome)
	receiving.Go(func() { k.receive(ctx, k.shell, k.onShell) })
	receiving.Go(func() { k.receive(ctx, k.control, k.onControl) })
	receiving.Go(func() { k.receive(ctx, k.stdin, k.onStdin) })
	working.Go(func() {
		ready := func() {
			if k.options.Ready != nil {
				working.Go(func() { k.options.Ready(ctx, k.note) })
			}
		}
		k.execute(ctx, ready)
	})
	working.Go(func() {
		for {
			select {
			case f := <-k.assists:
				f()
			case <-ctx.Done():
				return
			}
		}
	})
	<-ctx.Done()
	k.mu.Lock()
	c := k.child
	k.mu.Unlock()
	var err error
	if c != nil {
		err = c.Close()
	}
	working.Wait()
	k.closeSockets()
	receiving.Wait()
	return errors.Join(err, os.RemoveAll(k.options.Folder))
}

// welcome tells each client that its subscription holds, under the topic to which it subscribed, as protocol 5.4 asks.
func (k *Kernel) welcome() {
	for m := range k.iopub.Messages() {
		subscription := m[1]
		if subscription[0] != 1 {
			continue
		}
		topic := subscription[1:]
		w, err := k.session.Publish(message.Header{}, message.TypeWelcome, message.Welcome{Subscription: string(topic)})
		if err != nil {
			k.options.Logf("%v", err)
			continue
		}
		w.Identities = [][]byte{topic}
		k.send(k.iopub, w)
	}
}

// receive hands each message that is one to handle.
func (k *Kernel) receive(ctx context.Context, from *zmtp.Server, handle func(context.Context, *message.Message)) {
	for frames := range from.Messages() {
		m, err := k.key.Decode(frames)
		switch {
		case err == nil:
			handle(ctx, m)
		case m != nil: // its sender is known, so it can be told
			k.options.Logf("a malformed %s is answered with an error: %v", m.Header.Type, err)
			k.work(m, func() { k.refuse(from, m, "ProtocolError", err.Error()) })
		default:
			k.options.Logf("a message is dropped: %v", err)
		}
	}
}

// publish sends a message to everybody.
func (k *Kernel) publish(parent message.Header, kind string, content any) {
	m, err := k.session.Publish(parent, kind, content)
	if err != nil {
		k.options.Logf("%v", err)
		return
	}
	k.send(k.iopub, m)
}

// reply answers a request on the socket on which it came.
func (k *Kernel) reply(on *zmtp.Server, request *message.Message, kind string, content any) {
	m, err := k.session.Reply(request, kind, content)
	if err != nil {
		k.options.Logf("%v", err)
		return
	}
	k.send(on, m)
}

func (k *Kernel) send(on *zmtp.Server, m *message.Message) {
	frames, err := k.key.Encode(m)
	if err == nil {
		err = on.Send(frames)
	}
	if err != nil && !errors.Is(err, zmtp.ErrClosed) {
		k.options.Logf("sending a %s: %v", m.Header.Type, err)
	}
}

// work does what a request asks for between the states busy and idle. Where a cell runs, the kernel is busy afterwards
// too, and clients that show one state for all are told again.
func (k *Kernel) work(request *message.Message, do func()) {
	k.publish(request.Header, message.TypeStatus, message.Status{State: message.StateBusy})
	do()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.publish(request.Header, message.TypeStatus, message.Status{State: message.StateIdle})
	if k.running != nil && k.running.request != request {
		k.publish(k.running.request.Header, message.TypeStatus, message.Status{State: message.StateBusy})
	}
}

// startChild starts GoNB in a folder of its own, and gives it what was declared before.
func (k *Kernel) startChild(ctx context.Context, number int) error {
	config := k.options.Child
	config.Folder = filepath.Join(k.options.Folder, fmt.Sprint(number))
	config.Logf = k.options.Logf
	config.Late = k.publishLate
	begin := time.Now()
	c, err := child.Start(ctx, config)
	if err != nil {
		return err
	}
	k.options.Logf("GoNB runs after %v", time.Since(begin).Round(time.Millisecond))
	k.mu.Lock()
	k.child = c
	k.mu.Unlock()
	if ctx.Err() != nil { // serve may have looked before
		c.Close()
	}
	return nil
}

// interrupt ends the cell that runs.
func (k *Kernel) interrupt() {
	k.mu.Lock()
	r := k.running
	if r != nil {
		r.interrupted = true
		r.stop()
	}
	k.mu.Unlock()
	if r == nil || k.interruptOnce(r) {
		return
	}
	go func() { // GoNB has not got the cell yet
		for !k.interruptOnce(r) {
			time.Sleep(10 * time.Millisecond)
		}
	}()
}

// interruptOnce is true where the cell was interrupted, or has ended.
func (k *Kernel) interruptOnce(r *execution) bool {
	k.mu.Lock()
	running, c := k.running, k.child
	k.mu.Unlock()
	return running != r || c != nil && c.Interrupt()
}
