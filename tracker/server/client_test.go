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
)

// python makes the pinned environment where it is missing, and returns its
// interpreter. Without a network and without the environment it skips.
func python(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the mlflow client takes half a minute")
	}
	root, err := filepath.Abs("../..")
	must(t, err)
	requirements, err := filepath.Abs("testdata/requirements.txt")
	must(t, err)
	if out, err := exec.Command(filepath.Join(root, "scripts/python-env.sh"), "mlflow", requirements).CombinedOutput(); err != nil {
		t.Skipf("the Python environment with mlflow cannot be made: %v\n%s", err, out)
	}
	return filepath.Join(root, ".venv/mlflow/bin/python")
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
	interpreter := python(t)
	db := newDB(t)
	const token = "a token of the test"
	web := httptest.NewServer(New(db, Options{Token: token}))
	defer web.Close()

	cmd := exec.Command(interpreter, "testdata/client.py", web.URL)
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
	all, err := db.Runs(t.Context(), tracker.Query{})
	must(t, err)
	var problems error
	for _, r := range all {
		problems = errors.Join(problems, db.Verify(t.Context(), r.ID))
	}
	must(t, problems)
}
