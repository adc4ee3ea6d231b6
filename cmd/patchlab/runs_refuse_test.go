package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

func TestRunsRestoreByNameAndPrefix(t *testing.T) {
	path, ids := recordRuns(t)
	for _, ref := range []string{"vit-1", ids[1][:25], ids[1]} {
		if out, err := runRuns(t, path, "delete", ids[1]); err != nil {
			t.Fatal(out, err)
		}
		if out, err := runRuns(t, path, "show", ref); err != nil || !strings.Contains(out, "DELETED") {
			t.Errorf("showing the deleted run %s: %q, %v", ref, out, err)
		}
		if out, err := runRuns(t, path, "show", "--format", "json", ref); err != nil || !strings.Contains(out, `"deleted": true`) {
			t.Errorf("showing the deleted run %s as JSON: %.200q, %v", ref, out, err)
		}
		if out, err := runRuns(t, path, "restore", ref); err != nil || out != "restored "+ids[1]+" (vit-1)\n" {
			t.Errorf("restoring %s: %q, %v", ref, out, err)
		}
	}
	if _, err := runRuns(t, path, "restore", "vit-1"); err == nil || !strings.Contains(err.Error(), "is not deleted") {
		t.Errorf("restoring a run that is not deleted: %v", err)
	}
	if out, err := runRuns(t, path, "show", "vit-1"); err != nil || strings.Contains(out, "DELETED") {
		t.Errorf("the restored run shows as %q, %v", out, err)
	}
}

func TestRunsNoteKeepsANoteFromEmptyInput(t *testing.T) {
	path, ids := recordRuns(t)
	note := func(input string, args ...string) error {
		cmd := newRunsCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetIn(strings.NewReader(input))
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetArgs(append([]string{"note", "--db", path, ids[0]}, args...))
		return cmd.ExecuteContext(t.Context())
	}
	shows := func() bool {
		out, err := runRuns(t, path, "show", ids[0])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(out, "from a report")
	}
	if err := note("from a report\n"); err != nil || !shows() {
		t.Errorf("a note from standard input: %v", err)
	}
	for _, empty := range []string{"", " \n"} {
		if err := note(empty); err == nil || !strings.Contains(err.Error(), "standard input is empty") || !shows() {
			t.Errorf("a note from %q: %v", empty, err)
		}
	}
	if err := note("unread", ""); err != nil || shows() {
		t.Errorf("clearing a note: %v", err)
	}
}

func TestRunsExportReplacesNothingByNothing(t *testing.T) {
	path, _ := recordRuns(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "points.csv")
	if err := os.WriteFile(file, []byte("precious"), 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := runRuns(t, path, "export", "--filter", "params.model = 'none'", "-o", file)
	if err == nil || !strings.Contains(err.Error(), "no run fits the filter") {
		t.Errorf("an export of nothing: %v", err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("after it the file holds %q, %v", content, err)
	}
	link := filepath.Join(folder, "link.csv")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if out, err := runRuns(t, path, "export", "-o", link); err != nil {
		t.Fatal(out, err)
	}
	content, err := os.ReadFile(file)
	if err != nil || bytes.Count(content, []byte("\n")) != 1+3*4*10 {
		t.Errorf("the export holds %.100q, %v", content, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the export's mode is %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if _, err := runRuns(t, path, "export", "-o", folder); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("an export over a folder: %v", err)
	}
	missing := filepath.Join(folder, "missing")
	if _, err := runRuns(t, path, "export", "-o", filepath.Join(missing, "runs.csv")); err == nil || !strings.Contains(err.Error(), "is missing: make "+missing+" first") {
		t.Errorf("an export into a folder that is missing: %v", err)
	}
}

func TestRunsRefusesWhatItDoesNotKnow(t *testing.T) {
	path, ids := recordRuns(t)
	if out, err := runRuns(t, path, "delete", ids[1]); err != nil {
		t.Fatal(out, err)
	}
	for want, args := range map[string][]string{
		`there is no command "frob"`:          {"frob"},
		"gc, import, list":                    {"frob"},
		`no run has the column "foo"`:         {"list", "--columns", "foo"},
		"metrics.val_accuracy":                {"list", "--columns", "foo"},
		`the column "metrics.model"`:          {"list", "--columns", "params.model,metrics.model"},
		"--limit -1 is negative":              {"list", "--limit", "-1"},
		"--older-than -1h0m0s is negative":    {"gc", "--older-than", "-1h"},
		`unknown format "xml": table, json a`: {"list", "--format", "xml"},
	} {
		if out, err := runRuns(t, path, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v printed %q and failed by %v, not %q", args, out, err, want)
		}
	}
	if out, err := runRuns(t, path, "list", "--deleted"); err != nil || !strings.Contains(out, ids[1][:10]) {
		t.Errorf("after that the list is %q, %v", out, err)
	}
	for column, want := range map[string]string{"params.model": "MODEL", "model": "MODEL", "metrics.step_ms": "1.25", "step_ms": "1.25"} {
		out, err := runRuns(t, path, "list", "--columns", column)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("the column %s lists as %q, %v", column, out, err)
		}
	}
	if out, err := runRuns(t, path); err != nil || !strings.Contains(out, "Available Commands") {
		t.Errorf("runs without a command: %q, %v", out, err)
	}
}

func TestRunsJSONIsIndented(t *testing.T) {
	path, _ := recordRuns(t)
	for _, args := range [][]string{{"list"}, {"show", "vit-1"}} {
		out, err := runRuns(t, path, append(args, "--format", "json")...)
		if err != nil || !json.Valid([]byte(out)) || !strings.HasPrefix(out, "[\n  {\n    \"id\": ") {
			t.Errorf("%v: %.100q, %v", args, out, err)
		}
	}
}

func TestRunsFindsAllRunsBeforeItChangesOne(t *testing.T) {
	path, ids := recordRuns(t)
	for _, command := range []string{"delete", "archive"} {
		if out, err := runRuns(t, path, command, ids[0], "nowhere"); err == nil || out != "" {
			t.Errorf("%s of a run and of one that is not there: %q, %v", command, out, err)
		}
	}
	// "latest" is one run, also where the first of the two is deleted.
	if out, err := runRuns(t, path, "delete", "latest", "latest"); err != nil || strings.Count(out, "deleted") != 1 {
		t.Errorf("deleting the latest run, said twice: %q, %v", out, err)
	}
}

func TestRunsImportMakesNoDatabaseOfNothing(t *testing.T) {
	path, _ := recordRuns(t)
	table := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(table, []byte("step,loss\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"no such file":             {"nowhere.csv"},
		`--from "wandb": mlflow`:   {"--from", "wandb", table},
		"patchlab runs merge":      {path},
		"nowhere.json: no such fi": {table, "nowhere.json"},
	} {
		fresh := filepath.Join(t.TempDir(), "fresh.db")
		if out, err := runRuns(t, fresh, append([]string{"import"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("import %q: %q, %v, not %q", args, out, err, want)
		}
		if _, err := os.Stat(fresh); !os.IsNotExist(err) {
			t.Errorf("import %q left a database: %v", args, err)
		}
	}
}

func TestRunsExportGoesByTheEnding(t *testing.T) {
	path, _ := recordRuns(t)
	for name, begins := range map[string]string{"points.parquet": "PAR1", "runs.json": "[", "points.csv": "run,", "points": "run,"} {
		file := filepath.Join(t.TempDir(), name)
		if out, err := runRuns(t, path, "export", "-o", file); err != nil {
			t.Fatal(out, err)
		}
		if content, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(content), begins) {
			t.Errorf("%s begins with %.8q, %v", name, content, err)
		}
	}
	if _, err := runRuns(t, path, "export", "--filter", "params.model = 'x'", "latest"); err == nil || !strings.Contains(err.Error(), "not both") {
		t.Errorf("a run and a filter: %v", err)
	}
}

func TestRunsVerifyMissesTheArtifacts(t *testing.T) {
	path, ids := recordRuns(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "alone.db")
	if err := os.WriteFile(alone, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := runRuns(t, alone, "verify", ids[0]); err == nil || !strings.Contains(err.Error(), "alone.artifacts is missing: artifacts are there, copy it together with alone.db") {
		t.Errorf("a database without its artifacts: %q, %v", out, err)
	}
}

func TestRunsGCKeepsARunThatGoesOn(t *testing.T) {
	path, _ := recordRuns(t)
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run, err := db.Start(t.Context(), tracker.Spec{Name: "going on"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runRuns(t, path, "delete", "vit-1", run.ID()); err == nil || out != "" || !strings.Contains(err.Error(), "is still being written") {
		t.Errorf("deleting a run that a process writes: %q, %v", out, err)
	}
	if err := db.Delete(t.Context(), run.ID()); err != nil { // as MLflow's clients may
		t.Fatal(err)
	}
	if out, err := runRuns(t, path, "gc"); err == nil || !strings.Contains(err.Error(), "restore "+run.ID()) {
		t.Errorf("removing a run that a process writes: %q, %v", out, err)
	}
	if err := errors.Join(run.Log(1, map[string]float64{"loss": 1}), run.Finish(tracker.Finished)); err != nil {
		t.Error(err)
	}
	if out, err := runRuns(t, path, "gc"); err != nil || !strings.HasPrefix(out, "removed 1 runs") {
		t.Errorf("removing it once it is finished: %q, %v", out, err)
	}
}
