package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A server whose connections are all taken by clients that do not go on ends all the same.
func TestServingEndsWithClientsThatHang(t *testing.T) {
	listener, err := Listen("127.0.0.1:0", Options{})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reached := make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, handler, 1, 10*time.Millisecond) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
	must(t, err)
	<-reached
	cancel()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
	}
	must(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	if _, err := io.ReadAll(conn); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Error("the client who hangs was not cut off")
		}
	}
}
