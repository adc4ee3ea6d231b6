package server

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// mlflowAPI begins the addresses of MLflow's endpoints.
const mlflowAPI = "/api/2.0/mlflow/"

// succeeds posts what must be answered with 200, and reads the answer.
func (l *lab) succeeds(endpoint, body string, answer any) {
	l.t.Helper()
	status, text := l.post(mlflowAPI+endpoint, body)
	if status != 200 {
		l.t.Fatalf("%s %s: %d %s", endpoint, body, status, text)
	}
	if answer != nil {
		must(l.t, json.Unmarshal([]byte(text), answer))
	}
}

// fails posts what must be answered with an error of that status and code.
func (l *lab) fails(endpoint, body string, status int, code string) {
	l.t.Helper()
	got, text := l.post(mlflowAPI+endpoint, body)
	var e apiError
	if json.Unmarshal([]byte(text), &e) != nil || got != status || e.Code != code || e.Message == "" {
		l.t.Errorf("%s %.200s: %d %.300s, not %d %s", endpoint, body, got, text, status, code)
	}
}

// sqliteFile opens the database's file beside the tracker.
type sqliteFile string

func (f sqliteFile) Connect(context.Context) (driver.Conn, error) { return f.Driver().Open(string(f)) }
func (sqliteFile) Driver() driver.Driver                          { return &sqlite3.SQLiteDriver{} }

// execute runs a statement on the database's file beside the tracker.
func (l *lab) execute(statement string, args ...any) {
	l.t.Helper()
	file := sql.OpenDB(sqliteFile("file:" + filepath.Join(l.folder, "db", "lab.db") + "?_busy_timeout=60000"))
	_, err := file.Exec(statement, args...)
	must(l.t, err)
	must(l.t, file.Close())
}

// breakEnds makes SQLite refuse to end runs, as a failing disk does, until
// mend is called.
func (l *lab) breakEnds() (mend func()) {
	l.t.Helper()
	l.execute(`CREATE TRIGGER broken BEFORE UPDATE OF ended ON run WHEN NEW.ended IS NOT NULL BEGIN SELECT RAISE(FAIL, 'the disk at /srv/secret/lab.db failed'); END`)
	return func() { l.execute(`DROP TRIGGER broken`) }
}

func (l *lab) info(id string) tracker.RunInfo {
	l.t.Helper()
	info, err := l.db.Find(l.t.Context(), id)
	must(l.t, err)
	return info
}

func TestAFailedEndCanBeRepeated(t *testing.T) {
	var logged bytes.Buffer
	l := newLab(t, Options{ErrorLog: log.New(&logged, "", 0)})
	id := l.start(`{}`)
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":1,"timestamp":1}`, nil)
	end := `{"run_id":"` + id + `","status":"FAILED","end_time":4000000000000}`
	mend := l.breakEnds()
	for range 2 {
		status, text := l.post(mlflowAPI+"runs/update", end)
		if status != 507 || !strings.Contains(text, "INTERNAL_ERROR") || strings.Contains(text, "secret") {
			t.Errorf("ending on a broken disk: %d %s", status, text)
		}
	}
	if !strings.Contains(logged.String(), "the disk at /srv/secret/lab.db failed") {
		t.Errorf("the log says %q", logged.String())
	}
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":2,"timestamp":2}`, nil)
	mend()
	l.succeeds("runs/update", end, nil)
	if got := l.info(id); got.Status != tracker.Failed || got.End.UnixMilli() != 4000000000000 || got.Metrics["a"].Value != 2 {
		t.Errorf("the run is %+v", got)
	}
	must(t, l.db.Verify(t.Context(), id))
}

// A point that comes after the end reopens a run, and ends it as it had ended;
// where that fails, the next one does.
func TestPointsAfterTheEndKeepTheEnd(t *testing.T) {
	l := newLab(t, Options{ErrorLog: log.New(&bytes.Buffer{}, "", 0)})
	id := l.start(`{}`)
	l.succeeds("runs/update", `{"run_id":"`+id+`","status":"KILLED","end_time":5000}`, nil)
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":1,"timestamp":1}`, nil)
	mend := l.breakEnds()
	l.fails("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":2,"timestamp":2}`, 507, "INTERNAL_ERROR")
	mend()
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":3,"timestamp":3}`, nil)
	if got := l.info(id); got.Status != tracker.Killed || got.End.UnixMilli() != 5000 {
		t.Errorf("the run is %+v", got)
	}
	points, err := l.db.History(t.Context(), id, "a")
	must(t, err)
	if len(points) != 3 {
		t.Errorf("its points are %v", points)
	}
	must(t, l.db.Verify(t.Context(), id))
}

// What another process writes is left alone, whatever is to be changed.
func TestARunOfAnotherProcessIsLeftAlone(t *testing.T) {
	l := newLab(t, Options{})
	id := l.run.ID()
	must(t, l.run.SetTags(map[string]string{"t": "u"}))
	before := l.info(id)
	run := `{"run_id":"` + id + `",`
	for endpoint, body := range map[string]string{
		"runs/log-metric":    run + `"key":"k","value":1,"timestamp":1}`,
		"runs/log-parameter": run + `"key":"k","value":"v"}`,
		"runs/log-batch":     run + `"params":[{"key":"k","value":"v"}]}`,
		"runs/set-tag":       run + `"key":"k","value":"v"}`,
		"runs/delete-tag":    run + `"key":"t"}`,
		"runs/log-inputs":    run + `"datasets":[{"dataset":{"name":"n","digest":"d"}}]}`,
		"runs/update":        run + `"status":"FINISHED"}`,
		"logged-models":      `{"experiment_id":"0","source_run_id":"` + id + `"}`,
	} {
		l.fails(endpoint, body, 409, "RESOURCE_CONFLICT")
	}
	l.fails("runs/update", run+`"run_name":"mine"}`, 409, "RESOURCE_CONFLICT")
	l.fails("runs/update", run+`"status":"RUNNING"}`, 409, "RESOURCE_CONFLICT")
	if status, text := l.put(id, "other.txt", "evil"); status != 409 || !strings.Contains(text, "RESOURCE_CONFLICT") {
		t.Errorf("an artifact: %d %s", status, text)
	}
	if after := l.info(id); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the run became %+v", after)
	}
	l.untouched()
	must(t, l.run.Finish(tracker.Finished)) // from now on it is anybody's
	l.succeeds("runs/log-parameter", run+`"key":"k","value":"v"}`, nil)
}

// A point that is sent again counts once, as in MLflow's server; its client
// relies on that.
func TestPointsThatAreSentAgain(t *testing.T) {
	l := newLab(t, Options{})
	id := l.start(`{}`)
	const first = `{"key":"a","value":1,"timestamp":1000,"step":0}`
	for _, points := range []string{
		first, first, first + "," + first,
		first + `,{"key":"a","value":2,"timestamp":1000,"step":0},{"key":"a","value":1,"timestamp":1001,"step":0},{"key":"b","value":1,"timestamp":1000,"step":0}`,
		`{"key":"a","value":"NaN","timestamp":5,"step":7}`, `{"key":"a","value":"NaN","timestamp":5,"step":7}`,
		`{"key":"a","value":3,"timestamp":9,"step":-7},{"key":"a","value":"NaN","timestamp":5,"step":7}`, `{"key":"a","value":3,"timestamp":9,"step":-7}`,
	} {
		l.succeeds("runs/log-batch", `{"run_id":"`+id+`","metrics":[`+points+`]}`, nil)
	}
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`",`+first[1:], nil)
	l.succeeds("runs/update", `{"run_id":"`+id+`","status":"FINISHED"}`, nil)
	l.succeeds("runs/log-metric", `{"run_id":"`+id+`",`+first[1:], nil)
	for key, want := range map[string]int{"a": 5, "b": 1} {
		points, err := l.db.History(t.Context(), id, key)
		must(t, err)
		if len(points) != want {
			t.Errorf("%s has %v", key, points)
		}
	}
}

// One run whose disk is slow keeps no other waiting.
func TestASlowRunBlocksNoOther(t *testing.T) {
	db := newDB(t)
	h := New(db, Options{})
	var ids []string
	for range 2 {
		run, err := db.Start(t.Context(), tracker.Spec{})
		must(t, err)
		h.began(run)
		ids = append(ids, run.ID())
	}
	slow := h.hold(ids[0])
	slow.mu.Lock() // as while it ends
	value, at := mlflow.Float(1), mlflow.Integer(1)
	must(t, h.log(t.Context(), runRef{ID: ids[1]}, "", batch{metrics: []newMetric{{Key: "a", Value: &value, Timestamp: &at}}}))
	must(t, h.endRun(t.Context(), ids[1], ending{status: tracker.Finished}))
	slow.mu.Unlock()
	h.let(ids[0], slow)
	must(t, h.endRun(t.Context(), ids[0], ending{status: tracker.Finished}))
	if len(h.runs) != 0 {
		t.Errorf("%d runs are still held", len(h.runs))
	}
}

// What an ended run holds stays: more may come, nothing is replaced unless the
// run is reopened.
func TestArtifactsOfAnEndedRun(t *testing.T) {
	l := newLab(t, Options{})
	id := l.start(`{}`)
	put := func(name, content string, want int) {
		t.Helper()
		if status, text := l.put(id, name, content); status != want {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	put("a.txt", "one", 200)
	put("a.txt", "two", 200)
	l.succeeds("runs/update", `{"run_id":"`+id+`","status":"FINISHED"}`, nil)
	digest := l.info(id).Digest
	put("a.txt", "two", 200) // again, as clients do that heard no answer
	put("a.txt", "six", 400)
	put("a.txt", "", 400)
	if l.info(id).Digest != digest {
		t.Error("the digest has changed with nothing else")
	}
	put("b.txt", "more", 200)
	if l.info(id).Digest == digest {
		t.Error("the digest is the same with one more artifact")
	}
	must(t, l.db.Verify(t.Context(), id))
	l.succeeds("runs/update", `{"run_id":"`+id+`","status":"RUNNING"}`, nil)
	put("a.txt", "six", 200)
	l.succeeds("runs/update", `{"run_id":"`+id+`","status":"FINISHED"}`, nil)
	must(t, l.db.Verify(t.Context(), id))
	artifacts, err := l.db.Artifacts(t.Context(), id)
	must(t, err)
	if len(artifacts) != 2 || artifacts[0].Size != 3 {
		t.Errorf("the artifacts are %+v", artifacts)
	}
}

// Clients cannot forge what the server itself records in tags, and a record
// that is none spoils no search.
func TestReservedTags(t *testing.T) {
	l := newLab(t, Options{})
	id := l.start(`{"tags":[{"key":"patchlab.env.gpu","value":"H200"},{"key":"course","value":"vision"}]}`)
	model := mlflow.ModelTag + mlflow.NewModelID(id, "abcdefgh")
	for _, key := range []string{model, "patchlab.model.", "patchlab.model.x", "patchlab.env.gpu"} {
		l.fails("runs/set-tag", `{"run_id":"`+id+`","key":"`+key+`","value":"{}"}`, 400, "INVALID_PARAMETER_VALUE")
		l.fails("runs/delete-tag", `{"run_id":"`+id+`","key":"`+key+`"}`, 400, "INVALID_PARAMETER_VALUE")
		l.fails("runs/log-batch", `{"run_id":"`+id+`","tags":[{"key":"`+key+`","value":"{}"}]}`, 400, "INVALID_PARAMETER_VALUE")
	}
	l.fails("runs/create", `{"tags":[{"key":"`+model+`","value":"{}"}]}`, 400, "INVALID_PARAMETER_VALUE")
	var got struct{ Run wireRun }
	l.succeeds("runs/update", `{"run_id":"`+id+`"}`, &got)
	if tags := mlflow.ToMap(got.Run.Data.Tags); tags["patchlab.env.gpu"] != "H200" || tags["course"] != "vision" || l.info(id).Environment["gpu"] != "H200" {
		t.Errorf("the tags are %v", tags)
	}
	var made struct{ Model struct{ Info map[string]any } }
	l.succeeds("logged-models", `{"experiment_id":"0","source_run_id":"`+id+`","name":"net"}`, &made)
	must(t, l.db.SetTags(t.Context(), id, map[string]string{model: "{", "patchlab.model.x": "x", mlflow.ModelTag + mlflow.NewModelID(l.run.ID(), "abcdefgh"): "{}"}))
	var found struct {
		Models []struct{ Info map[string]any }
	}
	l.succeeds("logged-models/search", `{"experiment_ids":["0"]}`, &found)
	if len(found.Models) != 1 || found.Models[0].Info["name"] != "net" {
		t.Errorf("the models are %+v", found)
	}
	if status, text := l.put(id, ".models/"+strings.TrimPrefix(model, mlflow.ModelTag)+"/x", "x"); status != 404 {
		t.Errorf("a file of no model: %d %s", status, text)
	}
	request := func(method, path string) (int, string) {
		return l.raw(method + " " + mlflowAPI + "logged-models/" + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	}
	own := fmt.Sprint(made.Model.Info["model_id"])
	if status, text := request("DELETE", own); status != 200 {
		t.Errorf("deleting a model: %d %s", status, text)
	}
	for path, want := range map[string]int{own: 404, own + "?allow_deleted=true": 200} {
		if status, text := request("GET", path); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// A run that is damaged in the file spoils no list, says so, and is left alone.
func TestDamagedRuns(t *testing.T) {
	l := newLab(t, Options{ErrorLog: log.New(&bytes.Buffer{}, "", 0)})
	whole, damaged := l.start(`{"run_name":"whole"}`), l.start(`{"run_name":"damaged"}`)
	for _, id := range []string{whole, damaged} {
		l.succeeds("runs/log-metric", `{"run_id":"`+id+`","key":"a","value":1,"timestamp":1}`, nil)
		l.succeeds("runs/update", `{"run_id":"`+id+`","status":"FINISHED"}`, nil)
	}
	l.execute(`UPDATE run SET tags = 'no JSON' WHERE ulid = ?`, damaged)
	var found struct{ Runs []wireRun }
	l.succeeds("runs/search", `{"experiment_ids":["0"]}`, &found)
	byID := map[string]wireRun{}
	for _, r := range found.Runs {
		byID[r.Info.RunID] = r
	}
	if len(byID) != 3 || byID[whole].Info.Status != "FINISHED" || byID[damaged].Info.Status != "FAILED" ||
		mlflow.ToMap(byID[damaged].Data.Tags)[damageTag] == "" || mlflow.ToMap(byID[whole].Data.Tags)[damageTag] != "" {
		t.Errorf("the runs are %+v", found.Runs)
	}
	l.succeeds("logged-models/search", `{"experiment_ids":["0"]}`, nil)
	for endpoint, fields := range map[string]string{"log-metric": `"key":"a","value":2,"timestamp":2`, "set-tag": `"key":"a","value":"b"`, "update": `"status":"RUNNING"`} {
		l.fails("runs/"+endpoint, `{"run_id":"`+damaged+`",`+fields+`}`, 409, "RESOURCE_CONFLICT")
	}
	l.succeeds("runs/log-metric", `{"run_id":"`+whole+`","key":"a","value":2,"timestamp":2}`, nil)
}

// Each endpoint asks for what MLflow's asks for (its server/handlers.py).
func TestRequiredFields(t *testing.T) {
	l := newLab(t, Options{})
	id := l.start(`{}`)
	run := `{"run_id":"` + id + `"`
	for _, test := range [][2]string{
		{"runs/log-metric", `{"key":"a","value":1,"timestamp":1}`},
		{"runs/log-metric", run + `,"value":1,"timestamp":1}`},
		{"runs/log-metric", run + `,"key":"a","timestamp":1}`},
		{"runs/log-metric", run + `,"key":"a","value":null,"timestamp":1}`},
		{"runs/log-metric", run + `,"key":"a","value":1}`},
		{"runs/log-metric", run + `,"key":"a","value":1,"timestamp":-1}`},
		{"runs/log-metric", run + `,"key":"a","value":1,"timestamp":9223372036854775807}`},
		{"runs/log-metric", run + `,"key":"a","value":1,"timestamp":9223372036854775808}`},
		{"runs/log-metric", run + `,"key":"a","value":1,"timestamp":1,"step":9223372036854775808}`},
		{"runs/log-metric", run + `,"key":"a","value":true,"timestamp":1}`},
		{"runs/log-batch", `{"metrics":[]}`},
		{"runs/log-batch", run + `,"metrics":[{"key":"good","value":1,"timestamp":1},{"key":"a","timestamp":1}]}`},
		{"runs/log-batch", run + `,"metrics":[{"key":"good","value":1,"timestamp":1},{"value":1,"timestamp":1}]}`},
		{"runs/log-batch", run + `,"metrics":[{"key":"good","value":1,"timestamp":1},{"key":"a","value":1}]}`},
		{"runs/log-batch", run + `,"params":[{"value":"v"}]}`},
		{"runs/log-batch", run + `,"params":[{"key":"good","value":"v"},{"key":"p","value":"v"},{"key":"p","value":"w"}]}`},
		{"runs/log-batch", run + `,"tags":[{"value":"v"}]}`},
		{"runs/log-parameter", run + `,"value":"v"}`},
		{"runs/set-tag", run + `,"value":"v"}`},
		{"runs/delete-tag", run + `}`},
		{"runs/delete", `{}`},
		{"runs/restore", `{}`},
		{"runs/update", `{"status":"FINISHED"}`},
		{"runs/update", run + `,"end_time":-1}`},
		{"runs/update", run + `,"end_time":9223372036854775807}`},
		{"runs/create", `{"start_time":9223372036854775807}`},
		{"runs/log-inputs", `{}`},
		{"runs/log-inputs", run + `,"datasets":[{"dataset":{"name":"n"}}]}`},
		{"runs/log-inputs", run + `,"datasets":[{"tags":[]}]}`},
		{"runs/outputs", run + `}`},
		{"runs/log-model", run + `}`},
		{"runs/log-model", run + `,"model_json":"{"}`},
		{"runs/log-model", run + `,"model_json":"{\"flavors\":{},\"run_id\":\"x\",\"utc_time_created\":\"x\"}"}`},
		{"runs/search", `{"experiment_ids":["0"],"max_results":0}`},
		{"experiments/create", `{}`},
		{"experiments/create", `{"name":" "}`},
		{"experiments/update", `{"new_name":"x"}`},
		{"experiments/delete", `{}`},
		{"experiments/restore", `{}`},
		{"experiments/set-experiment-tag", `{"experiment_id":"0","value":"v"}`},
		{"experiments/set-experiment-tag", `{"key":"k","value":"v"}`},
		{"experiments/delete-experiment-tag", `{"experiment_id":"0"}`},
		{"experiments/search", `{"max_results":-1}`},
		{"logged-models", `{"name":"net"}`},
		{"logged-models/search", `{}`},
	} {
		l.fails(test[0], test[1], 400, "INVALID_PARAMETER_VALUE")
	}
	for _, path := range []string{"runs/get", "experiments/get", "experiments/get-by-name", "metrics/get-history?run_id=" + id, "metrics/get-history?metric_key=a",
		"metrics/get-history?metric_key=a&max_results=0&run_id=" + id, "artifacts/list", "artifacts/list?path=x"} {
		status, text := l.raw("GET " + mlflowAPI + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if status != 400 || !strings.Contains(text, "INVALID_PARAMETER_VALUE") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	l.fails("runs/log-metric", "{\"run_id\":\""+id+"\",\"key\":\"\xff\",\"value\":1,\"timestamp\":1}", 400, "BAD_REQUEST")
	// Of a batch with a fault nothing is stored.
	if info := l.info(id); len(info.Metrics) != 0 || len(info.Params) != 0 || len(info.Tags) != 0 {
		t.Errorf("refused requests left %+v", info)
	}
}

// No answer names a file of the server.
func TestAnswersNameNoFiles(t *testing.T) {
	var logged bytes.Buffer
	l := newLab(t, Options{ErrorLog: log.New(&logged, "", 0)})
	id := l.start(`{}`)
	if status, text := l.put(id, "a.txt", "one"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	contents := filepath.Join(l.folder, "db", "lab.artifacts")
	must(t, os.Rename(contents, contents+".away"))
	must(t, os.WriteFile(contents, nil, 0o600)) // a file where the folder was
	for _, method := range []string{"GET", "PUT"} {
		status, text := l.raw(method + " /api/2.0/mlflow-artifacts/artifacts/0/" + id + "/artifacts/a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nsix")
		if status != 507 || strings.Contains(text, "lab") || strings.Contains(text, l.folder) {
			t.Errorf("%s: %d %s", method, status, text)
		}
	}
	if !strings.Contains(logged.String(), "lab.artifacts") {
		t.Errorf("the log says %q", logged.String())
	}
}
