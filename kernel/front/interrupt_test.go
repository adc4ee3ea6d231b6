package front

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"patchlab/kernel/message"
)

// silent is an Assistant that does not answer.
type silent struct{ asked chan string }

func (s silent) Complete(ctx context.Context, code string, _ int, _ string) (Completion, error) {
	<-ctx.Done()
	return Completion{}, ctx.Err()
}

func (s silent) Inspect(ctx context.Context, code string, _ int, _ string) (markdown, plain string, err error) {
	s.asked <- code
	<-ctx.Done()
	return "", "", ctx.Err()
}

// A cell that asks for help of a language server that hangs can be interrupted, too.
func TestInterruptHelp(t *testing.T) {
	s := silent{make(chan string, 1)}
	c := serve(t, func(o *Options) { o.Assistant = s }).client(t)
	id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: "fmt.Println?"})
	if code := <-s.asked; code != "fmt.Println" {
		t.Errorf("asked about %q", code)
	}
	c.ask(message.Control, message.TypeInterruptRequest, struct{}{}, nil)
	var r message.ExecuteReply
	if c.reply(id, &r); r.Name != "Interrupted" {
		t.Errorf("%+v", r)
	}
	if r, _ := c.run("%%\n"); r.Status != message.StatusOK {
		t.Errorf("the next cell: %+v", r)
	}
}

// Control messages and questions are answered while a cell runs, and it can be interrupted.
func TestInterrupt(t *testing.T) {
	c := serve(t, nil).client(t)
	for _, code := range []string{"%%\nfmt.Println(\"on\")\ntime.Sleep(time.Hour)", "import \"os/signal\"\n%%\nsignal.Ignore(os.Interrupt)\nfmt.Println(\"on\")\nfor { time.Sleep(time.Hour) }", "!echo on; sleep 1000"} {
		id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code})
		c.wait("the cell's output", func(_ message.Channel, m *message.Message) bool {
			return m.Header.Type == message.TypeStream && m.Parent.ID == id
		})
		var info message.KernelInfoReply
		asked := c.ask(message.Control, message.TypeKernelInfoRequest, struct{}{}, &info)
		var complete message.IsCompleteReply
		c.ask(message.Shell, message.TypeIsCompleteRequest, message.IsCompleteRequest{Code: "x"}, &complete)
		c.wait("busy again", func(_ message.Channel, m *message.Message) bool {
			var s message.Status
			return m.Header.Type == message.TypeStatus && m.Parent.ID == id && m.Content(&s) == nil && s.State == message.StateBusy
		})
		begin := time.Now()
		c.ask(message.Control, message.TypeInterruptRequest, struct{}{}, nil)
		var r message.ExecuteReply
		c.reply(id, &r)
		t.Logf("interrupted after %v (asked before: %s)", time.Since(begin).Round(time.Millisecond), asked)
		if types, _ := c.outputs(id); r.Name != "Interrupted" || strings.Count(strings.Join(types, " "), "error") != 1 {
			t.Errorf("%q: %+v, outputs %v", code, r, types)
		}
	}
	if r, _ := c.run("%%\n"); r.Status != message.StatusOK {
		t.Errorf("the next cell: %+v", r)
	}
}

// A cell can be interrupted at any time, also while it is compiled, or has just been sent.
func TestInterruptEarly(t *testing.T) {
	c := serve(t, nil).client(t)
	c.run("%%\n")
	for i := range 6 {
		code := fmt.Sprintf("import \"net/http\"\n%%%%\nfmt.Println(http.StatusText(%d))\ntime.Sleep(time.Hour)", i)
		id := c.send(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: code})
		c.wait("the cell to run", func(_ message.Channel, m *message.Message) bool {
			return m.Header.Type == message.TypeExecuteInput && m.Parent.ID == id
		})
		time.Sleep(time.Duration(i) * 40 * time.Millisecond)
		c.ask(message.Control, message.TypeInterruptRequest, struct{}{}, nil)
		var r message.ExecuteReply
		if c.reply(id, &r); r.Name != "Interrupted" {
			t.Errorf("after %d: %+v", i, r)
		}
	}
	if r, id := c.run("%%\nfmt.Println(1)"); r.Status != message.StatusOK || c.text(id, "stdout") != "1\n" {
		t.Errorf("the next cell: %+v", r)
	}
}
