package front

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"patchlab/kernel/message"
)

func TestBadInput(t *testing.T) {
	c := serve(t, func(o *Options) { o.Child.Log = nil }).client(t)
	raw := func(ch message.Channel, frames ...string) {
		f := make([][]byte, len(frames))
		for i, s := range frames {
			f[i] = []byte(s)
		}
		if err := c.sockets[ch].Send(f); err != nil {
			t.Error(err)
		}
	}
	m, _ := c.session.New(message.TypeExecuteRequest, message.ExecuteRequest{Code: "%%\nfmt.Println(\"forged\")"})
	forged, _ := message.Key("other").Encode(m)
	for _, ch := range []message.Channel{message.Shell, message.Control, message.Stdin} {
		c.sockets[ch].Send(forged)
		raw(ch, "")
		raw(ch, "<IDS|MSG>")
		raw(ch, "<IDS|MSG>", "x", "{", "}", "[", "]")
		raw(ch, strings.Repeat("x", 1<<20))
		raw(ch, strings.Split(strings.Repeat("a,", 900), ",")...)
	}
	c.sockets[message.Shell].Send([][]byte{[]byte("<IDS|MSG>"), nil, {0xff}, {0xfe}, {}, {}})
	c.send(message.Shell, message.TypeExecuteReply, message.ExecuteReply{})
	c.send(message.Shell, "nonsense", struct{}{})
	c.send(message.Stdin, message.TypeInputReply, message.InputReply{Value: "nobody asked"})
	c.send(message.Shell, message.TypeCommMessage, "no object")

	// A content that is no content is answered.
	for name, body := range map[string]string{"not UTF-8": "{\"code\":\"\xff\xfe\"}", "wrong type": `{"code":7}`, "no object": `[]`} {
		m, _ := c.session.New(message.TypeExecuteRequest, struct{}{})
		m.Body = json.RawMessage(body)
		frames, err := c.key.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		c.sockets[message.Shell].Send(frames)
		var r message.ExecuteReply
		if c.reply(m.Header.ID, &r); r.Status != message.StatusError || r.Name != "ProtocolError" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	var r message.ExecuteReply
	id := c.ask(message.Shell, message.TypeExecuteRequest, message.ExecuteRequest{Code: string(bytes.Repeat([]byte("// 50 MB\n"), 50<<20/9))}, &r)
	if r.Name != "CellTooLarge" {
		t.Errorf("%s: %+v", id, r)
	}
	if r, id := c.run("%%\nfmt.Println(\"alive\")"); r.Status != message.StatusOK || c.text(id, "stdout") != "alive\n" {
		t.Errorf("the next cell: %+v", r)
	}
	if n := c.find(func(_ message.Channel, m *message.Message) bool { return strings.Contains(string(m.Body), "forged") }); len(n) > 0 {
		t.Error("a forged cell was run")
	}
}

func TestConnectionRefused(t *testing.T) {
	c, err := message.NewTCP("k")
	if err != nil {
		t.Fatal(err)
	}
	c.IP = "0.0.0.0"
	if err := Serve(t.Context(), Options{Connection: c, Folder: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "0.0.0.0") {
		t.Errorf("error %v", err)
	}
}
