package front

import (
	"context"
	"testing"

	"patchlab/kernel/message"
	"patchlab/kernel/zmtp"
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
