package front

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/zmtp"
)

func no() *bool { f := false; return &f }

func TestRequests(t *testing.T) {
	c := serve(t, nil).client(t)
	var info message.KernelInfoReply
	for _, ch := range []message.Channel{message.Shell, message.Control} {
		c.ask(ch, message.TypeKernelInfoRequest, struct{}{}, &info)
		if info.ProtocolVersion != "5.4" || info.LanguageInfo.Name != "go" || info.Status != message.StatusOK {
			t.Errorf("%s: %+v", ch, info)
		}
	}
	heart := c.sockets[message.Heartbeat]
	heart.Send([][]byte{{}, []byte("beat")})
	if m := <-heart.Messages(); len(m) != 2 || string(m[1]) != "beat" {
		t.Errorf("the heart beats %q", m)
	}
	var complete message.IsCompleteReply
	c.ask(message.Shell, message.TypeIsCompleteRequest, message.IsCompleteRequest{Code: "for {"}, &complete)
	if complete.Status != "incomplete" || complete.Indent != "\t" {
		t.Errorf("%+v", complete)
	}
	var e message.Error
	for kind, ch := range map[string]message.Channel{message.TypeDebugRequest: message.Control, "new_fangled_request": message.Shell} {
		if id := c.ask(ch, kind, struct{}{}, &e); e.Status != message.StatusError || e.Name != "NotSupported" {
			t.Errorf("%s %s: %+v", kind, id, e)
		}
	}
	var completion message.CompleteReply
	c.ask(message.Shell, message.TypeCompleteRequest, message.CompleteRequest{Code: "fmt.", CursorPos: 400}, &completion)
	if completion.Status != message.StatusOK || completion.Matches == nil || len(completion.Matches) > 0 {
		t.Errorf("%+v", completion)
	}
	var comms message.CommInfoReply
	open := c.send(message.Shell, message.TypeCommOpen, message.Comm{ID: "x", TargetName: "unknown", Data: json.RawMessage("{}")})
	c.wait("comm_close", func(_ message.Channel, m *message.Message) bool {
		return m.Header.Type == message.TypeCommClose && m.Parent.ID == open
	})
	c.ask(message.Shell, message.TypeCommInfoRequest, message.CommInfoRequest{}, &comms)
	if comms.Status != message.StatusOK || len(comms.Comms) != 0 {
		t.Errorf("%+v", comms)
	}
	c.send(message.Shell, message.TypeCommOpen, message.Comm{ID: "y", TargetName: gonbTarget, Data: json.RawMessage("{}")})
	c.ask(message.Shell, message.TypeCommInfoRequest, message.CommInfoRequest{TargetName: gonbTarget}, &comms)
	if !reflect.DeepEqual(comms.Comms, map[string]message.CommInfo{"y": {TargetName: gonbTarget}}) {
		t.Errorf("%+v", comms)
	}
}

// A client that subscribes to some messages only is welcomed, too.
func TestWelcome(t *testing.T) {
	k := serve(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	network, address := k.connection.Address(message.IOPub)
	s, err := zmtp.Dial(ctx, network, address, zmtp.Sub, zmtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Subscribe("some"); err != nil {
		t.Fatal(err)
	}
	select {
	case frames := <-s.Messages():
		m, err := message.Key(k.connection.Key).Decode(frames)
		var w message.Welcome
		if err != nil || m.Header.Type != message.TypeWelcome || m.Content(&w) != nil || w.Subscription != "some" || string(frames[0]) != "some" {
			t.Errorf("%q, %v", frames, err)
		}
	case <-ctx.Done():
		t.Fatal("no welcome")
	}
}

// GoNB leaves out each line that begins with "package"; here only the package clause is.
func TestPackageLines(t *testing.T) {
	c := serve(t, nil).client(t)
	for _, test := range []struct{ code, want string }{
		{"package any\n\nconst text = `\npackage a\n`", ""},
		{"%%\npackages := text\npackages", `"\npackage a\n"`},
	} {
		r, id := c.run(test.code)
		_, messages := c.outputs(id)
		var result message.ExecuteResult
		if len(messages) > 0 {
			messages[0].Content(&result)
		}
		if r.Status != message.StatusOK || result.Data["text/plain"] != test.want && test.want != "" {
			t.Errorf("%q: %+v, result %q", test.code, r, result.Data["text/plain"])
		}
	}
}

func TestCells(t *testing.T) {
	c := serve(t, nil).client(t)
	r, id := c.run("%%\nfmt.Println(\"hello\")\n6 * 7")
	types, messages := c.outputs(id)
	var result message.ExecuteResult
	if r.Status != message.StatusOK || r.ExecutionCount != 1 || !reflect.DeepEqual(types, []string{"stream", "execute_result"}) {
		t.Fatalf("%+v, outputs %v", r, types)
	}
	if messages[1].Content(&result); result.Data["text/plain"] != "42" || result.ExecutionCount != 1 {
		t.Errorf("result %+v", result)
	}

	for _, test := range []struct{ code, name, value, trace string }{
		{"%%\nx := 1", "CompileError", "declared and not used: x", "Cell[2]: Line 2"},
		{"%%\npanic(\"no\")", "Panic", "no", "Cell [3] Line 2"},
		{"%%\nos.Exit(3)", "ExitError", "exit status 3", "exit status 3"},
		{"x := )", "CompileError", "expected declaration, found x", "Line 1"},
		{"%%\nvar m map[int]int\nm[1] = 1", "Panic", "assignment to entry in nil map", "main.main()"},
		{"%env", "Error", "", "env"},
	} {
		r, id := c.run(test.code)
		types, messages := c.outputs(id)
		if r.Status != message.StatusError || r.Name != test.name || test.value != "" && r.Value != test.value || !strings.Contains(strings.Join(r.Traceback, "\n"), test.trace) {
			t.Errorf("%q: %+v", test.code, r)
		}
		if strings.Contains(strings.Join(r.Traceback, ""), "/tmp/") {
			t.Errorf("%q: the traceback names a temporary file: %q", test.code, r.Traceback)
		}
		var e message.Error
		if !reflect.DeepEqual(types, []string{"error"}) || messages[0].Content(&e) != nil || e.Name != r.Name || e.Value != r.Value || !reflect.DeepEqual(e.Traceback, r.Traceback) {
			t.Errorf("%q: outputs %v, error %+v", test.code, types, e)
		}
	}

	// What looks like a panic is none.
	r, id = c.run("%%\nfmt.Fprintln(os.Stderr, \"a\\npanic: at the disco\")")
	if r.Status != message.StatusOK || c.text(id, "stderr") != "a\npanic: at the disco\n" {
		t.Errorf("%+v, standard error %q", r, c.text(id, "stderr"))
	}

	var silent message.ExecuteReply
	id = c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: "%%\nfmt.Println(1)\n2", Silent: true}, &silent)
	types, _ = c.outputs(id)
	if silent.Status != message.StatusOK || silent.ExecutionCount != r.ExecutionCount || len(types) > 0 {
		t.Errorf("silent: %+v, outputs %v", silent, types)
	}

	var expressions message.ExecuteReply
	c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{
		Code: "var kept = 20", UserExpressions: map[string]string{"good": "kept + 1", "bad": "kept +"},
	}, &expressions)
	if g, b := string(expressions.UserExpressions["good"]), string(expressions.UserExpressions["bad"]); !strings.Contains(g, `"text/plain":"21"`) || !strings.Contains(b, `"status":"error"`) {
		t.Errorf("expressions %s, %s", g, b)
	}

	var h message.HistoryReply
	c.ask(message.Shell, message.TypeHistoryRequest, message.HistoryRequest{Access: "range", Start: 1, Stop: 2, Output: true}, &h)
	if got := fmt.Sprint(h.History); got != "[[1 1 [%%\nfmt.Println(\"hello\")\n6 * 7 42]]]" {
		t.Errorf("history %s", got)
	}
}

func TestStopOnError(t *testing.T) {
	c := serve(t, nil).client(t)
	ask := func(code string, stop *bool) string {
		return c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code, StopOnError: stop})
	}
	statuses := func(ids []string) (list []string) {
		for _, id := range ids {
			var r message.ExecuteReply
			c.reply(id, &r)
			list = append(list, r.Status)
		}
		return list
	}
	// The first cell runs until all are in the queue, which a request that came after them shows.
	enough := filepath.Join(t.TempDir(), "enough")
	wait := func() string { return ask("!until test -e '"+enough+"'; do sleep 0.1; done", nil) }
	queued := func(ids ...string) []string {
		c.ask(message.Shell, message.TypeIsCompleteRequest, message.IsCompleteRequest{Code: "x"}, nil)
		if err := os.WriteFile(enough, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	ids := queued(wait(), ask("%%\npanic(1)", nil), ask("%%\n", nil), ask("%%\n", nil))
	if got := statuses(ids); !reflect.DeepEqual(got, []string{"ok", "error", "aborted", "aborted"}) {
		t.Errorf("statuses %v", got)
	}
	if err := os.Remove(enough); err != nil {
		t.Fatal(err)
	}
	ids = queued(wait(), ask("%%\npanic(1)", no()), ask("%%\n", nil))
	if got := statuses(ids); !reflect.DeepEqual(got, []string{"ok", "error", "ok"}) {
		t.Errorf("without stop_on_error: statuses %v", got)
	}
}

func TestInput(t *testing.T) {
	c := serve(t, nil).client(t)
	const code = "%with_inputs\n!read -r x; echo \"got $x\""
	id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code})
	question := c.wait("an input request", func(ch message.Channel, m *message.Message) bool { return ch == message.Stdin })
	answer, _ := c.session.New(message.TypeInputReply, message.InputReply{Value: "é"})
	answer.Parent = question.Header
	frames, _ := c.key.Encode(answer)
	c.sockets[message.Stdin].Send(frames)
	var r message.ExecuteReply
	c.reply(id, &r)
	if question.Parent.ID != id || r.Status != message.StatusOK || !strings.Contains(c.text(id, "stdout"), "got é") {
		t.Errorf("%+v, output %q", r, c.text(id, "stdout"))
	}
	codes := []string{code}
	if runtime.GOOS == "linux" {
		codes = append(codes, "%%\nvar n int\nfmt.Scan(&n)")
	}
	for _, code := range codes {
		c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code, AllowStdin: no()}, &r)
		if r.Name != "StdinNotAllowed" {
			t.Errorf("without input: %+v", r)
		}
	}
}

// GoNB may die with a cell or alone: the cell fails, the declarations stay, the next cell runs.
func TestDeath(t *testing.T) {
	k := serve(t, nil)
	c := k.client(t)
	c.run("var kept = 20\n\nfunc twice(n int) int { return 2 * n }")
	r, id := c.run("!kill -9 $PPID")
	if r.Name != "ProcessDied" || !strings.Contains(c.text(id, "stderr"), "started again, with what the cells had declared") {
		t.Errorf("%+v, standard error %q", r, c.text(id, "stderr"))
	}
	k.kernel.mu.Lock()
	old := k.kernel.child
	k.kernel.mu.Unlock()
	syscall.Kill(old.Process(), syscall.SIGKILL)
	old.State()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if r, id = c.run("%%\nfmt.Println(twice(kept))"); r.Status == message.StatusOK || time.Now().After(end) {
			break
		}
	}
	if r.Status != message.StatusOK || c.text(id, "stdout") != "40\n" {
		t.Errorf("the next cell: %+v, %q", r, c.text(id, "stdout"))
	}
	if r, _ = c.run("%%\ny := 1"); !strings.Contains(strings.Join(r.Traceback, ""), fmt.Sprintf("Cell[%d]", r.ExecutionCount)) {
		t.Errorf("cells are not numbered on: %+v", r)
	}
}

// notes is an Observer that writes down what it is told.
type notes struct {
	publish func(string, any)
	text    []string
}

func (n *notes) Begin(count int, code string) {
	n.text = append(n.text, fmt.Sprintf("begin %d %q", count, code))
}
func (n *notes) Message(kind string, content json.RawMessage) {
	n.text = append(n.text, kind+" "+string(content))
}
func (n *notes) End(ok bool) { n.text = append(n.text, fmt.Sprint("end ", ok)) }
func (n *notes) Command(line string) (string, error) {
	if strings.HasSuffix(line, "fail") {
		return "", fmt.Errorf("cannot")
	}
	n.publish(message.TypeDisplayData, message.DisplayData{Data: message.Bundle{"text/plain": line}, Metadata: map[string]any{}})
	return "done", nil
}

func TestObserver(t *testing.T) {
	n := &notes{}
	c := serve(t, func(o *Options) {
		o.Observer, o.Magic = n, "%notes"
		o.Connect = func(publish func(string, any)) { n.publish = publish }
	}).client(t)
	if r, id := c.run("%notes x\n7"); r.Status != message.StatusOK || c.text(id, "stdout") != "done\n" {
		t.Errorf("%+v, %q", r, c.text(id, "stdout"))
	} else if types, _ := c.outputs(id); !reflect.DeepEqual(types, []string{"display_data", "stream", "execute_result"}) {
		t.Errorf("outputs %v", types)
	}
	if r, _ := c.run("%notes fail"); r.Name != "CommandError" || r.Value != "cannot" {
		t.Errorf("%+v", r)
	}
	c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: "8", Silent: true}, nil)
	want := []string{
		`begin 1 "%notes x\n7"`, `display_data {"data":{"text/plain":"%notes x"},"metadata":{}}`, `stream {"name":"stdout","text":"done\n"}`,
		`execute_result {"execution_count":1,"data":{"text/plain":"7"},"metadata":{}}`, "end true",
		`begin 2 "%notes fail"`, `error {"ename":"CommandError","evalue":"cannot","traceback":["CommandError: cannot"]}`, "end false",
	}
	if !reflect.DeepEqual(n.text, want) {
		t.Errorf("notes %q", n.text)
	}
}

// A cell that takes long is told once what slows it down.
func TestSlow(t *testing.T) {
	warming := make(chan struct{})
	c := serve(t, func(o *Options) {
		o.Ready = func(ctx context.Context, slows func(string)) {
			slows("something compiles")
			close(warming)
			<-ctx.Done()
		}
	}).client(t)
	<-warming
	_, quick := c.run("!echo quick")
	id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: "!sleep 1000"})
	c.wait("the reason", func(_ message.Channel, m *message.Message) bool {
		return m.Header.Type == message.TypeDisplayData && m.Parent.ID == id &&
			strings.Contains(string(m.Body), "something compiles") && strings.Contains(string(m.Body), message.Notice)
	})
	c.ask(message.Control, message.TypeInterruptRequest, struct{}{}, nil)
	c.reply(id, nil)
	if told, _ := c.outputs(quick); slices.Contains(told, message.TypeDisplayData) {
		t.Errorf("a quick cell was told too: %q", told)
	}
}

func TestShutdown(t *testing.T) {
	k := serve(t, nil)
	c := k.client(t)
	c.run("!(setsid sleep 1000 >/dev/null 2>&1 </dev/null &)")
	id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: "!echo on; sleep 1000"})
	c.wait("the cell's output", func(_ message.Channel, m *message.Message) bool {
		return m.Parent.ID == id && m.Header.Type == message.TypeStream
	})
	var r message.ShutdownReply
	c.ask(message.Control, message.TypeShutdownRequest, message.ShutdownRequest{Restart: true}, &r)
	if r.Status != message.StatusOK || !r.Restart {
		t.Errorf("%+v", r)
	}
	select {
	case err := <-k.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the kernel does not end")
	}
	if _, err := os.Stat(k.folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

// Four clients send 200 mixed requests at once; each gets its answer, and only its own.
func TestManyClients(t *testing.T) {
	k := serve(t, nil)
	var wait sync.WaitGroup
	for n := range 4 {
		c := k.client(t)
		wait.Go(func() {
			var ids []string
			for i := range 50 {
				switch i % 10 {
				case 0, 5:
					ids = append(ids, c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: fmt.Sprintf("!echo client %d cell %d", n, i)}))
				case 1:
					ids = append(ids, c.send(message.Shell, message.TypeIsCompleteRequest, message.IsCompleteRequest{Code: "f("}))
				case 2:
					ids = append(ids, c.send(message.Shell, message.TypeHistoryRequest, message.HistoryRequest{Access: "tail", N: 3}))
				case 3, 8:
					ids = append(ids, c.send(message.Control, message.TypeKernelInfoRequest, struct{}{}))
				case 4:
					ids = append(ids, c.send(message.Shell, message.TypeCommInfoRequest, struct{}{}))
				case 6:
					ids = append(ids, c.send(message.Shell, message.TypeCompleteRequest, message.CompleteRequest{Code: "fmt.", CursorPos: 4}))
				case 7:
					ids = append(ids, c.send(message.Shell, message.TypeInspectRequest, message.InspectRequest{Code: "fmt", CursorPos: 1}))
				default:
					ids = append(ids, c.send(message.Shell, "odd_request", struct{}{}))
				}
			}
			for i, id := range ids {
				var r message.ExecuteReply
				c.reply(id, &r)
				if i%5 == 0 && (r.Status != message.StatusOK || c.text(id, "stdout") != fmt.Sprintf("client %d cell %d\n", n, i)) {
					t.Errorf("client %d, cell %d: %+v, %q", n, i, r, c.text(id, "stdout"))
				}
			}
			for _, m := range c.find(func(ch message.Channel, _ *message.Message) bool { return ch != message.IOPub }) {
				if m.Parent.Session != c.session.ID {
					t.Errorf("client %d got another's reply", n)
				}
			}
		})
	}
	wait.Wait()
}
