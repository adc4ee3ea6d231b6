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

// Listen listens at an address such as 127.0.0.1:5000. Beyond loopback that
// asks for a token in the options.
func Listen(address string, o Options) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serving: %w", err)
	}
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() && o.Token == "" {
		listener.Close()
		return nil, fmt.Errorf("serving at %s, beyond this machine, requires a token", address)
	}
	return listener, nil
}

// Serve answers until ctx ends, then lets requests in progress finish.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- s.Shutdown(grace)
	})
	err := s.Serve(&limited{Listener: listener, free: make(chan struct{}, maxConnections)})
	if stop() { // it ended by itself
		return fmt.Errorf("serving: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping to serve: %w", err)
	}
	return nil
}

// limited is a listener that accepts only so many connections at a time.
type limited struct {
	net.Listener
	free chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: conn, free: l.free}, nil
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
