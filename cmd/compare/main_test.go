package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare/comparetest"
)

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	_, err := comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-4", Seed: 1, Accuracy: .63, TrainPerS: 2000},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	if err := run(context.Background(), []string{"--db", path}, &out, &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "mixer-4     1  63.00") {
		t.Errorf("the table lacks the run:\n%s", out.String())
	}
	out.Reset()
	err = run(context.Background(), []string{"--db", path + ".absent"}, &out, &log)
	if err == nil || out.Len()+log.Len() > 0 {
		t.Errorf("a missing database: error %v, printed %q %q; want an error that main prints", err, &out, &log)
	}
	if _, err := os.Stat(path + ".absent"); !os.IsNotExist(err) {
		t.Errorf("reading a missing database made a file: %v", err)
	}
}
