package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// newPages is what a page needs of the server: headers of its own, and answers
// that go on for longer than others may take.
func newPages() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Cache-Control", "no-cache")
		io.WriteString(w, "<!doctype html>")
	})
	pages.HandleFunc("GET /plain", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") })
	pages.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Time{}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for i := range 3 {
			if i > 0 {
				time.Sleep(500 * time.Millisecond)
			}
			fmt.Fprintf(w, "data: %d\n\n", i)
			if err := control.Flush(); err != nil {
				return
			}
		}
	})
	return pages
}

func TestPagesAnswerWhatIsNotTheProtocol(t *testing.T) {
	l := newLab(t, Options{Pages: newPages()})
	get := func(path string) (*http.Response, string) {
		t.Helper()
		answer, err := http.Get(l.web.URL + path)
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer, string(body)
	}
	answer, body := get("/")
	if answer.StatusCode != 200 || body != "<!doctype html>" || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" ||
		answer.Header.Get("Content-Security-Policy") != "default-src 'self'" || answer.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the page: %d %q %v", answer.StatusCode, body, answer.Header)
	}
	answer, body = get("/plain")
	if body != "plain" || answer.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" ||
		answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page without headers of its own: %q %v", body, answer.Header)
	}
	for _, path := range []string{"/api/2.0/mlflow/users/get", "/api/", "/api/4.0/anything"} {
		if answer, body = get(path); answer.StatusCode != 404 || !strings.Contains(body, "ENDPOINT_NOT_FOUND") {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body)
		}
	}
	if answer, body = get("/version"); body != "3.17.0" {
		t.Errorf("/version: %d %s", answer.StatusCode, body)
	}
}

func TestPagesExtendTheDeadline(t *testing.T) {
	// An answer may take 4 times BodyTime; the events take a second.
	l := newLab(t, Options{Pages: newPages(), BodyTime: 10 * time.Millisecond})
	answer, err := http.Get(l.web.URL + "/events")
	must(t, err)
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || strings.Count(string(body), "data:") != 3 {
		t.Errorf("%q, %v", body, err)
	}
}

func TestPagesAreBehindTheGuard(t *testing.T) {
	l := newLab(t, Options{Pages: newPages(), Token: "correct horse"})
	get := func(headers ...string) *http.Response {
		t.Helper()
		request, err := http.NewRequest("GET", l.web.URL+"/", nil)
		must(t, err)
		for i := 0; i < len(headers); i += 2 {
			if request.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
				request.Host = headers[i+1]
			}
		}
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		answer.Body.Close()
		return answer
	}
	answer := get()
	if answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") != `Basic realm="Patchlab"` {
		t.Errorf("a browser without the token: %d %v", answer.StatusCode, answer.Header)
	}
	const known = "Basic dXNlcjpjb3JyZWN0IGhvcnNl" // user:correct horse
	if answer = get("Authorization", known); answer.StatusCode != 200 || answer.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("a browser with the token: %d %v", answer.StatusCode, answer.Header)
	}
	for name, headers := range map[string][]string{"rebound": {"Host", "evil.example"}, "foreign": {"Sec-Fetch-Site", "cross-site"}} {
		if answer = get(append(headers, "Authorization", known)...); answer.StatusCode != 403 || answer.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %v", name, answer.StatusCode, answer.Header)
		}
	}
}
