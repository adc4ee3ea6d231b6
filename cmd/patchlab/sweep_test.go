package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
	"patchlab/tracker"
)

// inSweepFolder makes a new folder the current one and lets the sweep's children
// be patchlab.
func inSweepFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv(asProgram, "1")
}

// smallSweep tries learning rates with a Mixer of a few thousand parameters.
func smallSweep(more ...string) []string {
	return append([]string{"sweep", "--name", "small", "--db", "lab.db", "--backend", "go", "--data", "shapes", "--model", "mixer:1", "--image-size", "16",
		"--patch-size", "8", "--dim", "8", "--train-limit", "160", "--test-limit", "40", "--batch", "16", "--epochs", "2"}, more...)
}

// sweepRows is what "sweep status" says.
func sweepRows(t *testing.T, name string) []sweeps.TrialStatus {
	t.Helper()
	var rows []sweeps.TrialStatus
	if err := json.Unmarshal([]byte(must(t, "sweep", "status", name, "--format", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// states are those of the rows, in order.
func states(rows []sweeps.TrialStatus) (list []string) {
	for _, r := range rows {
		list = append(list, r.State)
	}
	return list
}

// recordedRuns lists the runs of the sweep's database by ID.
func recordedRuns(t *testing.T, path string) map[string]tracker.RunInfo {
	t.Helper()
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs, err := db.Runs(t.Context(), tracker.Query{})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]tracker.RunInfo{}
	for _, r := range runs {
		byID[r.ID] = r
	}
	return byID
}

// A sweep trains every trial, one that diverges stops no other, and begun again it
// trains what is missing only.
// TestSweepWithoutAnyTrial: a sweep that trained nothing has failed.
func TestSweepWithoutAnyTrial(t *testing.T) {
	inSweepFolder(t)
	_, errs, err := execute(t, smallSweep("--try", "learning-rate=1e30", "--seeds", "1")...)
	if err == nil || !strings.Contains(err.Error(), "no trial could be trained") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"1 failed", "sweep status small", "--retry-failed"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
}

func TestSweepTrainsWhatIsMissing(t *testing.T) {
	inSweepFolder(t)
	args := smallSweep("--try", "learning-rate=0.001,1e30", "--try", "dim=8,16", "--seeds", "1,2", "--workers", "2")
	out, errs, err := execute(t, args...)
	if err != nil {
		t.Fatal(err, errs)
	}
	if n := len(regexp.MustCompile(`(?m)^ +\d+ s[12] `).FindAllString(out, -1)); n != 8 {
		t.Errorf("%d lines of trials, want 8:\n%s", n, out)
	}
	fits(t, regexp.MustCompile(`    --db .*`).ReplaceAllString(out+errs+must(t, "sweep", "status", "small"), ""))
	rows := sweepRows(t, "small")
	want := []string{"finished", "finished", "finished", "finished", "failed", "failed", "failed", "failed"}
	if got := states(rows); !slices.Equal(got, want) {
		t.Fatalf("the trials are %v", got)
	}
	if rows[0].Epochs != 2 || rows[0].Best == nil || rows[0].Test == nil || !strings.Contains(rows[4].Error, "diverged") {
		t.Errorf("status says %+v and %+v", rows[0], rows[4])
	}
	before := recordedRuns(t, "lab.db")
	if len(before) != 8 || before[rows[0].Run].Tags["sweep"] != "small" || before[rows[0].Run].Tags["candidate"] != "small-001" || before[rows[0].Run].Name != "small-001-s1" || before[rows[0].Run].Experiment != "small" {
		t.Errorf("%d runs, the first %+v", len(before), before[rows[0].Run])
	}

	for _, row := range rows[:4] { // what they are ranked by is of the weights that were tested
		if kept := before[row.Run].Metrics["best_val_accuracy"]; *row.Best != kept.Value {
			t.Errorf("trial %d is ranked by %v; its weights have %v", row.Number, *row.Best, kept.Value)
		}
	}

	// On another backend none of it counts, which is said.
	f, err := openSweep("small")
	if err != nil {
		t.Fatal(err)
	}
	f.Backend = backend.XLA
	results := sweeps.NewResults(f)
	runs, err := results.Read(t.Context(), "lab.db")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := planOf(f)
	if err != nil {
		t.Fatal(err)
	}
	trials, _ := plan.Next(nil)
	var said strings.Builder
	sayUncounted(&said, "lab.db", trials, runs, results.Uncounted)
	if got := strings.ReplaceAll(said.String(), "\n", " "); len(runs) != 0 || !strings.HasPrefix(got, "Of 8 trials, 8 are recorded in lab.db on backend go, whose losses are not those of xla (--backend go would take them over): not counted") {
		t.Errorf("on another backend %d runs count; it says %q", len(runs), got)
	}

	// One run goes: only its trial is trained again, though the grid has grown too.
	must(t, "runs", "delete", rows[1].Run, "--db", "lab.db")
	_, errs, err = execute(t, smallSweep("--try", "learning-rate=0.001,1e30", "--try", "dim=8,16,24", "--seeds", "1", "--workers", "2")...)
	if want := "Sweep small is another than before: dim 8,16,24 instead of 8,16; seeds 1 instead of 1 2."; err != nil || !strings.Contains(strings.ReplaceAll(errs, "\n", " "), want) {
		t.Errorf("grown it says %q, want %q (%v)", errs, want, err)
	}
	must(t, "sweep", "resume", "small")
	after := recordedRuns(t, "lab.db")
	if len(after) != 9 { // 7 are left, 2 are new: dim 24 with two rates
		t.Errorf("%d runs after the sweep grew, want 9", len(after))
	}
	must(t, args...)
	if after := recordedRuns(t, "lab.db"); len(after) != 10 {
		t.Errorf("%d runs after the sweep was begun again, want 10", len(after))
	}
	must(t, "sweep", "resume", "small", "--retry-failed")
	if after := recordedRuns(t, "lab.db"); len(after) != 14 {
		t.Errorf("%d runs after those that failed were tried again, want 14", len(after))
	}
}

// What a sweep takes over from another it says, and the command that it prints
// compares all of its trials, each candidate's seeds together.
func TestSweepComparesWhatItTookOver(t *testing.T) {
	inSweepFolder(t)
	must(t, smallSweep("--name", "first", "--try", "learning-rate=0.001,0.01")...)
	out := must(t, smallSweep("--name", "second", "--try", "learning-rate=0.05,0.01", "--seeds", "1,2")...)
	if !strings.Contains(out, "\nTaken over: 1 trial from sweep first\n") {
		t.Errorf("the second sweep printed\n%s", out)
	}
	command := regexp.MustCompile(`compare --by (\S+) \\\n +--filter "(.*)" \\\n +--db (.*)\n`).FindStringSubmatch(out)
	if command == nil {
		t.Fatalf("no command to compare in\n%s", out)
	}
	table := must(t, "compare", "--by", command[1], "--filter", command[2], "--db", command[3], "--format", "csv")
	for _, rate := range []string{"0.05", "0.01"} {
		if !regexp.MustCompile(`(?m)^` + rate + `,.*,go,float32,,2,2,40,`).MatchString(table) {
			t.Errorf("comparing --by %s shows not both seeds of %s:\n%s", command[1], rate, table)
		}
	}
	if strings.Contains(table, "\n0.001,") {
		t.Errorf("comparing shows what the second sweep does not try:\n%s", table)
	}
}

// A sweep of a folder of pictures trains what "patchlab train" trains on it.
func TestSweepOfAFolder(t *testing.T) {
	inSweepFolder(t)
	pictures := folderOf(t, 3)
	flags := []string{"--db", "lab.db", "--backend", "go", "--model", "mixer:1", "--patch-size", "8", "--dim", "8", "--batch", "4", "--epochs", "1"}
	sweepIt := func(more ...string) string {
		t.Helper()
		return must(t, append(append([]string{"sweep"}, flags...), more...)...)
	}
	out := sweepIt("--name", "sizes", "--data", "folder:"+pictures, "--try", "image-size=8,16")
	if !strings.Contains(out, "2 trials: 2 finished") {
		t.Errorf("the sweep printed\n%s", out)
	}
	must(t, append(append([]string{"train"}, flags...), "--data", "folder:"+pictures, "--image-size", "24")...)
	yaml := "name: file\ntrain: {data: \"folder:" + filepath.Base(pictures) + "\"}\nparameters: {image-size: [16, 24]}\n"
	if err := os.WriteFile("file.yaml", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	out = sweepIt("file.yaml", "--data-dir", pictures)
	if !strings.Contains(out, "Taken over: 1 trial from other commands, 1 trial from sweep sizes\n") {
		t.Errorf("the sweep of what was trained printed\n%s", out)
	}
	if rows := sweepRows(t, "file"); len(rows) != 2 || rows[0].Test == nil || rows[1].Test == nil {
		t.Errorf("its trials are %+v", rows)
	}
	must(t, "sweep", "resume", "sizes")
}

// What successive halving drops it says so, and the rest is trained to its end.
func TestSweepStopsEarly(t *testing.T) {
	inSweepFolder(t)
	out := must(t, smallSweep("--try", "learning-rate=1e-5..1e-2:log", "--search", "random", "--candidates", "4", "--epochs", "4",
		"--early-stopping", "1,3", "--workers", "2")...)
	if !strings.Contains(out, "paused") || !strings.Contains(out, "dropped early") {
		t.Errorf("the sweep printed:\n%s", out)
	}
	count := map[string]int{}
	for _, row := range sweepRows(t, "") {
		count[row.State]++
		if row.State == "dropped" && (row.Epochs == 4 || row.Test != nil) {
			t.Errorf("a dropped trial has %d epochs, test accuracy %v", row.Epochs, row.Test)
		}
	}
	if count["finished"] < 1 || count["dropped"] < 2 || count["finished"]+count["dropped"] != 4 {
		t.Errorf("the trials are %v", count)
	}
}

// Ctrl-C checkpoints what is under way, and the resumed sweep comes to the losses
// of one that was never stopped.
func TestInterruptedSweepContinuesBitForBit(t *testing.T) {
	inSweepFolder(t)
	trying := []string{"--try", "learning-rate=0.001,0.002,0.003", "--train-limit", "480", "--epochs", "5"}
	must(t, smallSweep(append(trying, "--name", "whole", "--db", "whole.db", "--workers", "2")...)...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := run(ctx, smallSweep(append(trying, "--workers", "1")...), cutOff{stop, []byte("finished")}, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted sweep gave %v", err)
	}
	if got := states(sweepRows(t, "small")); got[0] != "finished" || got[2] != "missing" || got[1] != "missing" && got[1] != "killed" {
		t.Errorf("after Ctrl-C the trials are %v", got)
	}
	must(t, "sweep", "resume", "small", "--workers", "2")
	cut, whole := sweepRows(t, "small"), sweepRows(t, "whole")
	for i := range whole {
		if cut[i].State != "finished" || cut[i].Digest != whole[i].Digest {
			t.Fatalf("trial %d is %+v", i, cut[i])
		}
		if a, b := stepLosses(t, "lab.db", cut[i].Run), stepLosses(t, "whole.db", whole[i].Run); !maps.Equal(a, b) || len(a) != 5*27 {
			t.Errorf("trial %d has %d other step losses than the %d of one that was not interrupted", i, len(a), len(b))
		}
	}
}

// stepLosses are a run's losses by step.
func stepLosses(t *testing.T, path, id string) map[int64]float64 {
	t.Helper()
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	points, err := db.History(t.Context(), id, "step_loss")
	if err != nil {
		t.Fatal(err)
	}
	losses := map[int64]float64{}
	for _, p := range points {
		if old, ok := losses[p.Step]; ok && old != p.Value {
			t.Errorf("step %d was logged as %v and as %v", p.Step, old, p.Value)
		}
		losses[p.Step] = p.Value
	}
	return losses
}

// "sweep stop" ends a sweep of another process, and only one process is at it.
func TestSweepStops(t *testing.T) {
	inSweepFolder(t)
	begun, ended := make(chan struct{}), make(chan error)
	signal := &firstWrite{begun: begun}
	go func() {
		ended <- run(t.Context(), smallSweep("--try", "learning-rate=0.001,0.002", "--train-limit", "480", "--epochs", "2000", "--workers", "1"), io.Discard, signal)
	}()
	<-begun
	if _, _, err := execute(t, "sweep", "resume", "small"); !errors.Is(err, sweeps.ErrBusy) {
		t.Errorf("a second process at the sweep: %v", err)
	}
	if out := must(t, "sweep", "stop", "small"); !strings.Contains(out, "sweep resume small") {
		t.Errorf("sweep stop printed %s", out)
	}
	if err := <-ended; err != nil {
		t.Errorf("a stopped sweep gave %v", err)
	}
	if got := states(sweepRows(t, "small")); slices.Contains(got, "running") {
		t.Errorf("after the stop the trials are %v", got)
	}
}

// firstWrite closes a channel when it is written to first.
type firstWrite struct{ begun chan struct{} }

func (f *firstWrite) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("Sweep ")) {
		close(f.begun)
	}
	return len(p), nil
}

func TestSweepPredicts(t *testing.T) {
	inSweepFolder(t)
	out := must(t, smallSweep("--try", "dim=8,16,7000000", "--seeds", "1,2", "--dry-run")...)
	for _, want := range []string{"    1    2       2 ", " GB ", "dim=16", "impossible: dim=7000000", "Together "} {
		if !strings.Contains(out, want) {
			t.Errorf("the dry run lacks %q:\n%s", want, out)
		}
	}
	for _, left := range []string{"lab.db", "small.sweep"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("the dry run left %s", left)
		}
	}
}

func TestSweepReadsFiles(t *testing.T) {
	inSweepFolder(t)
	write := func(text string) {
		if err := os.WriteFile("rates.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"train: {epochs: many}\nparameters: {dim: [8]}\n": `rates.yaml: line 1: epochs is "many"; allowed is a whole number`,
		"parameters:\n  depth: [8]\n":                     `rates.yaml: line 2: parameter depth: "depth" is no flag of "patchlab train"`,
		"parameters: {dim: [0, -1]}\n":                    "no trial can be made: dim=0",
		"serch: grid\n":                                   `rates.yaml: line 1: "serch" is no key of a sweep; allowed: name, train, parameters, seeds, search, candidates`,
	} {
		write(text)
		if _, _, err := execute(t, "sweep", "rates.yaml", "--db", "lab.db"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v; want %q", text, err, want)
		}
	}
	write("name: widths\n")
	if _, _, err := execute(t, "sweep", "status", "rates.yaml"); err == nil || !strings.Contains(err.Error(), "goes by its name, widths") {
		t.Errorf("the status of a file: %v", err)
	}
	write("train: {epochs: 9, batch: 16}\nparameters: {dim: [0, -1]}\nseeds: [1]\n")
	if _, errs, _ := execute(t, "sweep", "rates.yaml", "--epochs", "5", "--dim=-8", "--seeds", "1,2"); errs != "Flags have the last word over rates.yaml: dim -8 instead of 0,-1; epochs 5\ninstead of 9\n" {
		t.Errorf("of flags that stand in for a file's it says %q", errs)
	}
	for _, args := range [][]string{
		{"sweep", "--try", "dim=8,16"},
		{"sweep", "--name", "x", "--try", "dim=8", "--workers", "0"},
		{"sweep", "--name", "x", "--try", "dim=8", "--seed", "3"},
		{"sweep", "--name", "x", "--try", "dim=8", "--launcher", "pbs"},
		{"sweep", "--name", "x", "--try", "dim=8", "--early-stopping", "soon"},
		{"sweep", "no-such-file.yaml"},
		{"sweep", "status", "nothing"},
		{"sweep", "resume"},
	} {
		if _, _, err := execute(t, args...); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	for _, args := range [][]string{{"sweep", "results"}, {"sweep", "results", "rates"}} {
		if _, _, err := execute(t, args...); err == nil || !strings.Contains(err.Error(), "sweep status NAME") {
			t.Errorf("%v gave %v; it should point to sweep status", args, err)
		}
	}
	if found, _ := filepath.Glob("*"); !slices.Equal(found, []string{"rates.yaml"}) {
		t.Errorf("refusals left %v", found)
	}
}

// A trial's line tells epochs, and of one that was stopped in its first the steps.
func TestTrialLine(t *testing.T) {
	trial := sweep.Task{Trial: sweep.Trial{Number: 3, Seed: 2}}
	for want, r := range map[string]sweeps.TrialRun{
		"   3 s2 killed   1234 steps  val": {Run: tracker.RunInfo{Status: tracker.Killed, Metrics: map[string]tracker.Metric{"step_loss": {Step: 1234}}}},
		"   3 s2 killed     1 step    val": {Run: tracker.RunInfo{Status: tracker.Killed, Metrics: map[string]tracker.Metric{"step_loss": {Step: 1}}}},
		"   3 s2 killed     0 epochs  val": {Run: tracker.RunInfo{Status: tracker.Killed}},
		"   3 s2 killed     1 epoch   val": {Run: tracker.RunInfo{Status: tracker.Killed, Metrics: map[string]tracker.Metric{"step_loss": {Step: 50}}}, Result: sweep.Result{Epochs: make([]experiments.Evaluation, 1)}},
	} {
		r.State = sweep.Stopped
		if got := trialLine(sweep.Default(), sweeps.End{Task: trial, Run: r, Recorded: true, Took: time.Second}); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
