//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"patchlab/lab/sweeps"
)

// printed is what a process has printed so far.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *printed) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *printed) has(words string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.text.Bytes(), []byte(words))
}

// SIGKILL of a worker has its trial go on from its checkpoint; SIGKILL of the sweep
// and its worker loses nothing: begun again, it trains what crashed and what is
// missing, and leaves alone what is finished.
func TestKilledSweepTrainsWhatIsLeft(t *testing.T) {
	inSweepFolder(t)
	recipe, err := recipeOf(&sweeps.Sweep{}, map[string]string{"data": "shapes", "model": "mixer:1", "image-size": "16", "patch-size": "8", "dim": "8",
		"train-limit": "160", "test-limit": "40", "batch": "16"})
	if err != nil {
		t.Fatal(err)
	}
	recipe.EarlyStopping, recipe.Epochs = nil, 300 // the second trial is to be long enough to be killed twice
	digest := recipe.Digest()
	var file bytes.Buffer
	if _, err := recipe.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("recipe.json", file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"sweep", "--name", "small", "--db", "lab.db", "--backend", "go", "--recipe", "recipe.json", "--try", "epochs=2,300,3", "--workers", "1"}
	var out, errs printed
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("in a minute %s: %+v\n%s%s", what, sweepRows(t, "small"), out.text.String(), errs.text.String())
			}
		}
	}
	at := func() (epoch int) { // of the second trial, by its log: what is recorded comes a moment later
		if f, err := openSweep("small"); err == nil {
			epoch, _ = f.Epoch(digest)
		}
		return epoch
	}

	cmd := process(t.Context(), ".", nil, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until("the long trial had no epoch", func() bool { return at() > 0 })
	if err := syscall.Kill(trainingOf(t, "small"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until("no crash was seen", func() bool { return out.has("crashed") })
	killed := at()
	until("it did not go on", func() bool { return at() > killed })
	worker := trainingOf(t, "small")
	if err := errors.Join(cmd.Process.Kill(), syscall.Kill(worker, syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	var before []sweeps.TrialStatus
	until("the killed trial still ran", func() bool {
		before = sweepRows(t, "small")
		return before[1].State != "running"
	})
	// Its sweep's end asks a trial to end as well, which it may do before the signal that kills it.
	if got := states(before); got[0] != "finished" || got[1] != "crashed" && got[1] != "killed" || got[2] != "missing" {
		t.Errorf("after SIGKILL the trials are %v", got)
	}
	runs := recordedRuns(t, "lab.db")

	must(t, args...)
	after, now := sweepRows(t, "small"), recordedRuns(t, "lab.db")
	if len(now) != 3 || after[0].Run != before[0].Run || after[1].Run != before[1].Run {
		t.Errorf("begun again it has %d runs, the first two %s and %s; they were %s and %s", len(now), after[0].Run, after[1].Run, before[0].Run, before[1].Run)
	}
	if !now[after[0].Run].End.Equal(runs[before[0].Run].End) {
		t.Error("the finished trial was trained again")
	}
	for i, epochs := range []int{2, 300, 3} {
		if n := len(stepLosses(t, "lab.db", after[i].Run)); after[i].State != "finished" || n != 9*epochs {
			t.Errorf("trial %d is %s with %d steps, want %d", i+1, after[i].State, n, 9*epochs)
		}
	}
}
