package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The shell is offered models, runs and the few values of a flag.
func TestCompletion(t *testing.T) {
	db := filepath.Join(t.TempDir(), "lab.db")
	must(t, smallTraining(db, "--name", "first")...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"train", "--model", ""}, "mixer-4\t"},
		{[]string{"train", "--data", ""}, "fashion-mnist"},
		{[]string{"evaluate", "--db", db, ""}, "\tfirst"},
		{[]string{"evaluate", "--split", ""}, "validation"},
		{[]string{"train", "--db", db, "--resume", ""}, "latest"},
	} {
		out := must(t, append([]string{"__complete"}, c.args...)...)
		if !strings.Contains(out, c.want) {
			t.Errorf("completing %q offers\n%s\nwant %q", c.args, out, c.want)
		}
	}
}
