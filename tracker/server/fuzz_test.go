package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

// fuzzed are the endpoints that take JSON.
var fuzzed = []string{"runs/log-batch", "runs/create", "runs/search", "runs/update", "runs/log-metric", "runs/log-inputs", "runs/set-tag",
	"experiments/create", "experiments/search", "runs/outputs", "logged-models", "logged-models/search", "runs/log-parameter"}

// FuzzJSON sends bodies to every endpoint: each answer must be JSON, an error
// one of MLflow's form, and none an internal one.
func FuzzJSON(f *testing.F) {
	db, err := tracker.Open(filepath.Join(f.TempDir(), "lab.db"))
	must(f, err)
	f.Cleanup(func() { db.Close() })
	h := New(db, Options{})
	run, err := db.Start(f.Context(), tracker.Spec{})
	must(f, err)
	h.began(run)
	for i, body := range []string{
		`{"run_id":"RUN","metrics":[{"key":"a","value":"NaN","timestamp":"1","step":-5}],"params":[{"key":"p","value":"v"}],"tags":[]}`,
		`{"experiment_id":"0","run_name":"x","start_time":0,"tags":[{"key":"mlflow.note.content","value":"<b>"}]}`,
		`{"experiment_ids":["0"],"filter":"metrics.a > 1 and tags.` + "`x y`" + ` like '%'","order_by":["metrics.a DESC"],"max_results":5}`,
		`{"run_id":"RUN","status":"RUNNING","end_time":1e3}`,
		`{"run_uuid":"RUN","key":"k","value":1e-320,"step":9223372036854775807}`,
		`{"run_id":"RUN","datasets":[{"dataset":{"name":"n","digest":"d"},"tags":[{"key":"mlflow.data.context","value":"train"}]}]}`,
		`{"name":"e\u0000","view_type":"ALL","page_token":"ZnJvbSAw"}`,
		`{"experiment_id":"0","name":"m","source_run_id":"RUN","params":[{}]}`,
		`[{"key":null}]`,
	} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, endpoint uint8, body string) {
		path := "/api/2.0/mlflow/" + fuzzed[int(endpoint)%len(fuzzed)]
		request := httptest.NewRequest("POST", path, strings.NewReader(strings.ReplaceAll(body, "RUN", run.ID())))
		request.Host = "localhost"
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, request)
		var e apiError
		if err := json.Unmarshal(answer.Body.Bytes(), &e); err != nil {
			t.Fatalf("%s %q: the answer %q is not JSON", path, body, answer.Body)
		}
		switch {
		case answer.Code == http.StatusOK:
		case answer.Code >= 500:
			t.Fatalf("%s %q: %d %s", path, body, answer.Code, answer.Body)
		case e.Code == "" || e.Message == "":
			t.Fatalf("%s %q: the error %q has no code or message", path, body, answer.Body)
		}
	})
}
