package exchange

import (
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
	"patchlab/tracker/server"
)

// richRun is a run with all that MLflow can carry.
func richRun(t *testing.T) (*tracker.DB, tracker.RunInfo) {
	t.Helper()
	db := newDB(t)
	given := map[string]string{}
	for i := range 150 { // more than a batch holds
		given[fmt.Sprintf("p%03d", i)] = fmt.Sprint(i)
	}
	run, err := db.Start(t.Context(), tracker.Spec{Name: "rich run", Experiment: "an experiment", Params: given, Start: noon,
		Tags: map[string]string{"course": "vision"}, Environment: map[string]string{"gpu": "H200", "module.gomlx": "v0.28.2"}, Inputs: []tracker.Input{{Name: "cifar10", Digest: "abc", Context: "train"}}})
	must(t, err)
	for i := range int64(2500) {
		must(t, run.LogAt(noon.Add(time.Duration(i)*time.Millisecond), i-100, map[string]float64{"loss/a b": 1 / float64(i+1)}))
	}
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 5e-324} {
		must(t, run.LogAt(noon, int64(i), map[string]float64{"odd": v}))
	}
	must(t, run.SetNote("# Note"))
	params := map[string]string{} // more than a batch holds
	for i := range 120 {
		params[fmt.Sprintf("layer %03d", i)] = "dense"
	}
	model := mlflow.NewModelID(run.ID(), "abcdefgh")
	record, err := mlflow.Model{Name: "net", Type: "cnn", Status: mlflow.ModelReady, Tags: map[string]string{"kind": "best"}, Params: params}.Encode()
	must(t, err)
	must(t, run.SetTags(map[string]string{mlflow.ModelTag + model: record}))
	must(t, run.AddArtifact(mlflow.ModelFolder(model)+"/MLmodel", strings.NewReader("flavors: {}")))
	must(t, run.AddArtifact(mlflow.ModelFolder(model)+"/data/weights", strings.NewReader("weights")))
	must(t, run.AddArtifact("plots/a b.txt", strings.NewReader("content")))
	must(t, run.AddArtifact("top.txt", strings.NewReader("")))
	must(t, run.FinishAt(noon.Add(time.Hour), tracker.Killed))
	info, err := db.Find(t.Context(), run.ID())
	must(t, err)
	return db, info
}

// sameRun compares a run with its copy that went through MLflow.
func sameRun(t *testing.T, into *tracker.DB, got tracker.RunInfo, from *tracker.DB, want tracker.RunInfo) {
	t.Helper()
	if got.Name != want.Name || got.Experiment != want.Experiment || got.Status != want.Status || got.Note != want.Note ||
		!got.Start.Equal(want.Start) || !got.End.Equal(want.End) || len(got.Params) != len(want.Params) || got.Params["p149"] != "149" ||
		got.Tags["course"] != "vision" || got.Tags[idTag] != want.ID || fmt.Sprint(got.Environment) != fmt.Sprint(want.Environment) || len(got.Inputs) != 1 || got.Inputs[0] != want.Inputs[0] {
		t.Errorf("the copy is %+v\nof %+v", got, want)
	}
	for key := range want.Metrics {
		a, err := into.History(t.Context(), got.ID, key)
		must(t, err)
		b, err := from.History(t.Context(), want.ID, key)
		must(t, err)
		samePoints(t, a, b)
	}
	if a, b := contents(t, into, got.ID), contents(t, from, want.ID); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the artifacts are %v, not %v", a, b)
	}
	a, b := models(got), models(want)
	if len(a) != 1 || len(b) != 1 || a[0].Name != "net" || a[0].Type != "cnn" || a[0].Status != mlflow.ModelReady ||
		fmt.Sprint(a[0].Params) != fmt.Sprint(b[0].Params) || a[0].Tags["kind"] != "best" {
		t.Errorf("the models are %+v, not %+v", a, b)
	}
	must(t, into.Verify(t.Context(), got.ID))
}

// contents are a run's artifacts; a model is named by its own name, for its ID
// tells where it is.
func contents(t *testing.T, db *tracker.DB, id string) map[string]string {
	t.Helper()
	artifacts, err := db.Artifacts(t.Context(), id)
	must(t, err)
	found := map[string]string{}
	for _, a := range artifacts {
		if _, name, ok := mlflow.ModelOf(a.Name); ok {
			a.Name = "of the model: " + name
		}
		found[a.Name] = a.SHA256
	}
	return found
}

func models(run tracker.RunInfo) []mlflow.Model {
	return slices.Collect(maps.Values(mlflow.Models(run.ID, run.Tags)))
}

func TestThroughOurServerAndBack(t *testing.T) {
	from, info := richRun(t)
	middle := newDB(t)
	web := httptest.NewServer(server.New(middle, server.Options{Token: "t"}))
	defer web.Close()
	for i, want := range [][2]int{{1, 0}, {0, 1}} {
		sent, skipped, err := ExportMLflow(t.Context(), from, []tracker.RunInfo{info}, web.URL, "t")
		must(t, err)
		if [2]int{sent, skipped} != want {
			t.Errorf("export %d sent %d and skipped %d", i+1, sent, skipped)
		}
	}
	into := newDB(t)
	for i, want := range []tracker.Merged{{Added: 1}, {Unchanged: 1}} {
		got, err := ImportMLflowServer(t.Context(), into, web.URL, "t")
		must(t, err)
		if got != want {
			t.Errorf("import %d did %+v", i+1, got)
		}
	}
	runs, err := into.Runs(t.Context(), tracker.Query{})
	must(t, err)
	there, err := middle.Runs(t.Context(), tracker.Query{})
	must(t, err)
	if len(runs) != 1 || runs[0].ID != there[0].ID {
		t.Fatalf("the runs are %+v", runs)
	}
	sameRun(t, into, runs[0], from, info)
	if _, _, err := ExportMLflow(t.Context(), from, []tracker.RunInfo{info}, web.URL, "wrong"); err == nil || !strings.Contains(err.Error(), "UNAUTHENTICATED") {
		t.Errorf("with a wrong token: %v", err)
	}
	if _, err := ImportMLflowServer(t.Context(), into, "ftp://x", ""); err == nil || !strings.Contains(err.Error(), "http://HOST:PORT") {
		t.Errorf("a wrong address: %v", err)
	}
}

// mlflowServe starts a real MLflow server, pinned, on SQLite.
func mlflowServe(t *testing.T) (base, database string) {
	t.Helper()
	if testing.Short() {
		t.Skip("MLflow's server takes half a minute")
	}
	root, err := filepath.Abs("../..")
	must(t, err)
	interpreter := filepath.Join(root, ".venv/mlflow/bin/python")
	if _, err := os.Stat(interpreter); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no Python environment mlflow, and CI must have it: make deps installs it")
		}
		t.Skip("there is no Python environment mlflow: make deps installs it")
	}
	folder := t.TempDir()
	address := ""
	for address == "" { // a port that no connection is given by chance before the server listens, seconds later
		candidate := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if listener, err := net.Listen("tcp", candidate); err == nil {
			address = candidate
			must(t, listener.Close())
		}
	}
	_, port, _ := net.SplitHostPort(address)
	database = filepath.Join(folder, "mlflow.db")
	cmd := exec.Command(interpreter, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///"+database,
		"--artifacts-destination", filepath.Join(folder, "artifacts"), "--host", "127.0.0.1", "--port", port, "--workers", "1")
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true")
	stop, err := cmd.StdinPipe()
	must(t, err)
	startInGroup(cmd)
	must(t, cmd.Start())
	t.Cleanup(func() { stop.Close(); killGroup(cmd); cmd.Wait() })
	base = "http://" + address
	for deadline := time.Now().Add(6 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		answer, err := http.Get(base + "/health")
		if err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == 200 {
				return base, database
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("MLflow's server does not start")
		}
	}
}

func TestThroughRealMLflowAndBack(t *testing.T) {
	from, info := richRun(t)
	base, database := mlflowServe(t)
	for i, want := range [][2]int{{1, 0}, {0, 1}} {
		sent, skipped, err := ExportMLflow(t.Context(), from, []tracker.RunInfo{info}, base, "")
		must(t, err)
		if [2]int{sent, skipped} != want {
			t.Errorf("export %d sent %d and skipped %d", i+1, sent, skipped)
		}
	}
	byServer, byFile := newDB(t), newDB(t)
	for i, want := range []tracker.Merged{{Added: 1}, {Unchanged: 1}} {
		for _, one := range []func() (tracker.Merged, error){
			func() (tracker.Merged, error) { return ImportMLflowServer(t.Context(), byServer, base, "") },
			func() (tracker.Merged, error) { return ImportMLflowDB(t.Context(), byFile, database) },
		} {
			got, err := one()
			must(t, err)
			if got != want {
				t.Errorf("import %d did %+v", i+1, got)
			}
		}
	}
	var ids []string
	for name, db := range map[string]*tracker.DB{"server": byServer, "file": byFile} {
		runs, err := db.Runs(t.Context(), tracker.Query{})
		must(t, err)
		if len(runs) != 1 {
			t.Fatalf("%s: %d runs", name, len(runs))
		}
		ids = append(ids, runs[0].ID)
		if got := models(runs[0]); len(got) != 1 || got[0].Name != "net" || len(got[0].Params) != 120 || got[0].Tags["kind"] != "best" {
			t.Errorf("%s: the models are %+v", name, got)
		}
		if name == "server" { // the file's artifacts are where only the server finds them
			sameRun(t, db, runs[0], from, info)
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("one run has two identities: %v", ids)
	}
	merged, err := byFile.Merge(t.Context(), byServer)
	must(t, err)
	if merged.Added != 0 || merged.Refused != nil {
		t.Errorf("merging the two imports did %+v", merged)
	}
}
