package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare/comparetest"
)

// TestCompareCommand: patchlab compare is the command compare, under its own
// name.
func TestCompareCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	_, err := comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-4", Seed: 1, Accuracy: .63, TrainPerS: 2000, Epochs: 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"63.04  −0.04":                  {"compare", "--db", path, "--against", "reference"},
		"patchlab compare --against":    {"compare", "--help"},
		"Both runs have the same":       {"compare", "diff", "--db", path, "latest", "mixer-4-seed1"},
		"patchlab compare diff RUN RUN": {"compare", "--help"},
	} {
		var out, log bytes.Buffer
		if err := run(context.Background(), args, &out, &log); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%v: no %q in\n%s", args, want, out.String())
		}
	}
}
