package front

import (
	"fmt"
	"strings"
	"testing"

	"patchlab/kernel/message"
)

func TestLimit(t *testing.T) {
	var l limit
	passed := 0
	say := func(kind string, content any) string {
		ok, say := l.admit(kind, content)
		if ok {
			passed++
		}
		return say
	}
	mega := message.Stream{Name: "stdout", Text: strings.Repeat("é", 1<<19)}
	picture := message.DisplayData{Data: message.Bundle{"image/png": strings.Repeat("x", 100<<20), "application/json": []int{1}}}
	var said []string
	for range 10 {
		said = append(said, say(message.TypeStream, mega))
	}
	for range 4 {
		said = append(said, say(message.TypeDisplayData, picture))
	}
	said = append(said, say(message.TypeError, message.Error{}), say(message.TypeUpdateDisplayData, picture))
	if passed != 8+2+2 {
		t.Errorf("%d messages passed, want 12", passed)
	}
	if got := strings.Join(said, ""); got != "\nThe cell has printed more than 8 MB: what follows is left out, but for its end.\n\nThe cell has shown more than 256 MB: what follows is left out.\n" {
		t.Errorf("it said %q", got)
	}
	say(message.TypeStream, message.Stream{Text: "\nthe end\n"})
	if got := l.rest(); got != "… 2.0 MB left out …\nthe end\n" {
		t.Errorf("the rest is %q", got)
	}
	if got := l.rest(); got != "" {
		t.Errorf("it is said again: %q", got)
	}
	say(message.TypeClearOutput, struct{}{})
	if passed = 0; say(message.TypeStream, mega) != "" || passed != 1 {
		t.Error("a cleared output stays full")
	}
}

// A cell that prints without end goes on and can be stopped; what it leaves is bounded.
func TestEndlessOutput(t *testing.T) {
	c := serve(t, nil).client(t)
	r, id := c.run("!yes 0123456789abcdef | head -c 30000000; echo; echo the end")
	out, errs := c.text(id, "stdout"), c.text(id, "stderr")
	if r.Status != message.StatusOK || len(out) > maxText || len(out) < maxText*3/4 || !strings.Contains(errs, "has printed more than 8 MB") || !strings.HasSuffix(errs, "0123456789abcdef\n0123456789abc\nthe end\n") && !strings.HasSuffix(errs, "\nthe end\n") {
		t.Errorf("%+v, %d bytes, and it is said: %.200q", r, len(out), errs)
	}
	if r, id := c.run("!echo next"); r.Status != message.StatusOK || c.text(id, "stdout") != "next\n" {
		t.Errorf("the next cell: %+v, %s", r, fmt.Sprint(c.text(id, "stdout")))
	}
}
