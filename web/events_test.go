package web_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
	"patchlab/web"
)

// events reads a stream until it ends or the test does.
func (l *lab) events(ctx context.Context, address string) <-chan string {
	l.t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", l.url+address, nil)
	must(l.t, err)
	answer, err := http.DefaultClient.Do(request)
	must(l.t, err)
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		l.t.Fatalf("%s is %s", address, kind)
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				out <- event + " " + data
			}
		}
	}()
	return out
}

func receive(t *testing.T, events <-chan string, want string) {
	t.Helper()
	select {
	case got := <-events:
		if got != want {
			t.Fatalf("the event is %q, want %q", got, want)
		}
	case <-time.After(2 * time.Minute):
		t.Fatalf("no event within two minutes, want %q", want)
	}
}

func TestEvents(t *testing.T) {
	l := newLab(t, web.Options{Interval: time.Millisecond})
	old := l.start(tracker.Spec{Name: "old"})
	must(t, old.Finish(tracker.Finished))
	run := l.start(tracker.Spec{Params: training("m")})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one := l.events(ctx, "/runs/"+run.ID()+"/events")
	list := l.events(ctx, "/events?new=1&q=params.model+%3D+%27m%27&known="+run.ID()+"&run="+run.ID())
	receive(t, one, "change "+run.ID())
	receive(t, list, "change run="+run.ID())
	must(t, run.Log(1, map[string]float64{"loss": 1}))
	must(t, run.Flush())
	receive(t, one, "change "+run.ID())
	receive(t, list, "change run="+run.ID())
	must(t, run.Finish(tracker.Finished))
	receive(t, one, "change "+run.ID())
	receive(t, one, "end "+run.ID())
	receive(t, list, "change run="+run.ID())
	other := l.start(tracker.Spec{Params: training("another")})
	must(t, other.Flush())
	fresh := l.start(tracker.Spec{Params: training("m")})
	receive(t, list, "new run="+fresh.ID())
	wants(t, l.get("/rows?run="+fresh.ID(), 200), `<tr role="row" id="r`+fresh.ID())
	select {
	case _, open := <-one:
		if open {
			t.Error("the stream of a run that ended goes on")
		}
	case <-time.After(2 * time.Minute):
		t.Error("the stream of a run that ended stays open")
	}
	l.get("/events?q=nonsense+%3D", 400)
}
