package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConnections bounds how many clients are served at a time; more wait.
const maxConnections = 512

// shortestToken is the least number of bytes of a token: fewer are guessed, as
// the server answers thousands of guesses a second.
const shortestToken = 8

// Listen listens at an address such as 127.0.0.1:5000. Beyond loopback that
// asks for a token in the options; one of fewer than 8 bytes is refused.
func Listen(address string, o Options) (net.Listener, error) {
	if o.Token != "" && len(o.Token) < shortestToken {
		return nil, fmt.Errorf("the token has %d characters, which is soon guessed: allowed are %d or more", len(o.Token), shortestToken)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() && o.Token == "" {
		listener.Close()
		return nil, fmt.Errorf("serving at %s, beyond this machine, requires a token: set PATCHLAB_TOKEN, or name a file that holds one with --token-file", address)
	}
	return listener, nil
}

// parting is how long requests in progress may go on when the server ends.
const parting = 10 * time.Second

// Serve answers until ctx ends, then lets requests in progress finish, and cuts
// off those that take longer than ten seconds.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	return serve(ctx, listener, handler, maxConnections, parting)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, connections int, patience time.Duration) error {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := s.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		stopped <- err
	})
	err := s.Serve(&limited{Listener: listener, free: make(chan struct{}, connections), closed: make(chan struct{})})
	if stop() { // it ended by itself
		return fmt.Errorf("serving: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stopping to serve: %w", err)
	}
	return nil
}

// limited is a listener that accepts only so many connections at a time.
type limited struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed: // or the server would wait for a connection to become free before it ends
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: conn, free: l.free}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *counted) Close() error {
	defer c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
