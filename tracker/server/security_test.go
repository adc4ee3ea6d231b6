package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
)

// lab is a server over a database in a folder of its own, beside which lies a
// secret that nobody may read or change.
type lab struct {
	t      *testing.T
	db     *tracker.DB
	web    *httptest.Server
	folder string
	run    *tracker.Run
}

func newLab(t *testing.T, o Options) *lab {
	t.Helper()
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "secret"), []byte("secret"), 0o600))
	must(t, os.Mkdir(filepath.Join(folder, "db"), 0o700))
	db, err := tracker.Open(filepath.Join(folder, "db", "lab.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	web := httptest.NewServer(New(db, o))
	t.Cleanup(web.Close)
	run, err := db.Start(t.Context(), tracker.Spec{Name: "victim"})
	must(t, err)
	must(t, run.AddArtifact("model.txt", strings.NewReader("mine")))
	return &lab{t, db, web, folder, run}
}

// raw sends exactly these bytes and returns the answer.
func (l *lab) raw(text string) (int, string) {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.web.Listener.Addr().String())
	must(l.t, err)
	defer conn.Close()
	must(l.t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	_, err = io.WriteString(conn, text)
	must(l.t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func (l *lab) post(path, body string, headers ...string) (int, string) {
	l.t.Helper()
	request, err := http.NewRequest("POST", l.web.URL+path, strings.NewReader(body))
	must(l.t, err)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	answer, err := http.DefaultClient.Do(request)
	must(l.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(l.t, err)
	return answer.StatusCode, string(text)
}

// start starts a run as a client does, and returns its ID.
func (l *lab) start(fields string) string {
	l.t.Helper()
	status, text := l.post("/api/2.0/mlflow/runs/create", fields)
	var made struct{ Run wireRun }
	must(l.t, json.Unmarshal([]byte(text), &made))
	if status != 200 {
		l.t.Fatalf("starting a run: %d %s", status, text)
	}
	return made.Run.Info.RunID
}

// put uploads an artifact of a run of the default experiment.
func (l *lab) put(run, name, content string) (int, string) {
	l.t.Helper()
	return l.raw(fmt.Sprintf("PUT /api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/%s HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", run, name, len(content), content))
}

// untouched checks that the victim's artifact and all files outside of the
// database's own are as they were.
func (l *lab) untouched() {
	l.t.Helper()
	must(l.t, l.db.Verify(l.t.Context(), l.run.ID()))
	artifacts, err := l.db.Artifacts(l.t.Context(), l.run.ID())
	must(l.t, err)
	if len(artifacts) != 1 || artifacts[0].Size != 4 {
		l.t.Errorf("the victim's artifacts are %+v", artifacts)
	}
	var files []string
	must(l.t, filepath.WalkDir(l.folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.Contains(path, "lab.") {
			files = append(files, path)
		}
		return err
	}))
	secret, err := os.ReadFile(filepath.Join(l.folder, "secret"))
	if len(files) != 1 || err != nil || string(secret) != "secret" {
		l.t.Errorf("files outside of the database: %v", files)
	}
}

func TestPathTraversal(t *testing.T) {
	l := newLab(t, Options{})
	id, victim := l.start(`{"run_name": "attacker"}`), l.run.ID()
	root := "/api/2.0/mlflow-artifacts/artifacts"
	for _, path := range []string{
		"/0/" + id + "/artifacts/../../" + victim + "/artifacts/model.txt",
		"/0/" + id + "/artifacts/%2e%2e/%2e%2e/" + victim + "/artifacts/model.txt",
		"/0/" + id + "/artifacts/..%2f..%2f" + victim + "%2fartifacts%2fmodel.txt",
		"/0/" + id + "/artifacts/%252e%252e%252fmodel.txt/../..",
		"/0/" + id + "/artifacts//etc/passwd",
		"/0/" + id + "/artifacts/%2fetc%2fpasswd",
		"/0/" + id + "/artifacts/..\\..\\secret",
		"/0/" + id + "/artifacts/%5c..%5csecret",
		"/0/" + id + "/artifacts/a%00b",
		"/0/" + id + "/artifacts/.",
		"/0/" + id + "/artifacts/./x",
		"/0/" + id + "/../../../../secret",
		"/../../../secret",
		"/%2e%2e/%2e%2e/secret",
		"//etc/passwd",
		"/file:///etc/passwd",
		"/0/" + id + "/artifacts",
		"/0/" + id,
		"/7/" + id + "/artifacts/x", // of another experiment
		"/0/models/../artifacts/x",
		"/0/models/m-" + strings.ToLower(id) + "abcdefgh/artifacts/x", // no such model
		"/0/" + id + "/artifacts/.models/m-x/artifacts/x",
	} {
		for _, method := range []string{"PUT", "GET"} {
			status, body := l.raw(method + " " + root + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil")
			if status == 200 || strings.Contains(body, "secret") || strings.Contains(body, "mine") || strings.Contains(body, "root:") {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	// What a client means as a fragment is a plain character of a name, or cut off by it.
	status, body := l.put(id, "a%23..%23b", "good")
	if status != 200 {
		t.Errorf("a name with #: %d %s", status, body)
	}
	for _, path := range []string{"..", "/etc", "../" + victim, "a/../..", "0/" + id + "/artifacts/../.."} {
		for _, list := range []string{"/api/2.0/mlflow-artifacts/artifacts?path=", "/api/2.0/mlflow/artifacts/list?run_id=" + id + "&path="} {
			status, body := l.raw("GET " + list + strings.ReplaceAll(path, "/", "%2f") + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			if status != 400 && status != 404 {
				t.Errorf("listing %s%s: %d %s", list, path, status, body)
			}
		}
	}
	// Places that clients name are not taken: neither for artifacts nor for datasets.
	status, body = l.post("/api/2.0/mlflow/experiments/create", `{"name": "e", "artifact_location": "file:///etc#/../x"}`)
	if status != 200 {
		t.Errorf("an experiment with a location: %d %s", status, body)
	}
	status, body = l.post("/api/2.0/mlflow/experiments/search", `{}`)
	if status != 200 || strings.Contains(body, "etc") {
		t.Errorf("the location is %s", body)
	}
	l.untouched()
}

func TestUploadIntoADeletedRunIsRefused(t *testing.T) {
	l := newLab(t, Options{})
	must(t, l.db.Delete(t.Context(), l.run.ID()))
	status, body := l.raw("PUT /api/2.0/mlflow-artifacts/artifacts/0/" + l.run.ID() + "/artifacts/model.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil")
	if status != 400 || !strings.Contains(body, "INVALID_PARAMETER_VALUE") {
		t.Errorf("%d %s", status, body)
	}
	l.untouched()
}

func TestForeignPagesAreRefused(t *testing.T) {
	l := newLab(t, Options{})
	const path, body = "/api/2.0/mlflow/experiments/create", `{"name": "evil"}`
	for name, headers := range map[string][]string{
		"rebound name":        {"Host", "evil.example:5000"},
		"rebound address":     {"Host", "10.0.0.7"},
		"suffix":              {"Host", "localhost.evil.example"},
		"foreign origin":      {"Origin", "https://evil.example"},
		"null origin":         {"Origin", "null"},
		"other port's origin": {"Origin", "http://localhost:1"},
		"cross-site":          {"Sec-Fetch-Site", "cross-site"},
		"same-site":           {"Sec-Fetch-Site", "same-site"},
	} {
		if status, text := l.post(path, body, headers...); status != 403 || !strings.Contains(text, "PERMISSION_DENIED") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	// A link on another page: the browser shows the answer, and no page reads it.
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	if status, text := l.post(path, body, link...); status != 403 {
		t.Errorf("a form of another page: %d %s", status, text)
	}
	for dest, want := range map[string]int{"document": 200, "iframe": 403, "script": 403} {
		request, err := http.NewRequest("GET", l.web.URL+"/version", nil)
		must(t, err)
		for i := 0; i < len(link); i += 2 {
			request.Header.Set(link[i], link[i+1])
		}
		request.Header.Set("Sec-Fetch-Dest", dest)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("another page's %s: %d, not %d", dest, answer.StatusCode, want)
		}
	}
	// What a form on another page can send without asking.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""} {
		if status, text := l.post(path, body, "Content-Type", kind); status != 415 {
			t.Errorf("Content-Type %q: %d %s", kind, status, text)
		}
	}
	if experiments, err := l.db.Experiments(t.Context()); err != nil || len(experiments) != 1 {
		t.Errorf("%d experiments, %v", len(experiments), err)
	}
	if status, text := l.post(path, `{"name": "good"}`, "Origin", l.web.URL, "Sec-Fetch-Site", "same-origin"); status != 200 {
		t.Errorf("the own origin: %d %s", status, text)
	}
	if status, _ := l.raw("OPTIONS " + path + " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n"); status != 403 {
		t.Errorf("a preflight: %d", status)
	}
}

func TestToken(t *testing.T) {
	l := newLab(t, Options{Token: "correct horse", Hosts: []string{"lab.example"}})
	const path = "/api/2.0/mlflow/experiments/search"
	for name, test := range map[string]struct {
		headers []string
		want    int
	}{
		"none":        {nil, 401},
		"wrong":       {[]string{"Authorization", "Bearer correct hors"}, 401},
		"longer":      {[]string{"Authorization", "Bearer correct horses"}, 401},
		"empty":       {[]string{"Authorization", "Bearer "}, 401},
		"no scheme":   {[]string{"Authorization", "correct horse"}, 401},
		"right":       {[]string{"Authorization", "Bearer correct horse"}, 200},
		"as password": {[]string{"Authorization", "Basic dXNlcjpjb3JyZWN0IGhvcnNl"}, 200},
		"named host":  {[]string{"Authorization", "Bearer correct horse", "Host", "LAB.example:5000"}, 200},
	} {
		if status, text := l.post(path, "{}", test.headers...); status != test.want || strings.Contains(text, "correct") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for _, path := range []string{"/", "/health", "/version", "/nowhere", "/api/2.0/mlflow/users/create", "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/y"} {
		if status, text := l.post(path, "{}"); status != 401 {
			t.Errorf("%s without a token: %d %s", path, status, text)
		}
	}
	if listener, err := Listen("0.0.0.0:0", Options{}); err == nil {
		listener.Close()
		t.Error("it serves the world without a token")
	}
	if listener, err := Listen("127.0.0.1:0", Options{Token: "1234567"}); err == nil {
		listener.Close()
		t.Error("it takes a token of seven characters")
	}
	listener, err := Listen("0.0.0.0:0", Options{Token: "12345678"})
	must(t, err)
	listener.Close()
}

// Who is refused holds no connection, of which there are only so many.
func TestRefusedConnectionsAreClosed(t *testing.T) {
	l := newLab(t, Options{Token: "t"})
	for name, text := range map[string]string{
		"no token":      "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"foreign host":  "GET /version HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer t\r\n\r\n",
		"unread body":   "POST /version HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
		"foreign pages": "GET /version HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAuthorization: Bearer t\r\n\r\n",
	} {
		if status, _ := l.raw(text); status != 401 && status != 403 { // raw reads to the end of the answer only
			t.Errorf("%s: %d", name, status)
		}
		conn, err := net.Dial("tcp", l.web.Listener.Addr().String())
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(time.Minute))) // less than a kept connection may idle
		_, err = io.WriteString(conn, text)
		must(t, err)
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s: the connection stays open: %v", name, err)
		}
		conn.Close()
	}
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	l := newLab(t, Options{})
	for _, path := range []string{"/api/2.0/mlflow/users/create", "/api/3.0/jobs", "/ajax-api/3.0/jobs/", "/api/2.0/mlflow/webhooks/create",
		"/api/2.0/mlflow/gateway-proxy", "/api/2.0/mlflow/registered-models/create", "/api/2.0/mlflow/runs/create/", "/graphql", "/model-versions/get-artifact"} {
		status, text := l.post(path, `{"url": "http://169.254.169.254/"}`)
		var e struct {
			Code string `json:"error_code"`
		}
		if json.Unmarshal([]byte(text), &e) != nil || status != 404 || e.Code != "ENDPOINT_NOT_FOUND" {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestHugeAndMalformedBodies(t *testing.T) {
	l := newLab(t, Options{MaxBody: 1 << 20, MaxArtifact: 1 << 20})
	id := l.start(`{"run_name": "own"}`)
	deep := strings.Repeat(`[`, 100_000)
	metrics := strings.TrimSuffix(strings.Repeat(`{"key":"k","value":1,"timestamp":1,"step":1},`, 1001), ",")
	for name, test := range map[string]struct {
		path, body string
		status     int
	}{
		"too large":      {"runs/log-batch", `{"run_id":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		"deep":           {"runs/log-batch", deep, 400},
		"deep field":     {"runs/log-batch", `{"metrics":` + deep, 400},
		"cut short":      {"runs/log-batch", `{"run_id": "`, 400},
		"list":           {"runs/log-batch", `[]`, 400},
		"wrong type":     {"runs/log-batch", `{"run_id": 7}`, 400},
		"wrong value":    {"runs/log-metric", `{"run_id":"` + id + `","key":"k","value":"high"}`, 400},
		"wrong step":     {"runs/log-metric", `{"run_id":"` + id + `","key":"k","value":1,"step":1.5}`, 400},
		"huge step":      {"runs/log-metric", `{"run_id":"` + id + `","key":"k","value":1,"step":1e300}`, 400},
		"empty key":      {"runs/log-metric", `{"run_id":"` + id + `","key":"","value":1}`, 400},
		"long key":       {"runs/log-metric", `{"run_id":"` + id + `","key":"` + strings.Repeat("k", 5000) + `","value":1}`, 400},
		"NUL":            {"runs/set-tag", `{"run_id":"` + id + `","key":"a\u0000b","value":"x"}`, 400},
		"many metrics":   {"runs/log-batch", `{"run_id":"` + id + `","metrics":[` + metrics + `]}`, 400},
		"no run":         {"runs/log-batch", `{}`, 400},
		"unknown run":    {"runs/log-batch", `{"run_id":"nothing","metrics":[{"key":"a","value":1,"timestamp":1}]}`, 404},
		"of a process":   {"runs/log-metric", `{"run_id":"` + l.run.ID() + `","key":"k","value":1,"timestamp":1}`, 409},
		"wrong filter":   {"runs/search", `{"experiment_ids":["0"],"filter":"a = b = c"}`, 400},
		"deep filter":    {"runs/search", `{"experiment_ids":["0"],"filter":"` + strings.Repeat("(", 50_000) + `"}`, 400},
		"huge filter":    {"runs/search", `{"experiment_ids":["0"],"filter":"` + strings.Repeat("a", 100_000) + `"}`, 400},
		"negative limit": {"runs/search", `{"experiment_ids":["0"],"max_results":-1}`, 400},
		"huge limit":     {"runs/search", `{"experiment_ids":["0"],"max_results":1000000000}`, 400},
		"wrong page":     {"runs/search", `{"experiment_ids":["0"],"page_token":"%%%"}`, 400},
		"negative page":  {"runs/search", `{"experiment_ids":["0"],"page_token":"ZnJvbSAtNQ=="}`, 400},
		"wrong status":   {"runs/update", `{"run_id":"` + id + `","status":"DONE"}`, 400},
	} {
		status, text := l.post("/api/2.0/mlflow/"+test.path, test.body)
		var e apiError
		if json.Unmarshal([]byte(text), &e) != nil || e.Code == "" || status != test.status {
			t.Errorf("%s: %d %.200s", name, status, text)
		}
	}
	if status, text := l.put(id, "big", strings.Repeat("x", 2<<20)); status != 413 {
		t.Errorf("an artifact that is too large: %d %s", status, text)
	}
	if garbage, err := l.db.GC(t.Context(), 0); err != nil || garbage.Files != 0 {
		t.Errorf("refused uploads left %+v, %v", garbage, err)
	}
	l.untouched()
}

func TestTextsAreEscaped(t *testing.T) {
	l := newLab(t, Options{})
	const script = "<script>alert(1)</script>"
	must(t, l.db.SetTags(t.Context(), l.run.ID(), map[string]string{script: script}))
	must(t, l.run.AddArtifact("page.html", strings.NewReader(script)))
	for _, path := range []string{"/api/2.0/mlflow/runs/get?run_id=" + l.run.ID(), "/api/2.0/mlflow/runs/get?run_id=" + script,
		"/api/2.0/mlflow-artifacts/artifacts/0/" + l.run.ID() + "/artifacts/page.html"} {
		answer, err := http.Get(l.web.URL + path)
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		answer.Body.Close()
		kind := answer.Header.Get("Content-Type")
		if kind == "application/json" && bytes.Contains(body, []byte("<script")) {
			t.Errorf("%s is not escaped: %s", path, body)
		}
		if kind != "application/json" && (kind != "application/octet-stream" || answer.Header.Get("Content-Disposition") != "attachment") {
			t.Errorf("%s is of type %s", path, kind)
		}
		if answer.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(answer.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s lacks headers: %v", path, answer.Header)
		}
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	l := newLab(t, Options{})
	listener, err := Listen("127.0.0.1:0", Options{})
	must(t, err)
	handler := New(l.db, Options{BodyTime: time.Second, SlowestBytes: 1000})
	go Serve(t.Context(), listener, handler)
	own, err := l.db.Start(t.Context(), tracker.Spec{})
	must(t, err)
	handler.began(own)
	// A client that never finishes its headers, and one that never sends its body.
	for name, text := range map[string]string{
		"headers": "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"upload":  "PUT /api/2.0/mlflow-artifacts/artifacts/0/" + own.ID() + "/artifacts/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
		"refused": "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: 100\r\n\r\n{",
		"body":    "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", listener.Addr().String())
			must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, text)
			must(t, err)
			must(t, conn.SetReadDeadline(time.Now().Add(2*time.Minute)))
			began := time.Now()
			said, err := io.ReadAll(conn)
			if err != nil {
				t.Errorf("after %v the client was not cut off: %v", time.Since(began), err)
			}
			if name == "upload" && !strings.Contains(string(said), "400 Bad Request") {
				t.Errorf("it was told %q", said)
			}
		})
	}
}
