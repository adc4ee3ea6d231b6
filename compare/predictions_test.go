package compare_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/tracker"
)

// TestDamagedPredictions: a table that is not one of predictions is not used.
func TestDamagedPredictions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, content := range []string{"index,label,top1\n0,1,1\n1,2,2\n", "index,label,top1\n0,1,1\n7,2,2\n"} {
		run, err := db.Start(context.Background(), tracker.Spec{Params: map[string]string{"model": fmt.Sprint("m", i), "test_images": "2"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.AddArtifact(compare.PredictionsName, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if err := run.Log(1, map[string]float64{"test_accuracy": 1}); err != nil {
			t.Fatal(err)
		}
		if err := run.Finish(tracker.Finished); err != nil {
			t.Fatal(err)
		}
	}
	r, err := compare.Build(context.Background(), db, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkWithoutPredictions(t, r, `row 2 has index "7", want 1`)
}

// checkWithoutPredictions: there is a table, a test that needs no predictions,
// and a warning that says so.
func checkWithoutPredictions(t *testing.T, r *compare.Report, want string) {
	t.Helper()
	table := r.Tables[0]
	if p := table.Pairs[0]; p.Test != "two proportions" {
		t.Errorf("the test is %q, want two proportions", p.Test)
	}
	for _, w := range table.Warnings {
		run := table.Row(w.Row)
		if w.Code == "predictions" && run != nil && strings.Contains(w.Text, run.Runs[0].ID) && strings.Contains(w.Text, want) {
			return
		}
	}
	t.Errorf("warnings %v, want one of the predictions that names the run and says %q", table.Warnings, want)
}

// TestLostPredictions: a database copied without its artifacts, or with a
// changed one, is compared all the same.
func TestLostPredictions(t *testing.T) {
	var runs []comparetest.Run
	for i, model := range []string{"a", "b"} {
		runs = append(runs, comparetest.Run{Model: model, Seed: 1, Accuracy: .6 + .1*float64(i), TrainPerS: 10, TestImages: 100, Predictions: true})
	}
	path := filepath.Join(t.TempDir(), "runs.db")
	ids, err := comparetest.Create(context.Background(), path, runs)
	if err != nil {
		t.Fatal(err)
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	damage(t, db, path, ids[1], compare.PredictionsName)
	for _, want := range []string{"the content is damaged", "is missing (the artifacts lie in a folder beside the database)"} {
		r, err := compare.Build(context.Background(), db, compare.Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkWithoutPredictions(t, r, want)
		if err := os.RemoveAll(strings.TrimSuffix(path, ".db") + ".artifacts"); err != nil {
			t.Fatal(err)
		}
	}
}

// damage changes a byte of an artifact of a database's file.
func damage(t *testing.T, db *tracker.DB, path, run, name string) {
	t.Helper()
	list, err := db.Artifacts(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	damaged := false
	for _, a := range list {
		if a.Name != name {
			continue
		}
		err := filepath.WalkDir(filepath.Dir(path), func(file string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(a.SHA256, filepath.Base(file)) {
				return err
			}
			damaged = true
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			content[len(content)-2] ^= 1 // of predictions a digit of the last probability
			if err := os.Chmod(file, 0o600); err != nil {
				return err
			}
			return os.WriteFile(file, content, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !damaged {
		t.Fatalf("no file of %s to damage", name)
	}
}
