package datasets

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// server serves one file, badly: answer decides about each request, which it counts from 1.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // the Range header of each
}

func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, request int)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Header.Get("Range"))
		n := len(s.requests)
		s.mu.Unlock()
		answer(w, r, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// shelf is a library that gets CIFAR-10's archive from a server and loses patience early.
func shelf(archive []byte, bases ...string) library {
	return library{
		cifar:         origin{bases: bases, files: []remoteFile{{cifarArchive, int64(len(archive)), sum(archive)}}},
		fashionSystem: "/nonexistent",
		patience: patience{
			connect: time.Second, answer: 2 * time.Second, stall: 150 * time.Millisecond,
			pause: time.Millisecond, attempts: 3,
		},
	}
}

// whole answers as a good server does, ranges included.
func whole(archive []byte) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
	}
}

// cutter closes the connection after some bytes of the body.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// stallAfter sends so many bytes, then nothing until the client goes away.
func stallAfter(w http.ResponseWriter, r *http.Request, content []byte, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.Write(content[:n])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}
