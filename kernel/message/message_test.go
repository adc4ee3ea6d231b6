package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testSession() *Session {
	n := 0
	return &Session{
		ID: "s", Username: "ann",
		Now:   func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC) },
		NewID: func() string { n++; return "m" + string(rune('0'+n)) },
	}
}

func TestRoundTrip(t *testing.T) {
	s := testSession()
	request, err := s.New(TypeExecuteRequest, ExecuteRequest{Code: `fmt.Println("<é & 日本>")`})
	if err != nil {
		t.Fatal(err)
	}
	request.Identities = [][]byte{{0, 1, 2}, []byte("router")}
	request.Buffers = [][]byte{{}, bytes.Repeat([]byte{0xff}, 300)}
	for _, key := range []Key{nil, Key("secret")} {
		frames, err := key.Encode(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.Decode(frames)
		if err != nil {
			t.Fatal(err)
		}
		var c ExecuteRequest
		if err := got.Content(&c); err != nil || c.Code != `fmt.Println("<é & 日本>")` {
			t.Errorf("content %q, %v", c.Code, err)
		}
		if got.Header != request.Header || !reflect.DeepEqual(got.Identities, request.Identities) || !reflect.DeepEqual(got.Buffers, request.Buffers) {
			t.Errorf("decoded %+v, want %+v", got, request)
		}
		if len(key) == 0 && len(frames[3]) != 0 {
			t.Errorf("signature %q without a key", frames[3])
		}
	}
	reply, err := s.Reply(request, TypeExecuteReply, ExecuteReply{Status: StatusOK, ExecutionCount: 3})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Parent != request.Header || !reflect.DeepEqual(reply.Identities, request.Identities) || reply.Header.Version != "5.4" {
		t.Errorf("reply %+v", reply)
	}
	if bytes.Contains(request.Body, []byte(`\u003c`)) {
		t.Errorf("HTML characters were escaped in %s", request.Body)
	}
}

// The signature is what Python's hmac gives for the same key and frames.
func TestSignature(t *testing.T) {
	got := Key("a0436f6c-1916-498b-8eb9-e81ab9368e84").sign([][]byte{[]byte(`{"a":1}`), []byte("{}"), []byte("{}"), []byte(`{"code":"x"}`)})
	if want := "760dc81aed1a216ddf15bcb8ab00449806bc8cc8964bbabd28fa4d77d560baf8"; string(got) != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	key := Key("k")
	good := func() [][]byte {
		m, _ := testSession().New(TypeExecuteRequest, ExecuteRequest{Code: "1"})
		f, _ := key.Encode(m)
		return f
	}
	resign := func(f [][]byte) [][]byte { f[1] = key.sign(f[2:6]); return f }
	for name, test := range map[string]struct {
		frames [][]byte
		part   string // "" means ErrSignature
		header bool   // the message comes with the error
	}{
		"nothing":             {nil, "frames", false},
		"no delimiter":        {good()[1:], "frames", false},
		"too few frames":      {good()[:5], "frames", false},
		"changed content":     {func() [][]byte { f := good(); f[5] = []byte(`{"code":"2"}`); return f }(), "", false},
		"empty signature":     {func() [][]byte { f := good(); f[1] = nil; return f }(), "", false},
		"signature not hex":   {func() [][]byte { f := good(); f[1] = bytes.Repeat([]byte("z"), 64); return f }(), "", false},
		"other key":           {func() [][]byte { f := good(); f[1] = Key("l").sign(f[2:6]); return f }(), "", false},
		"header not JSON":     {func() [][]byte { f := good(); f[2] = []byte("x"); return resign(f) }(), "header", false},
		"header null":         {func() [][]byte { f := good(); f[2] = []byte("null"); return resign(f) }(), "header", false},
		"header without id":   {func() [][]byte { f := good(); f[2] = []byte("{}"); return resign(f) }(), "header", false},
		"header wrong type":   {func() [][]byte { f := good(); f[2] = []byte(`{"msg_id":5}`); return resign(f) }(), "header", false},
		"metadata a list":     {func() [][]byte { f := good(); f[4] = []byte("[]"); return resign(f) }(), "metadata", true},
		"content not UTF-8":   {func() [][]byte { f := good(); f[5] = []byte("{\"code\":\"\xff\"}"); return resign(f) }(), "content", true},
		"content cut short":   {func() [][]byte { f := good(); f[5] = []byte(`{"code":`); return resign(f) }(), "content", true},
		"parent is no object": {func() [][]byte { f := good(); f[3] = []byte(`""`); return resign(f) }(), "parent header", true},
	} {
		m, err := key.Decode(test.frames)
		var format *FormatError
		switch {
		case test.part == "" && !errors.Is(err, ErrSignature):
			t.Errorf("%s: error %v, want ErrSignature", name, err)
		case test.part != "" && (!errors.As(err, &format) || format.Part != test.part):
			t.Errorf("%s: error %v, want one about the %s", name, err, test.part)
		case test.header != (m != nil):
			t.Errorf("%s: message %v", name, m)
		}
	}
}

func TestConnectionFile(t *testing.T) {
	c, err := NewTCP("patchlab")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kernel-1.json")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := ReadConnection(path)
	if err != nil || got != c {
		t.Errorf("read %+v, %v, want %+v", got, err, c)
	}
	ipc := NewIPC("/tmp/x", "patchlab")
	if err := ipc.Validate(); err != nil {
		t.Error(err)
	}
	if network, address := ipc.Address(Stdin); network != "unix" || address != "/tmp/x/s-3" {
		t.Errorf("address %s %s", network, address)
	}
	for want, change := range map[string]func(*Connection){
		"0.0.0.0":    func(c *Connection) { c.IP = "0.0.0.0" },
		"example.":   func(c *Connection) { c.IP = "example.com" },
		"hmac-md5":   func(c *Connection) { c.SignatureScheme = "hmac-md5" },
		"udp":        func(c *Connection) { c.Transport = "udp" },
		"share port": func(c *Connection) { c.IOPubPort = c.ShellPort },
		"70000":      func(c *Connection) { c.StdinPort = 70000 },
	} {
		bad := c
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConnection(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one with the file's name", err)
	}
}

func FuzzDecode(f *testing.F) {
	key := Key("k")
	m, _ := testSession().New(TypeExecuteRequest, ExecuteRequest{Code: "1"})
	good, _ := key.Encode(m)
	f.Add(bytes.Join(good, []byte{0}), false)
	f.Add(bytes.Join(good[1:], []byte{0}), true)
	f.Add([]byte("id\x00<IDS|MSG>\x00\x00{\"msg_id\":\"1\",\"msg_type\":\"x\"}\x00{}\x00{}\x00{\"a\":[[[[\x00buffer"), true)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		frames := bytes.Split(data, []byte{0})
		if sign { // reach what lies behind the signature
			for i, p := range frames {
				if string(p) == Delimiter && len(frames) > i+5 {
					frames[i+1] = key.sign(frames[i+2 : i+6])
					break
				}
			}
		}
		m, err := key.Decode(frames)
		if err != nil {
			return
		}
		again, err := key.Encode(m)
		if err != nil {
			t.Fatalf("%q was decoded but not encoded: %v", data, err)
		}
		m2, err := key.Decode(again)
		if err != nil || m2.Header != m.Header || m2.Parent.ID != m.Parent.ID || !bytes.Equal(m2.Body, m.Body) || len(m2.Buffers) != len(m.Buffers) {
			t.Fatalf("%q changed on its way: %+v, %v", data, m2, err)
		}
	})
}

func FuzzConnection(f *testing.F) {
	b, _ := json.Marshal(NewIPC("/tmp/x", "k"))
	f.Add(b)
	f.Add([]byte(`{"transport":"tcp","ip":"127.0.0.1","shell_port":1,"control_port":2,"stdin_port":3,"iopub_port":4,"hb_port":5}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Connection
		if json.Unmarshal(data, &c) != nil || c.Validate() != nil {
			return
		}
		for _, ch := range Channels {
			if network, address := c.Address(ch); network == "tcp" && !strings.HasPrefix(address, "127.") &&
				!strings.HasPrefix(address, "localhost:") && !strings.HasPrefix(address, "[") {
				t.Errorf("%s may listen on %s", data, address)
			}
		}
	})
}
