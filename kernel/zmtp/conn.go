package zmtp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Options say how a socket behaves. The zero value has the defaults.
type Options struct {
	// Identity names this end to ROUTER peers; empty lets the peer choose one.
	Identity []byte
	// MaxMessage bounds the bytes of a received message; default 256 MiB.
	MaxMessage int64
	// MaxQueue bounds the bytes that wait for a peer to read them, before the peer is disconnected; default 512 MiB.
	MaxQueue int64
	// Handshake bounds the time in which a peer must greet; default 10 s.
	Handshake time.Duration
	// Log is told about peers that are refused or disconnected; nil: nobody is.
	Log func(format string, args ...any)
}

func (o Options) withDefaults() Options {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 256 << 20
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = 512 << 20
	}
	if o.Handshake <= 0 {
		o.Handshake = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

// ErrClosed says that the socket, or the connection behind it, is closed.
var ErrClosed = errors.New("zmtp: closed")

// flushTime is how long closing waits for a peer to read what is queued.
const flushTime = time.Second

// conn is one connection after its handshake. Messages are written by one goroutine, from a queue.
type conn struct {
	net      net.Conn
	r        *bufio.Reader
	identity []byte // the peer's
	options  Options
	written  chan struct{} // closed when the writer has ended

	mu     sync.Mutex
	wake   sync.Cond
	queue  [][][]byte
	cmds   [][]byte
	size   int64
	closed bool
	topics [][]byte // of a subscriber
}

// open shakes hands over c and starts the writer. On an error c is closed.
func open(c net.Conn, kind Kind, o Options) (*conn, error) {
	n := &conn{net: c, r: bufio.NewReaderSize(c, 1<<16), options: o, written: make(chan struct{})}
	n.wake.L = &n.mu
	w := bufio.NewWriterSize(c, 1<<16)
	c.SetDeadline(time.Now().Add(o.Handshake))
	_, identity, err := handshake(n.r, w, kind, o.Identity)
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	n.identity = identity
	go n.write(w)
	return n, nil
}

// send queues a message. It does not wait for the peer.
func (n *conn) send(frames [][]byte) error {
	var size int64
	for _, f := range frames {
		size += int64(len(f)) + 64
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if n.size+size > n.options.MaxQueue && len(n.queue) > 0 {
		n.options.Log("zmtp: a peer does not read: %d messages wait; it is disconnected", len(n.queue))
		n.closed, n.queue = true, nil
		n.net.Close()
		n.wake.Signal()
		return fmt.Errorf("%w: the peer does not read", ErrClosed)
	}
	n.size += size
	n.queue = append(n.queue, frames)
	n.wake.Signal()
	return nil
}

func (n *conn) sendCommand(body []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed && len(n.cmds) < 16 {
		n.cmds = append(n.cmds, body)
		n.wake.Signal()
	}
}

// write is the writer: it sends what is queued until the connection is closed and the queue empty.
func (n *conn) write(w *bufio.Writer) {
	defer close(n.written)
	defer n.net.Close()
	for {
		n.mu.Lock()
		for len(n.queue) == 0 && len(n.cmds) == 0 && !n.closed {
			n.wake.Wait()
		}
		queue, cmds, closed := n.queue, n.cmds, n.closed
		n.queue, n.cmds, n.size = nil, nil, 0
		n.mu.Unlock()
		for _, c := range cmds {
			if writeFrame(w, flagCommand, c) != nil {
				return
			}
		}
		for _, frames := range queue {
			if writeMessage(w, frames) != nil {
				return
			}
		}
		if w.Flush() != nil || closed {
			return
		}
	}
}

// close sends what is queued, for at most flushTime, and closes the connection.
func (n *conn) close() {
	n.mu.Lock()
	n.closed = true
	n.net.SetWriteDeadline(time.Now().Add(flushTime))
	n.wake.Signal()
	n.mu.Unlock()
	<-n.written
}

// receive returns the next message, having answered the commands before it. Subscriptions that come as commands (ZMTP
// 3.1) are returned as the messages of ZMTP 3.0.
func (n *conn) receive() ([][]byte, error) {
	for {
		frames, body, err := readMessage(n.r, n.options.MaxMessage)
		if err != nil || frames != nil {
			return frames, err
		}
		name, data, err := splitCommand(body)
		if err != nil {
			return nil, err
		}
		switch name {
		case "PING": // a time to live of two bytes, then what the answer repeats
			if len(data) < 2 || len(data) > 18 {
				return nil, fmt.Errorf("zmtp: a PING of %d bytes", len(data))
			}
			n.sendCommand(command("PONG", data[2:]))
		case "SUBSCRIBE":
			return [][]byte{append([]byte{1}, data...)}, nil
		case "CANCEL":
			return [][]byte{append([]byte{0}, data...)}, nil
		}
	}
}

// maxTopics bounds the subscriptions of one peer.
const maxTopics = 1000

// subscribe keeps the subscription in a message and says whether it is one.
func (n *conn) subscribe(frames [][]byte) bool {
	if len(frames) != 1 || len(frames[0]) == 0 || frames[0][0] > 1 {
		return false
	}
	topic := frames[0][1:]
	n.mu.Lock()
	defer n.mu.Unlock()
	if frames[0][0] == 1 {
		if len(n.topics) < maxTopics {
			n.topics = append(n.topics, topic)
		}
		return true
	}
	for i, t := range n.topics {
		if bytes.Equal(t, topic) {
			n.topics = append(n.topics[:i:i], n.topics[i+1:]...)
			break
		}
	}
	return true
}

// wants says whether the peer subscribed to a message.
func (n *conn) wants(frames [][]byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.topics {
		if len(frames) > 0 && bytes.HasPrefix(frames[0], t) {
			return true
		}
	}
	return false
}
