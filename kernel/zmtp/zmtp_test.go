package zmtp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

// patience bounds what a test waits for; it is reached only where something is broken.
const patience = time.Minute

func listen(t *testing.T, kind Kind, o Options) *Server {
	t.Helper()
	o.Log = t.Logf
	s, err := Listen("tcp", "127.0.0.1:0", kind, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, s *Server, kind Kind, identity string) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Dial(ctx, s.Addr().Network(), s.Addr().String(), kind, Options{Identity: []byte(identity)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, from <-chan [][]byte) [][]byte {
	t.Helper()
	select {
	case m, ok := <-from:
		if !ok {
			t.Fatal("the connection is closed")
		}
		return m
	case <-time.After(patience):
		t.Fatal("no message")
	}
	return nil
}

func frames(parts ...string) [][]byte {
	f := make([][]byte, len(parts))
	for i, p := range parts {
		f[i] = []byte(p)
	}
	return f
}

func TestRouterAndDealers(t *testing.T) {
	s := listen(t, Router, Options{})
	a, b := dial(t, s, Dealer, "a"), dial(t, s, Dealer, "")
	big := string(bytes.Repeat([]byte("x"), 1<<20))
	if err := a.Send(frames("hello", "", big)); err != nil {
		t.Fatal(err)
	}
	if got, want := receive(t, s.Messages()), frames("a", "hello", "", big); !reflect.DeepEqual(got, want) {
		t.Errorf("got %d frames, %.40q", len(got), got[:2])
	}
	if err := b.Send(frames("hi")); err != nil {
		t.Fatal(err)
	}
	got := receive(t, s.Messages())
	if len(got) != 2 || len(got[0]) == 0 {
		t.Fatalf("got %q", got)
	}
	for _, m := range [][][]byte{{got[0], []byte("for b"), {}}, frames("a", "for a"), frames("nobody", "lost"), frames("a")} {
		if err := s.Send(m); err != nil {
			t.Errorf("sending %q: %v", m, err)
		}
	}
	if got := receive(t, a.Messages()); !reflect.DeepEqual(got, frames("for a")) {
		t.Errorf("a got %q", got)
	}
	if got := receive(t, b.Messages()); !reflect.DeepEqual(got, frames("for b", "")) {
		t.Errorf("b got %q", got)
	}
}

// A client that lost its connection comes back with its identity, and gets the answers.
func TestIdentityComesAgain(t *testing.T) {
	s := listen(t, Router, Options{})
	first := dial(t, s, Dealer, "a")
	first.Send(frames("1"))
	receive(t, s.Messages())
	second := dial(t, s, Dealer, "a")
	second.Send(frames("2"))
	receive(t, s.Messages())
	s.Send(frames("a", "answer"))
	if got := receive(t, second.Messages()); !reflect.DeepEqual(got, frames("answer")) {
		t.Errorf("got %q", got)
	}
	if _, ok := <-first.Messages(); ok {
		t.Error("the first connection still gets messages")
	}
}

func TestPublish(t *testing.T) {
	s := listen(t, Pub, Options{})
	all, some := dial(t, s, Sub, ""), dial(t, s, Sub, "")
	all.Subscribe("")
	some.Subscribe("k.err")
	for range 2 {
		if m := receive(t, s.Messages()); len(m) != 2 || m[1][0] != 1 {
			t.Errorf("subscription %q", m)
		}
	}
	s.Send(frames("k.out", "1"))
	s.Send(frames("k.error", "2"))
	if got := receive(t, all.Messages()); string(got[1]) != "1" {
		t.Errorf("got %q", got)
	}
	if got := receive(t, some.Messages()); string(got[1]) != "2" {
		t.Errorf("got %q", got)
	}
}

func TestEcho(t *testing.T) {
	s := listen(t, Rep, Options{})
	c := dial(t, s, Req, "")
	c.Send(frames("", "ping"))
	s.Send(receive(t, s.Messages()))
	if got := receive(t, c.Messages()); !reflect.DeepEqual(got, frames("", "ping")) {
		t.Errorf("got %q", got)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close() // the file stays, as after a crash
	s, err := Listen("unix", path, Router, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Listen("unix", path, Router, Options{}); err == nil {
		t.Error("two sockets listen on one path")
	}
	c := dial(t, s, Dealer, "a")
	c.Send(frames("x"))
	receive(t, s.Messages())
}

// Peers that talk nonsense, or nothing, hold up nobody.
func TestHostilePeers(t *testing.T) {
	s := listen(t, Router, Options{MaxMessage: 1 << 16})
	hello := append(greeting(), 4, byte(len(command("READY", appendProperty(nil, "Socket-Type", []byte("DEALER"))))))
	hello = append(hello, command("READY", appendProperty(nil, "Socket-Type", []byte("DEALER")))...)
	huge := binary.BigEndian.AppendUint64(append(bytes.Clone(hello), flagLong), 1<<62)
	for name, bytes := range map[string][]byte{
		"silent": nil, "http": []byte("GET / HTTP/1.1\r\n\r\n" + string(make([]byte, 64))), "huge frame": huge,
		"bad flags": append(bytes.Clone(hello), 0xff, 0), "command without a name": append(bytes.Clone(hello), 4, 1, 200),
		"wrong kind": append(greeting(), append([]byte{4, 23}, command("READY", appendProperty(nil, "Socket-Type", []byte("PUB")))...)...),
	} {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(bytes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := dial(t, s, Dealer, "a")
	c.Send(frames("still there?"))
	if got := receive(t, s.Messages()); string(got[1]) != "still there?" {
		t.Errorf("got %q", got)
	}
	c.Send([][]byte{make([]byte, 1<<17)})
	if _, ok := <-c.Messages(); ok {
		t.Error("a message over the limit was taken")
	}
}

// A subscriber that does not read is disconnected when its queue is full; the others get all.
func TestSlowSubscriber(t *testing.T) {
	s := listen(t, Pub, Options{MaxQueue: 1 << 22})
	slow, fast := dial(t, s, Sub, ""), dial(t, s, Sub, "")
	slow.Subscribe("")
	fast.Subscribe("")
	receive(t, s.Messages())
	receive(t, s.Messages())
	body := make([]byte, 1<<16)
	for i := range 1000 { // 64 MB: more than the kernel's buffers and the queue hold
		s.Send([][]byte{[]byte(fmt.Sprint(i)), body})
		if got := receive(t, fast.Messages()); string(got[0]) != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got[0], i)
		}
	}
	n := 0
	for range slow.Messages() {
		n++
	}
	if n >= 1000 {
		t.Errorf("the slow subscriber got %d messages of a bounded queue", n)
	}
}

func TestManySenders(t *testing.T) {
	s := listen(t, Router, Options{})
	const clients, each = 8, 50
	var wait sync.WaitGroup
	for i := range clients {
		c := dial(t, s, Dealer, fmt.Sprint("c", i))
		wait.Go(func() {
			for j := range each {
				c.Send(frames("q", fmt.Sprint(j)))
			}
			for j := range each {
				if m := receive(t, c.Messages()); string(m[1]) != fmt.Sprint(j) {
					t.Errorf("client %d: answer %q, want %d", i, m, j)
					return
				}
			}
		})
	}
	for range clients * each {
		s.Send(receive(t, s.Messages()))
	}
	wait.Wait()
}

func FuzzHandshake(f *testing.F) {
	f.Add(greeting())
	f.Add(append(append(greeting(), 4, 26), command("READY", appendProperty(nil, "Socket-Type", []byte("DEALER")))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		peer, id, err := handshake(bufio.NewReader(bytes.NewReader(data)), bufio.NewWriter(&bytes.Buffer{}), Router, nil)
		if err == nil && (!Router.speaksTo(peer) || len(id) > 255) {
			t.Errorf("a peer %q of identity %q was let in", peer, id)
		}
	})
}

func FuzzReadMessage(f *testing.F) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	writeMessage(w, [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("x"), 300)})
	w.Flush()
	f.Add(b.Bytes())
	f.Add([]byte{flagLong, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{flagCommand, 3, 2, 'h'})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		got, _, err := readMessage(bufio.NewReader(bytes.NewReader(data)), limit)
		if err != nil || got == nil {
			return
		}
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		if err := writeMessage(w, got); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		again, _, err := readMessage(bufio.NewReader(&b), limit)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q was read, written and read as %q (%v)", got, again, err)
		}
	})
}
