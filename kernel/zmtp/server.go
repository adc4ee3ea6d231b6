package zmtp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Server is a bound socket of kind Router, Pub or Rep.
//
// Each received message has the sender's identity as its first frame. On a Router and a Rep, the first frame of a sent
// message is the identity of the client that gets the rest; a message for a client that is gone is dropped, as ZeroMQ
// does. On a Pub, messages go to all clients that subscribed to a prefix of the first frame; the subscriptions
// (0x01 and the topic; 0x00 ends one) are received as messages.
type Server struct {
	kind     Kind
	options  Options
	listener net.Listener
	messages chan [][]byte
	done     chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[string]*conn  // by identity
	opened map[net.Conn]bool // still shaking hands
}

// Listen binds a socket. Network and address are those of package net: "tcp" or "unix". A Unix socket that nobody
// listens on any longer is replaced; a new one belongs to its owner alone.
func Listen(network, address string, kind Kind, o Options) (*Server, error) {
	if kind != Router && kind != Pub && kind != Rep {
		return nil, fmt.Errorf("zmtp: cannot listen with kind %s, allowed are ROUTER, PUB and REP", kind)
	}
	if network == "unix" {
		if c, err := net.DialTimeout(network, address, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("zmtp: somebody listens on %s already", address)
		} else if info, err := os.Lstat(address); err == nil && info.Mode()&os.ModeSocket != 0 {
			os.Remove(address)
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("zmtp: %w", err)
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o600); err != nil {
			l.Close()
			return nil, fmt.Errorf("zmtp: %w", err)
		}
	}
	s := &Server{
		kind: kind, options: o.withDefaults(), listener: l, messages: make(chan [][]byte, 16), done: make(chan struct{}),
		conns: map[string]*conn{}, opened: map[net.Conn]bool{},
	}
	s.running.Add(1)
	go s.accept()
	return s, nil
}

// Addr is the address on which the socket listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Messages are the received messages. It is closed after Close.
func (s *Server) Messages() <-chan [][]byte { return s.messages }

// Send queues a message and returns without waiting for its receivers. The frames must not be changed afterwards.
func (s *Server) Send(frames [][]byte) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	var to []*conn
	if s.kind == Pub {
		for _, c := range s.conns {
			if c.wants(frames) {
				to = append(to, c)
			}
		}
	} else if len(frames) > 1 {
		if c := s.conns[string(frames[0])]; c != nil {
			to = append(to, c)
		}
		frames = frames[1:]
	}
	s.mu.Unlock()
	for _, c := range to {
		if err := c.send(frames); err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
	}
	return nil
}

// Close sends what is queued, for a second at most, closes all connections and waits for every goroutine of the socket.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	err := s.listener.Close()
	conns := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	for c := range s.opened {
		c.Close()
	}
	s.mu.Unlock()
	var flushing sync.WaitGroup
	for _, c := range conns {
		flushing.Go(c.close)
	}
	flushing.Wait()
	s.running.Wait()
	close(s.messages)
	return err
}

func (s *Server) accept() {
	defer s.running.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.options.Log("zmtp: accepting: %v", err)
			select {
			case <-time.After(100 * time.Millisecond): // out of file descriptors, say
			case <-s.done:
			}
			continue
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			c.Close()
			return
		}
		s.opened[c] = true
		s.running.Add(1)
		s.mu.Unlock()
		go s.serve(c)
	}
}

// serve is the life of one connection; it owns its reading side.
func (s *Server) serve(raw net.Conn) {
	defer s.running.Done()
	c, err := open(raw, s.kind, s.options)
	s.mu.Lock()
	delete(s.opened, raw)
	if err != nil || s.closed {
		s.mu.Unlock()
		if err != nil {
			s.options.Log("zmtp: a peer was refused: %v", err)
		} else {
			c.close()
		}
		return
	}
	if s.kind == Pub || s.kind == Rep || len(c.identity) == 0 {
		c.identity = make([]byte, 17) // such as ROUTER sockets choose: a zero byte, then what nobody guesses
		rand.Read(c.identity[1:])
	}
	id := string(c.identity)
	before := s.conns[id]
	s.conns[id] = c // who comes with an identity again has lost its connection
	s.mu.Unlock()
	if before != nil {
		before.net.Close()
	}
	defer func() {
		s.mu.Lock()
		if s.conns[id] == c {
			delete(s.conns, id)
		}
		s.mu.Unlock()
		c.close()
	}()
	for {
		frames, err := c.receive()
		if err != nil {
			if errors.Is(err, ErrTooLarge) {
				s.options.Log("zmtp: a peer is disconnected: %v", err)
			}
			return
		}
		if s.kind == Pub && !c.subscribe(frames) {
			continue
		}
		select {
		case s.messages <- append([][]byte{c.identity}, frames...):
		case <-s.done:
			return
		}
	}
}
