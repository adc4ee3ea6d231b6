package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
)

// serving starts the command on a free port, and returns its address and what
// ends it.
func serving(t *testing.T, args ...string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...), printed, io.Discard)
		printed.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("serve said %q and ended: %v", line, <-ended)
	}
	url = regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	stop = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return url, stop
}

func get(t *testing.T, url string, want int) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		t.Fatalf("%s: %s, %v: %s", url, answer.Status, err, text)
	}
	return string(text)
}

// The page and MLflow's protocol are at one address, and Ctrl-C ends both, open
// streams of events included.
func TestServe(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	url, stop := serving(t, "--db", db)
	if page := get(t, url+"/", 200); !strings.Contains(page, "No runs yet") {
		t.Errorf("the page is %s", page)
	}
	get(t, url+"/api/2.0/mlflow/experiments/search?max_results=10", 200)
	get(t, url+"/version", 200)
	if _, _, err := execute(t, "serve", "--db", db, "--addr", strings.TrimPrefix(url, "http://")); err == nil || !strings.Contains(err.Error(), "--addr 127.0.0.1:0") {
		t.Errorf("served twice at one port: %v", err)
	}
	stream, err := http.Get(url + "/events?new=1")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream was cut off %v after the end: %v", time.Since(began), err)
	}
}

func TestServeReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	run, err := db.Start(t.Context(), tracker.Spec{Name: "shown"})
	if err == nil {
		err = run.Finish(tracker.Finished)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	url, stop := serving(t, "--db", path, "--read-only")
	if page := get(t, url+"/runs/"+run.ID(), 200); !strings.Contains(page, "shown") || strings.Contains(page, `method="post"`) {
		t.Errorf("the page of a run is %s", page)
	}
	answer, err := http.Post(url+"/api/2.0/mlflow/runs/create", "application/json", strings.NewReader(`{"experiment_id": "0"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusForbidden || !strings.Contains(string(said), "started with --read-only") {
		t.Errorf("a client that writes is told %s: %s, %v", answer.Status, said, err)
	}
	if page := get(t, url+"/", 200); !strings.Contains(page, "1 run<") {
		t.Errorf("after that the list is %s", page)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Beyond this machine the command says which names it answers to, and answers
// to those only.
func TestServeAnswersToTheMachinesNames(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	for token, want := range map[string]string{"": "PATCHLAB_TOKEN, or name a file that holds one with --token-file", "1234567": "the token has 7 characters"} {
		t.Setenv("PATCHLAB_TOKEN", token)
		if _, _, err := execute(t, "serve", "--addr", "0.0.0.0:0", "--db", db); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with the token %q: %v", token, err)
		}
	}
	t.Setenv("PATCHLAB_TOKEN", "correct horse")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"serve", "--addr", "0.0.0.0:0", "--db", db, "--host", "lab.example"}, printed, io.Discard)
		printed.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	lines.Scan()
	port := regexp.MustCompile(`http://lab.example:([0-9]+) `).FindStringSubmatch(lines.Text())
	if port == nil {
		t.Fatalf("serve said %q", lines.Text())
	}
	lines.Scan()
	said, ok := strings.CutPrefix(lines.Text(), "answering to ")
	said, _, _ = strings.Cut(said, ";")
	names := strings.Split(said, ", ")
	if host, err := os.Hostname(); err != nil || !ok || !slices.Contains(names, host) || !slices.Contains(names, "lab.example") {
		t.Fatalf("serve said %q on %q, %v", lines.Text(), host, err)
	}
	for _, name := range append(names, "evil.example", "203.0.113.9") {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port[1]+"/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = net.JoinHostPort(name, port[1])
		request.SetBasicAuth("any", "correct horse")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if ours := slices.Contains(names, name); ours != (answer.StatusCode == http.StatusOK) {
			t.Errorf("to the name %s it answers %s", name, answer.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
