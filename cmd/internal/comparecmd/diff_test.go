package comparecmd

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/compare/comparetest"
)

func TestDiffGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	ids, err := comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-4", Seed: 1, Accuracy: .63, TrainPerS: 2300, TestImages: 1000, Predictions: true, Dirty: true, Steps: 20},
		{Model: "mixer-4", Seed: 2, Accuracy: .61, TrainPerS: 2310, TestImages: 1000, Predictions: true, Commit: "89abcde", Steps: 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"diff.txt":  {"mixer-4-seed1", ids[1]},
		"diff.md":   {"mixer-4-seed1", "latest", "--format", "markdown"},
		"diff.json": {ids[0], "mixer-4-seed2", "--format", "json"},
	} {
		got, err := execute(t, append([]string{"diff", "--db", path}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			got = strings.ReplaceAll(got, id, "ID"+string(rune('1'+i)))
		}
		golden(t, name, got)
		for line := range strings.Lines(got) {
			if n := len([]rune(line)); strings.HasSuffix(name, ".txt") && n > 81 {
				t.Errorf("a line has %d columns, more than 80: %s", n-1, line)
			}
		}
	}
	for want, args := range map[string][]string{
		"not found":                    {"nothing", "latest"},
		"accepts 2 arg(s), received 1": {"latest"},
		"there is no such file":        {"latest", "latest", "--db", path + ".absent"},
		`no format "csv"; there are table, markdown, json`: {"latest", "latest", "--format", "csv"},
	} {
		_, err := execute(t, append([]string{"diff", "--db", path}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("diff %v: error %v, want one with %q", args, err, want)
		}
	}
}
