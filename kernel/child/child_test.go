package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/message"
	"patchlab/kernel/process"
)

// patience bounds what a test waits for; it is reached only where something is broken.
const patience = 3 * time.Minute

func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pk") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "k")
}

func start(t *testing.T, c Config) *Child {
	t.Helper()
	c.Tools, c.Folder, c.Logf = jupytertest.Tools(t), folder(t), t.Logf
	child, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Close() })
	return child
}

// record keeps what a cell publishes.
type record struct {
	input   string
	inOrder bool
	order   []string // the types, if inOrder

	mu       sync.Mutex
	messages []string
	streams  map[string]string
	started  chan struct{} // closed at the first message
}

func newRecord() *record { return &record{streams: map[string]string{}, started: make(chan struct{})} }

func (r *record) Publish(kind string, content json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inOrder {
		r.order = append(r.order, kind)
	}
	if kind == message.TypeStream {
		var s message.Stream
		json.Unmarshal(content, &s)
		r.streams[s.Name] += s.Text
	} else {
		r.messages = append(r.messages, kind+" "+string(content))
	}
	select {
	case <-r.started:
	default:
		close(r.started)
	}
}

func (r *record) Input(prompt string, password bool, cancel <-chan struct{}) (string, error) {
	return r.input, nil
}

func TestCells(t *testing.T) {
	c := start(t, Config{})
	r := newRecord()
	run := func(code string) Outcome {
		t.Helper()
		r = newRecord()
		o, err := c.Execute(Request{Code: code}, r)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := run("%%\nfmt.Print(\"out\")\nfmt.Fprint(os.Stderr, \"err\")"); o.Error != nil || r.streams["stdout"] != "out" || r.streams["stderr"] != "err" {
		t.Errorf("outcome %+v, streams %q", o.Error, r.streams)
	}
	if o := run("var kept = 42"); o.Error != nil {
		t.Error(o.Error)
	}
	if o := run("%%\nfmt.Println(\"before\")\npatchlabResult(map[string]any{\"kept\": kept, \"a\\\"b\\x01é\": 1})"); o.Error != nil ||
		fmt.Sprint(r.messages) != `[execute_result {"data":{"text/plain":"map[a\"b\u0001é:1 kept:42]"},"metadata":{}}]` || r.streams["stdout"] != "before\n" {
		t.Errorf("outcome %+v, messages %s, streams %q", o.Error, r.messages, r.streams)
	}
	if o := run("%%\nx := 1"); o.Error == nil || !strings.Contains(o.Error.Value, "declared and not used") || len(o.Error.Traceback) == 0 {
		t.Errorf("outcome %+v", o.Error)
	}
	if o := run("%%\nos.Exit(3)"); o.Error == nil || o.Error.Value != "exit status 3" {
		t.Errorf("outcome %+v", o.Error)
	}
	if o := run("!echo from the shell"); o.Error != nil || r.streams["stdout"] != "from the shell\n" {
		t.Errorf("outcome %+v, streams %q", o.Error, r.streams)
	}
	r = newRecord()
	r.input = "typed"
	if o, err := c.Execute(Request{Code: "%with_inputs\n!read x; echo got $x", AllowStdin: true}, r); err != nil || o.Error != nil || !strings.Contains(r.streams["stdout"], "got typed") {
		t.Errorf("outcome %+v, %v, streams %q", o.Error, err, r.streams)
	}
	if runtime.GOOS == "linux" {
		r = newRecord()
		r.input = "typed é"
		o, err := c.Execute(Request{Code: "import \"bufio\"\n%%\nin := bufio.NewScanner(os.Stdin)\nfor range 2 {\n\tin.Scan()\n\tfmt.Println(\"got\", in.Text())\n}", AllowStdin: true}, r)
		if err != nil || o.Error != nil || r.streams["stdout"] != "got typed é\ngot typed é\n" {
			t.Errorf("outcome %+v, %v, streams %q", o.Error, err, r.streams)
		}
	}
	if s, err := c.Source(); err != nil || !strings.Contains(s, "kept") {
		t.Errorf("source %q, %v", s, err)
	}
}

// What a cell writes into the pipe is published before its end, even if it is killed; nonsense is dropped.
func TestCellPipe(t *testing.T) {
	c := start(t, Config{})
	r := newRecord()
	o, err := c.Execute(Request{Code: `!for i in 1 2 3; do echo '{"msg_type":"display_data","content":{"data":{"text/plain":"'$i'"}}}' >$PATCHLAB_CELL_PIPE; done; echo '{"msg_type":"status","content":{}}' >$PATCHLAB_CELL_PIPE; printf '{"half' >$PATCHLAB_CELL_PIPE`}, r)
	if err != nil || o.Error != nil || len(r.messages) != 3 || !strings.Contains(r.messages[2], `"3"`) {
		t.Errorf("outcome %+v, %v, messages %q", o.Error, err, r.messages)
	}
}

// A cell that waits for the answer has its messages and its prints in order.
func TestOrder(t *testing.T) {
	c := start(t, Config{})
	r := newRecord()
	r.inOrder = true
	code := `!for i in 1 2 3; do echo $i; echo '{"msg_type":"display_data","content":{"data":{}}}' >$PATCHLAB_CELL_PIPE; head -c 1 <$PATCHLAB_CELL_ACK >/dev/null; done`
	if o, err := c.Execute(Request{Code: code}, r); err != nil || o.Error != nil {
		t.Errorf("outcome %+v, %v", o.Error, err)
	}
	if got := strings.Join(r.order, " "); got != "stream display_data stream display_data stream display_data" {
		t.Errorf("published %s", got)
	}
}

func TestInterrupt(t *testing.T) {
	c := start(t, Config{})
	for name, code := range map[string]string{
		"go":            "%%\nfmt.Println(\"on\")\ntime.Sleep(time.Hour)",
		"ignoring":      "import \"os/signal\"\n%%\nsignal.Ignore(os.Interrupt)\nfmt.Println(\"on\")\nfor { time.Sleep(time.Second) }",
		"shell":         "!echo on; sleep 1000",
		"shell, deeper": "!echo on; (trap '' INT; sleep 1000; sleep 1001) & wait; sleep 1002",
	} {
		r := newRecord()
		type result struct {
			o   Outcome
			err error
		}
		ended := make(chan result)
		go func() {
			o, err := c.Execute(Request{Code: code}, r)
			ended <- result{o, err}
		}()
		select {
		case <-r.started:
		case got := <-ended:
			t.Fatalf("%s: ended before it was interrupted: %+v, %v, %q", name, got.o.Error, got.err, r.streams)
		case <-time.After(patience):
			t.Fatalf("%s: did not start", name)
		}
		begin := time.Now()
		c.Interrupt()
		select {
		case got := <-ended:
			t.Logf("%s: interrupted in %v: %+v, %v", name, time.Since(begin).Round(time.Millisecond), got.o.Error, got.err)
			if strings.Contains(name, "go") && got.o.Error == nil {
				t.Errorf("%s: no error", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: not interrupted", name)
		}
	}
	if o, err := c.Execute(Request{Code: "%%\nfmt.Println(1)"}, newRecord()); err != nil || o.Error != nil {
		t.Errorf("the next cell: %+v, %v", o.Error, err)
	}
}

func TestDeath(t *testing.T) {
	c := start(t, Config{})
	if o, err := c.Execute(Request{Code: "!kill -9 $PPID"}, newRecord()); !errors.Is(err, ErrDied) {
		t.Errorf("outcome %+v, %v", o, err)
	}
	if c.State() != "signal: killed" {
		t.Errorf("state %q", c.State())
	}
}

// Nothing is left: no process, not even one that has hidden in a session of its own, and no file.
func TestClose(t *testing.T) {
	c := start(t, Config{})
	entry := c.entry()
	if _, err := c.Execute(Request{Code: "!(setsid sleep 1000 >/dev/null 2>&1 </dev/null &)"}, nil); err != nil {
		t.Fatal(err)
	}
	go c.Execute(Request{Code: "!sleep 1000"}, nil)
	deadline := time.Now().Add(patience)
	for len(process.WithEntry(entry)) < 3 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(process.WithEntry(entry)); n < 3 {
		t.Skipf("only %d processes are seen", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if left := process.WithEntry(entry); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if _, err := os.Stat(c.config.Folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	f := folder(t)
	none := t.TempDir()
	if _, err := Start(t.Context(), Config{Tools: none, Folder: f}); err == nil || !strings.Contains(err.Error(), "gonb") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(none, "gonb"), []byte("#!/bin/sh\necho why >&2\nexit 5\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Tools: none, Folder: f}); err == nil || !strings.Contains(err.Error(), "exit status 5") || !strings.HasSuffix(err.Error(), "said last:\nwhy") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(f); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

// Cells import the packages of the module from any folder, without the network.
func TestModule(t *testing.T) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, Config{Module: strings.TrimSpace(string(root)), Env: []string{"GOPROXY=off"}})
	r := newRecord()
	o, err := c.Execute(Request{Code: "import \"patchlab/kernel/source\"\n%%\nfmt.Println(source.IsComplete(\"x\"))"}, r)
	if err != nil || o.Error != nil || r.streams["stdout"] != "complete \n" {
		t.Errorf("outcome %+v, %v, streams %q", o.Error, err, r.streams)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"msg_type":"display_data","content":{}}`))
	f.Add([]byte(`{"msg_type":"status","content":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, err := parseLine(text); err == nil && !json.Valid(l.Content) {
			t.Errorf("%q gave the content %q", text, l.Content)
		}
	})
}
