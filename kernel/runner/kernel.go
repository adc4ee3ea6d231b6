package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/zmtp"
)

// StartOptions say how a kernel is started. The zero value has the defaults.
type StartOptions struct {
	Dir       string        // the kernel's working folder; "" is ours
	Env       []string      // further variables, "name=value"
	Timeout   time.Duration // until it must answer; default one minute
	Grace     time.Duration // how long an interrupt may go unheeded before the kernel is killed; default 5 s
	Transport string        // "tcp" (also "") or "ipc"
}

// Kernel is a running kernel with a client of its own. One goroutine at a time
// may use it.
type Kernel struct {
	spec    Spec
	grace   time.Duration
	process *process
	cleanup []string // files and folders to remove at the end
	key     message.Key
	session *message.Session
	sockets map[message.Channel]*zmtp.Client
	in      inbox
	pumps   sync.WaitGroup
	info    json.RawMessage
}

// ErrDied says that the kernel's process ended although nobody asked it to.
var ErrDied = errors.New("the kernel died")

// Start starts a kernel and waits until it answers on its sockets. When the
// context ends before, or the kernel takes too long or ends, the error says what
// it last wrote, and nothing of it is left behind.
func Start(ctx context.Context, spec Spec, o StartOptions) (*Kernel, error) {
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("it did not answer within %v", o.Timeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		k, said, err := startOnce(ctx, spec, o)
		if err == nil {
			return k, nil
		}
		if attempt < 3 && ctx.Err() == nil && strings.Contains(said, "ddress already in use") {
			continue // somebody took a port between our choosing it and the kernel's binding it
		}
		if said != "" {
			said = "; it last said:\n" + said
		}
		return nil, fmt.Errorf("kernel %s did not start: %w%s", spec.Name, err, said)
	}
}

// startOnce starts a kernel; said is what a kernel that failed wrote last.
func startOnce(ctx context.Context, spec Spec, o StartOptions) (k *Kernel, said string, err error) {
	k = &Kernel{
		spec: spec, grace: o.Grace, session: message.NewSession("patchlab"),
		sockets: map[message.Channel]*zmtp.Client{}, in: inbox{wake: make(chan struct{}, 1)},
	}
	defer func() {
		if err != nil {
			if k.process != nil {
				k.process.kill(time.Second)
				said = k.process.output.lines(12)
			}
			err = errors.Join(err, k.release())
			k = nil
		}
	}()
	connection, file, err := k.connection(o.Transport)
	if err != nil {
		return k, "", err
	}
	k.key = message.Key(connection.Key)
	argv, env := spec.command(file)
	if k.process, err = start(argv, append(env, o.Env...), o.Dir); err != nil {
		return k, "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func(p *process) {
		select {
		case <-p.ended:
			cancel(fmt.Errorf("it ended (%s)", p.state()))
		case <-stop:
		}
	}(k.process)
	if err = k.connect(ctx, connection); err == nil {
		err = k.greet(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return k, "", err
}

// connection chooses where the kernel listens and writes its connection file.
func (k *Kernel) connection(transport string) (c message.Connection, file string, err error) {
	dir := runtimeDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, "", fmt.Errorf("making Jupyter's runtime folder: %w", err)
	}
	switch transport {
	case "", "tcp":
		c, err = message.NewTCP(k.spec.Name)
	case "ipc":
		var folder string
		if folder, err = os.MkdirTemp("", "kernel"); err == nil {
			k.cleanup = append(k.cleanup, folder)
			c = message.NewIPC(folder, k.spec.Name)
		}
	default:
		err = fmt.Errorf("transport %q; allowed: tcp, ipc", transport)
	}
	if err != nil {
		return c, "", err
	}
	file = filepath.Join(dir, "kernel-"+message.NewID()+".json")
	k.cleanup = append(k.cleanup, file)
	return c, file, c.Write(file)
}

// connect opens the sockets that a client needs and begins to read them.
func (k *Kernel) connect(ctx context.Context, c message.Connection) error {
	kinds := map[message.Channel]zmtp.Kind{message.Shell: zmtp.Dealer, message.Control: zmtp.Dealer, message.IOPub: zmtp.Sub}
	for channel, kind := range kinds {
		network, address := c.Address(channel)
		socket, err := zmtp.Dial(ctx, network, address, kind, zmtp.Options{Identity: []byte(k.session.ID)})
		if err != nil {
			return fmt.Errorf("connecting to the %s channel: %w", channel, err)
		}
		k.sockets[channel] = socket
		k.pumps.Add(1)
		go func() {
			defer k.pumps.Done()
			for frames := range socket.Messages() {
				if m, err := k.key.Decode(frames); err == nil {
					k.in.put(arrival{channel, m})
				} // what is not signed with our key is not from our kernel
			}
			k.in.put(arrival{channel, nil})
		}()
	}
	return k.sockets[message.IOPub].Subscribe("")
}

// greet asks for the kernel's description until both the answer and a message on
// IOPub have come: a subscription takes effect some time after it was sent, and
// what was published before is lost.
func (k *Kernel) greet(ctx context.Context) error {
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	seen := false
	for {
		request, err := k.session.New(message.TypeKernelInfoRequest, struct{}{})
		if err == nil {
			err = k.send(message.Shell, request)
		}
		if err != nil {
			return err
		}
	waiting:
		for {
			for _, a := range k.in.take() {
				switch {
				case a.message == nil:
					return fmt.Errorf("the %s connection was lost", a.channel)
				case a.channel == message.IOPub:
					seen = true
				case a.message.Header.Type == message.TypeKernelInfoReply:
					k.info = a.message.Body
				}
			}
			if seen && k.info != nil {
				return nil
			}
			select {
			case <-k.in.wake:
			case <-again.C:
				break waiting
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// Info is the content of the kernel's kernel_info_reply, as JSON.
func (k *Kernel) Info() json.RawMessage { return k.info }

func (k *Kernel) send(channel message.Channel, m *message.Message) error {
	frames, err := k.key.Encode(m)
	if err == nil {
		err = k.sockets[channel].Send(frames)
	}
	if err != nil {
		return fmt.Errorf("sending the kernel a %s: %w", m.Header.Type, err)
	}
	return nil
}

// Interrupt stops what the kernel executes, in the way that its specification
// names: a message on the control channel, or what Ctrl-C sends.
func (k *Kernel) Interrupt() error {
	if k.spec.InterruptMode != "message" {
		return k.process.interrupt()
	}
	request, err := k.session.New(message.TypeInterruptRequest, struct{}{})
	if err != nil {
		return err
	}
	return k.send(message.Control, request)
}

// Close asks the kernel to end, ends it after five seconds, and removes what it
// leaves: its children, its connection file, its sockets.
func (k *Kernel) Close() error {
	request, err := k.session.New(message.TypeShutdownRequest, map[string]bool{"restart": false})
	if err == nil && k.send(message.Control, request) == nil {
		k.process.wait(5 * time.Second)
	}
	k.process.kill(time.Second)
	return k.release()
}

// release closes the sockets and removes files.
func (k *Kernel) release() error {
	var errs []error
	for _, s := range k.sockets {
		errs = append(errs, s.Close())
	}
	k.pumps.Wait()
	for _, path := range k.cleanup {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// arrival is a message of the kernel, or, where there is none, the loss of the
// connection.
type arrival struct {
	channel message.Channel
	message *message.Message
}

// inbox keeps what the sockets' goroutines received until it is taken. It is
// unbounded: a kernel drops what a slow client does not fetch.
type inbox struct {
	mu    sync.Mutex
	items []arrival
	wake  chan struct{} // holds a token when there may be items
}

func (b *inbox) put(a arrival) {
	b.mu.Lock()
	b.items = append(b.items, a)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = nil
	return items
}
