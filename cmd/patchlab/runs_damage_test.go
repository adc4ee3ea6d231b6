package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/tracker"
)

// harm damages the parameters of a run in a file behind the tracker's back.
func harm(t *testing.T, path, id string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after := `{"model":"vit-1"}`, `{"model":"vit-1",`
	if strings.Count(string(content), before) != 1 {
		t.Fatalf("run %s cannot be damaged: its parameters are there %d times", id, strings.Count(string(content), before))
	}
	content = []byte(strings.Replace(string(content), before, after, 1))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// One damaged run is named by every command, and hides no other.
func TestRunsCommandsNameADamagedRun(t *testing.T) {
	path, ids := recordRuns(t)
	harm(t, path, ids[1])
	out, err := runRuns(t, path, "list")
	if err != nil || strings.Count(out, "\n") != 5 || !strings.Contains(out, "damaged") || !strings.Contains(out, ids[1]+" is damaged: its parameters") {
		t.Errorf("listing gave %v\n%s", err, out)
	}
	out, err = runRuns(t, path, "list", "--format", "json")
	if err != nil || strings.Count(out, `"damage": "its parameters`) != 1 || strings.Count(out, `"id"`) != 3 {
		t.Errorf("listing as JSON gave %v\n%s", err, out)
	}
	out, err = runRuns(t, path, "show", ids[1])
	if err != nil || !strings.Contains(out, "its parameters") || !strings.Contains(out, "val_accuracy") {
		t.Errorf("showing it gave %v\n%s", err, out)
	}
	out, err = runRuns(t, path, "export", "--format", "json")
	if err == nil || !strings.Contains(err.Error(), ids[1]+" is damaged and was left out") || strings.Count(out, "\n") != 2 {
		t.Errorf("exporting gave %v\n%.300s", err, out)
	}
	if out, err = runRuns(t, path, "verify"); err == nil || !strings.Contains(out, "2 of 3 runs are whole") {
		t.Errorf("verifying gave %v\n%s", err, out)
	}

	into := filepath.Join(t.TempDir(), "into.db")
	cmd := newRunsCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var said strings.Builder
	cmd.SetOut(&said)
	cmd.SetArgs([]string{"merge", "--db", into, path, filepath.Join(t.TempDir(), "absent.db"), path})
	err = cmd.ExecuteContext(t.Context())
	if err == nil || strings.Count(err.Error(), ids[1]) != 2 || !strings.Contains(err.Error(), "absent.db") ||
		!strings.Contains(said.String(), "2 runs added, 0 updated, 0 unchanged") || !strings.Contains(said.String(), "0 runs added, 0 updated, 2 unchanged") {
		t.Errorf("merging gave %v\n%s", err, &said)
	}
	lab, err := tracker.Open(into, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	if _, err := lab.Find(t.Context(), ids[1]); !errors.Is(err, tracker.ErrNotFound) {
		t.Errorf("the damaged run was merged: %v", err)
	}

	// A damaged run can be deleted.
	if out, err := runRuns(t, path, "delete", ids[1]); err != nil {
		t.Error(out, err)
	}
	if out, err := runRuns(t, path, "list"); err != nil || strings.Contains(out, "damaged") {
		t.Errorf("after deleting it: %v\n%s", err, out)
	}
}
