package main

import (
	"bytes"
	"strings"
	"testing"
)

// An export that a mistyped filter leaves nothing says what may be meant.
func TestRunsExportHintsAtUnknownNames(t *testing.T) {
	path, _ := recordRuns(t)
	_, err := runRuns(t, path, "export", "--filter", "metrics.val_acuracy > .2")
	if err == nil || !strings.Contains(err.Error(), "nothing was exported; no run has metrics.val_acuracy: there are metrics.") {
		t.Errorf("it says %v", err)
	}
}

// A name that no run has finds nothing, or orders nothing: that is said beside
// the list, not in it.
func TestRunsListHintsAtUnknownNames(t *testing.T) {
	path, _ := recordRuns(t)
	for _, c := range []struct {
		args []string
		want []string // nil: no hint
	}{
		{[]string{"--filter", "metrics.val_acuracy > .2"}, []string{"no run has metrics.val_acuracy: there are metrics.", "metrics.val_accuracy"}},
		{[]string{"--filter", "metrics.`val acuracy` > .2 and param.modell = 'metrics.within'"}, []string{"no run has metrics.val acuracy: there", "no run has params.modell: there are params.model\n"}},
		{[]string{"--order-by", "metrics.nope DESC, metrics.nope"}, []string{"no run has metrics.nope: there are metrics."}},
		{[]string{"--filter", "tags.grade = 'A'"}, []string{"no run has tags.grade: there are none yet\n"}},
		{[]string{"--filter", "metrics.val_accuracy > 7 and tags.mlflow.runName = \"tags.within\""}, nil},
		{[]string{"--filter", "metrics.nope is null"}, nil}, // which is true of all
		{[]string{"--order-by", "metrics.val_accuracy"}, nil},
		{nil, nil},
	} {
		cmd := newRunsCommand()
		var out, errs bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		cmd.SetArgs(append([]string{"list", "--db", path}, c.args...))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(c.args, err)
		}
		if strings.Contains(out.String(), "no run has") || strings.Contains(errs.String(), "within") || strings.Count(errs.String(), "\n") > 2 {
			t.Errorf("%v lists %q and says %q", c.args, out.String(), errs.String())
		}
		for _, want := range c.want {
			if !strings.Contains(errs.String(), want) {
				t.Errorf("%v says %q, not %q", c.args, errs.String(), want)
			}
		}
		if c.want == nil && errs.Len() > 0 {
			t.Errorf("%v says %q", c.args, errs.String())
		}
	}
}
