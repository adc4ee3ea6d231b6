package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"patchlab/lab"
	"patchlab/tracker"
)

// recordRuns makes a database with three finished runs.
func recordRuns(t *testing.T) (path string, ids []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lab.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range []string{"mixer-4 with a name that is far too long for a table", "vit-1", "esc\x1b[31mape"} {
		run, err := db.Start(t.Context(), tracker.Spec{Name: name, Params: map[string]string{"model": name[:5]}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(10) {
			values := map[string]float64{"val_accuracy": float64(i) / 10, "val_loss": math.NaN(), "step_ms": 1.25, "very/long metric name": 1}
			if err := run.Log(i, values); err != nil {
				t.Fatal(err)
			}
		}
		if err := run.AddArtifact("recipe.json", strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
		if err := run.Finish(tracker.Finished); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID())
	}
	return path, ids
}

// runRuns executes `patchlab runs args…`.
func runRuns(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	cmd := newRunsCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append(args, "--db", path))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestRunsListFitsTheTerminal(t *testing.T) {
	path, ids := recordRuns(t)
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs, err := db.Runs(t.Context(), tracker.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := listTable(&out, runs, nil, 80); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4 || !strings.Contains(lines[0], "VAL_ACCURACY") || !strings.HasPrefix(ids[2], strings.Fields(lines[1])[0]) {
		t.Errorf("the list is\n%s", &out)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("a line is %d wide: %s", n, line)
		}
		if strings.Contains(line, "\x1b") {
			t.Errorf("a line has a control character: %q", line)
		}
	}
}

// What is no terminal gets every column and every text in full.
func TestRunsListIsWholeInAPipe(t *testing.T) {
	path, ids := recordRuns(t)
	long := strings.Repeat("long", 30)
	if out, err := runRuns(t, path, "tag", ids[0], "owner="+long); err != nil {
		t.Fatal(out, err)
	}
	out, err := runRuns(t, path, "list", "--columns", "tags.owner,metrics.very/long metric name,val_loss,step_ms,val_accuracy,params.model")
	if err != nil {
		t.Fatal(out, err)
	}
	for _, want := range []string{ids[0], ids[1], ids[2], long, "VERY/LONG METRIC NAME", "STEP_MS", "MODEL"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %s:\n%s", want, out)
		}
	}
	if out, err = runRuns(t, path, "show", ids[0]); err != nil || !strings.Contains(out, long) {
		t.Errorf("the run lacks its tag: %v\n%s", err, out)
	}
}

func TestRunsShowDeleteRestoreExport(t *testing.T) {
	path, ids := recordRuns(t)
	out, err := runRuns(t, path, "show", "vit-1")
	if err != nil || !strings.Contains(out, ids[1]) || !strings.Contains(out, "recipe.json") || !strings.Contains(out, "val_accuracy") {
		t.Errorf("show: %v\n%s", err, out)
	}
	if out, err = runRuns(t, path, "delete", "vit-1"); err != nil {
		t.Fatal(out, err)
	}
	if out, _ = runRuns(t, path, "list"); strings.Contains(out, "vit-1") {
		t.Errorf("a deleted run is listed\n%s", out)
	}
	if out, err = runRuns(t, path, "restore", ids[1]); err != nil {
		t.Fatal(out, err)
	}
	out, err = runRuns(t, path, "export", "--format", "csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 1+3*4*10 {
		t.Errorf("%d rows of CSV, %v", len(rows), err)
	}
	out, err = runRuns(t, path, "export", "--format", "json", ids[0])
	if err != nil {
		t.Fatal(err)
	}
	var runs []struct {
		ID      string
		Metrics map[string][]struct {
			Step  int64
			Value any
		}
	}
	if err := json.Unmarshal([]byte(out), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].ID != ids[0] || len(runs[0].Metrics["val_loss"]) != 10 || runs[0].Metrics["val_loss"][3].Value != "NaN" ||
		runs[0].Metrics["val_accuracy"][3].Value != .3 {
		t.Errorf("JSON: %.300s", out)
	}
	if _, err := runRuns(t, filepath.Join(t.TempDir(), "none.db"), "list"); err == nil || !strings.Contains(err.Error(), "there is no database") {
		t.Errorf("a missing database: %v", err)
	}
}

func TestRunsEditMergeVerifyGC(t *testing.T) {
	path, ids := recordRuns(t)
	other, otherIDs := recordRuns(t)
	expect := func(want string, args ...string) {
		t.Helper()
		out, err := runRuns(t, path, args...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v printed %q (%v), not %q", args, out, err, want)
		}
	}
	expect("", "tag", ids[0], "course=vision", "grade=A=B")
	expect("", "note", ids[0], "a", "*fine*", "run")
	expect("a *fine* run", "show", ids[0])
	expect("vit-1", "list", "--filter", "params.model = 'vit-1' and metrics.val_accuracy > 0.8")
	expect("no runs", "list", "--filter", "tags.grade = 'B'")
	expect("mixer-4", "list", "--filter", "tags.grade = 'A=B'")
	expect("3 runs added, 0 updated, 0 unchanged", "merge", other)
	expect("0 runs added, 0 updated, 3 unchanged", "merge", other)
	expect("6 of 6 runs are whole", "verify")
	expect("archived "+otherIDs[0], "archive", otherIDs[0])
	expect("deleted "+otherIDs[1], "delete", otherIDs[1])
	if out, err := runRuns(t, path, "list"); err != nil || strings.Count(out, "\n") != 5 {
		t.Errorf("the list is\n%s (%v)", out, err)
	}
	for _, id := range otherIDs[:2] {
		if err := os.MkdirAll(lab.CheckpointDir(path, id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	expect("removed 1 runs and 0 artifact files", "gc")
	if _, err := os.Stat(lab.CheckpointDir(path, otherIDs[1])); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the checkpoints of a collected run: %v", err)
	}
	if _, err := os.Stat(lab.CheckpointDir(path, otherIDs[0])); err != nil {
		t.Errorf("the checkpoints of a run that stays: %v", err)
	}
	_, err := runRuns(t, path, "list", "--filter", "metrics.val accuracy > 1")
	if err == nil || !strings.Contains(err.Error(), "at character 13") {
		t.Errorf("a wrong filter: %v", err)
	}
}

func TestRunsImport(t *testing.T) {
	path, _ := recordRuns(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for file, args := range map[string][]string{
		write("history.json", `{"loss": [1, 0.5], "val_loss": [NaN, 2]}`): nil,
		write("table.csv", "step,loss\n1,2\n"):                            nil,
		write("training.csv", "epoch,loss\n0,2\n"):                        {"--from", "keras"},
	} {
		for _, want := range []string{"1 runs added, 0 updated, 0 unchanged", "0 runs added, 0 updated, 1 unchanged"} {
			out, err := runRuns(t, path, append([]string{"import", file}, args...)...)
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("importing %s: %q, %v", file, out, err)
			}
		}
	}
	out, err := runRuns(t, path, "export", "--format", "csv", "training")
	if err != nil || !strings.Contains(out, ",loss,1,") {
		t.Errorf("the imported run exports as %q, %v", out, err)
	}
	if _, err := runRuns(t, path, "import", write("what.txt", "")); err == nil || !strings.Contains(err.Error(), "--from") {
		t.Errorf("an unclear file: %v", err)
	}
	parquet := filepath.Join(folder, "points.parquet")
	if _, err := runRuns(t, path, "export", "--format", "parquet", "--output", parquet); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(parquet); err != nil || !strings.HasPrefix(string(content), "PAR1") {
		t.Errorf("the Parquet file begins with %.4q, %v", content, err)
	}
}
