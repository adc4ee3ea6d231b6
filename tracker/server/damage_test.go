package server

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

// A damaged run is found with the others, and says what of it cannot be read.
func TestSearchNamesADamagedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := tracker.Open(path)
	must(t, err)
	for _, name := range []string{"good", "bad"} {
		run, err := db.Start(t.Context(), tracker.Spec{Name: name, Inputs: []tracker.Input{{Name: name + " images"}}})
		must(t, err)
		must(t, run.Finish(tracker.Finished))
	}
	must(t, db.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(content, []byte(`[{"name":"bad images"`), []byte(`[("name":"bad images"`), 1), 0o600))
	db, err = tracker.Open(path)
	must(t, err)
	defer db.Close()
	all, err := db.Experiments(t.Context())
	must(t, err)

	request := httptest.NewRequest("POST", "/api/2.0/mlflow/runs/search", strings.NewReader(`{"experiment_ids":["`+experimentID(all[0])+`"]}`))
	request.Host = "localhost"
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	New(db, Options{}).ServeHTTP(answer, request)
	var found struct{ Runs []wireRun }
	must(t, json.Unmarshal(answer.Body.Bytes(), &found))
	said := map[string]string{}
	for _, run := range found.Runs {
		for _, tag := range run.Data.Tags {
			if tag.Key == damageTag {
				said[run.Info.Name] += run.Info.Status + " " + tag.Value // once
			}
		}
	}
	if len(found.Runs) != 2 || len(said) != 1 || said["bad"] != "FAILED its inputs are not a list of datasets in JSON" {
		t.Errorf("the search found %s", answer.Body)
	}
}
