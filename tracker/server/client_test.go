package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// python returns the interpreter of a pinned environment. Where that is missing
// the test is skipped, and fails where it has to be there.
func python(t testing.TB, environment string, needed bool, install string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../.venv", environment, "bin/python"))
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		if needed {
			t.Fatalf("there is no Python environment %s, which must be here: %s installs it", environment, install)
		}
		t.Skipf("there is no Python environment %s: %s installs it", environment, install)
	}
	return path
}

// runClient runs a Python script as a client of a server, and returns the JSON
// object that it prints last.
func runClient(t *testing.T, interpreter, script string, db *tracker.DB) map[string]any {
	t.Helper()
	const token = "a token of the test"
	web := httptest.NewServer(New(db, Options{Token: token}))
	defer web.Close()
	cmd := exec.Command(interpreter, script, web.URL)
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_TOKEN="+token, "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet", "MLFLOW_DISABLE_TELEMETRY=true")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the client failed: %v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	var out map[string]any
	must(t, json.Unmarshal([]byte(lines[len(lines)-1]), &out))
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDB(t testing.TB) *tracker.DB {
	t.Helper()
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// TestRealClient lets the unmodified mlflow client do its work against the
// server, then looks at what the tracker has.
func TestRealClient(t *testing.T) {
	if testing.Short() {
		t.Skip("the mlflow client takes half a minute")
	}
	db := newDB(t)
	out := runClient(t, python(t, "mlflow", os.Getenv("CI") != "", "make deps"), "testdata/client.py", db)

	run, err := db.Find(t.Context(), out["run"].(string))
	must(t, err)
	if run.Experiment != "vision / künstlich" || run.Name != "renamed" || run.Note != "# A *note*" || run.Params["model"] != "mixer-4" ||
		run.Status != tracker.Finished || !math.IsInf(run.Metrics["-inf"].Value, -1) {
		t.Errorf("the fluent run is %+v", run)
	}
	child, err := db.Find(t.Context(), out["child"].(string))
	must(t, err)
	if child.Parent != run.ID {
		t.Errorf("the child's parent is %q", child.Parent)
	}
	artifacts, err := db.Artifacts(t.Context(), run.ID)
	must(t, err)
	if len(artifacts) != 2 || artifacts[1].Name != "files/sub dir/a b ü.txt" {
		t.Errorf("the artifacts are %+v", artifacts)
	}
	batch, err := db.History(t.Context(), out["batch"].(string), "loss")
	must(t, err)
	if len(batch) != 1000 || batch[0].Step != -1000 || batch[999].Time.UnixMilli() != 1999 {
		t.Errorf("the batch has %d points", len(batch))
	}
	if !strings.Contains(out["syntax"].(string), "at character 16") {
		t.Errorf("the client was told %q", out["syntax"])
	}
	sklearn, err := db.Find(t.Context(), out["sklearn"].(string))
	must(t, err)
	if len(sklearn.Inputs) == 0 || sklearn.Metrics["training_r2_score"].Value < .99 {
		t.Errorf("the autologged run is %+v", sklearn)
	}
	if said := out["replaced"].(string); !strings.Contains(said, "has ended with another artifact") {
		t.Errorf("the client was told %q", said)
	}
	verifyAll(t, db)
}

// TestPyTorch lets Lightning train under the client's autologging. Its
// environment takes gigabytes, for torch comes with CUDA: only make
// test-pytorch installs it.
func TestPyTorch(t *testing.T) {
	if os.Getenv("PATCHLAB_PYTORCH") == "" {
		t.Skip("make test-pytorch installs PyTorch and runs this test")
	}
	db := newDB(t)
	out := runClient(t, python(t, "pytorch", true, "make test-pytorch"), "testdata/pytorch.py", db)
	run, err := db.Find(t.Context(), out["run"].(string))
	must(t, err)
	models := mlflow.Models(run.ID, run.Tags)
	if run.Metrics["val_loss"].Value <= 0 || run.Params["optimizer_name"] != "SGD" || len(models) != len(out["models"].([]any)) {
		t.Errorf("the autologged run is %+v", run)
	}
	plain, err := db.Find(t.Context(), out["plain"].(string))
	must(t, err)
	artifacts, err := db.Artifacts(t.Context(), plain.ID)
	must(t, err)
	if m := mlflow.Models(plain.ID, plain.Tags)[out["model"].(string)]; m.Name != "net" || m.Status != mlflow.ModelReady || len(artifacts) < 3 {
		t.Errorf("the logged model is %+v with %+v", m, artifacts)
	}
	verifyAll(t, db)
}

// verifyAll checks the digests of all runs.
func verifyAll(t *testing.T, db *tracker.DB) {
	t.Helper()
	all, err := db.Runs(t.Context(), tracker.Query{})
	must(t, err)
	var problems error
	for _, r := range all {
		problems = errors.Join(problems, db.Verify(t.Context(), r.ID))
	}
	must(t, problems)
}
