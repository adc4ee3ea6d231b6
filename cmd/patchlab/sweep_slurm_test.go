package main

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/experiments"
	"patchlab/lab/sweeps"
)

// startSlurm starts a private cluster of the real Slurm for the test, which runs
// in a folder of its own, or skips the test.
func startSlurm(t *testing.T) {
	t.Helper()
	script, err := filepath.Abs("../../scripts/slurm.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "slurm") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	out, err := exec.Command(script, "start", dir).CombinedOutput()
	t.Cleanup(func() {
		if out, err := exec.Command(script, "stop", dir).CombinedOutput(); err != nil {
			t.Errorf("stopping the cluster: %v\n%s", err, out)
		}
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("no cluster to test on: %s", out)
	}
	if err != nil {
		t.Fatalf("starting a cluster: %v\n%s", err, out)
	}
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	inSweepFolder(t)
}

// slurmDo runs one of Slurm's commands.
func slurmDo(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// slurmResume brings a node back that is down or drained; one that is down comes back by itself when its slurmd reports
// first, and then cannot be resumed.
func slurmResume(t *testing.T, node string) {
	t.Helper()
	out, err := exec.Command("scontrol", "update", "nodename="+node, "state=resume").CombinedOutput()
	if err == nil {
		return
	}
	if state := slurmDo(t, "sinfo", "--noheader", "--nodes="+node, "--format=%T"); strings.Contains(state, "down") || strings.Contains(state, "drain") {
		t.Fatalf("resuming node %s, which is %s: %v\n%s", node, state, err, out)
	}
}

// lasting is a small sweep whose trials take all their epochs, however little they
// learn.
func lasting(t *testing.T, name string, epochs int, more ...string) []string {
	t.Helper()
	small := smallTraining("lab.db", "--dry-run")
	recipe, err := experiments.ReadRecipe(strings.NewReader(must(t, small...)))
	if err != nil {
		t.Fatal(err)
	}
	recipe.EarlyStopping = nil
	if err := os.WriteFile("lasting.json", []byte(recipe.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"sweep", "--name", name, "--recipe", "lasting.json", "--backend", "go", "--train-limit", "480", "--epochs", strconv.Itoa(epochs)}
	return append(args, more...)
}

// submitSmall submits such a sweep.
func submitSmall(t *testing.T, name string, epochs int, more ...string) {
	t.Helper()
	must(t, append(lasting(t, name, epochs, "--launcher", "slurm", "--grace", "20"), more...)...)
}

// await waits until status says of a sweep what is wanted. The deadline is there
// for a sweep that hangs.
func await(t *testing.T, name string, wanted func([]sweeps.TrialStatus) bool) []sweeps.TrialStatus {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Minute); ; time.Sleep(300 * time.Millisecond) {
		rows := sweepRows(t, name)
		if wanted(rows) {
			return rows
		}
		if time.Now().After(deadline) {
			t.Fatalf("sweep %s hangs: %+v\n%s", name, rows, slurmDo(t, "squeue"))
		}
	}
}

// begun reports whether a trial has completed two epochs, and so a checkpoint.
func begun(rows []sweeps.TrialStatus) bool { return rows[0].State == "running" && rows[0].Epochs >= 2 }

// through reports whether all trials are finished, and merged.
func through(t *testing.T, name string) func([]sweeps.TrialStatus) bool {
	return func(rows []sweeps.TrialStatus) bool {
		f, err := openSweep(name)
		if err != nil {
			return false
		}
		queue, err := f.AskSlurm(t.Context())
		return err == nil && queue.Active() == 0 && !slices.ContainsFunc(rows, func(r sweeps.TrialStatus) bool { return r.State != "finished" })
	}
}

// restarts is how often Slurm restarted the first trial of a sweep's last round.
func restarts(t *testing.T, name string) int {
	t.Helper()
	f, err := openSweep(name)
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := f.Rounds()
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.FieldsSeq(slurmDo(t, "scontrol", "show", "job", "--oneliner", rounds[0].Array+"_0")) {
		if n, ok := strings.CutPrefix(field, "Restarts="); ok {
			count, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			return count
		}
	}
	t.Fatalf("Slurm says nothing of the restarts of %s", name)
	return 0
}

// trainingOf is the process that trains a sweep's trial.
func trainingOf(t *testing.T, name string) int {
	t.Helper()
	dir, err := filepath.Abs(name + sweeps.Suffix)
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		words := strings.Split(string(b), "\x00")
		if err == nil && len(words) > 3 && words[1] == "sweep" && words[2] == "task" && words[3] == dir {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no process trains sweep %s", name)
	return 0
}

// On a real cluster trials are preempted, killed, requeued at their time limit,
// lose their node and their folder; each ends with the losses of one that nothing
// happened to.
func TestSweepOnSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	startSlurm(t)

	// How many epochs take long enough to be disturbed, and to meet a time limit.
	must(t, lasting(t, "warm", 100, "--db", "lab.db")...)
	warm := recordedRun(t, "lab.db", "warm-001-s1").Metrics
	epoch := (warm["train_seconds_total"].Value + warm["eval_seconds_total"].Value) / 100
	short, long := int(12/epoch), int(50/epoch)

	submitSmall(t, "limited", long, "--time", "1", "--sbatch=--nodelist=n3")
	submitSmall(t, "preempted", short, "--partition", "low", "--sbatch=--nodelist=n1")
	submitSmall(t, "killed", short, "--sbatch=--nodelist=n2")

	await(t, "preempted", begun)
	slurmDo(t, "sbatch", "--partition=high", "--nodelist=n1", "--output=/dev/null", "--wrap", "sleep 1")
	await(t, "killed", begun)
	if err := syscall.Kill(trainingOf(t, "killed"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "preempted", through(t, "preempted"))
	if restarts(t, "preempted") == 0 {
		t.Error("nothing was preempted")
	}
	await(t, "killed", through(t, "killed"))

	// The folder goes for a while, and the node of another trial breaks down.
	submitSmall(t, "vanished", short, "--sbatch=--nodelist=n1")
	submitSmall(t, "down", short, "--sbatch=--exclude=n1,n3")
	await(t, "vanished", begun)
	if err := os.Rename("vanished.sweep", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "sweep", "status", "vanished"); err == nil {
		t.Error("status says something of a folder that is gone")
	}
	await(t, "down", begun)
	slurmDo(t, "scontrol", "update", "nodename=n2", "state=down", "reason=test")
	rows := await(t, "down", func(rows []sweeps.TrialStatus) bool { return rows[0].State != "running" })
	if rows[0].State != "waiting" && rows[0].State != "completing" {
		t.Errorf("the trial whose node is down is %s", rows[0].State)
	}
	slurmResume(t, "n2")
	slurmDo(t, "scontrol", "update", "nodename=n1", "state=drain", "reason=test") // what runs there may end
	if err := os.Rename("elsewhere", "vanished.sweep"); err != nil {
		t.Fatal(err)
	}
	await(t, "vanished", func(rows []sweeps.TrialStatus) bool { return rows[0].State == "finished" })
	slurmResume(t, "n1")
	await(t, "vanished", through(t, "vanished"))
	await(t, "down", through(t, "down"))

	await(t, "limited", through(t, "limited"))
	for restarts(t, "limited") == 0 { // the machine has become faster
		long *= 2
		submitSmall(t, "limited", long, "--time", "1", "--sbatch=--nodelist=n3")
		await(t, "limited", through(t, "limited"))
	}
	for name, epochs := range map[string]int{"reference-short": short, "reference-long": long} {
		must(t, lasting(t, name, epochs, "--db", "lab.db")...)
	}
	for _, name := range []string{"preempted", "killed", "vanished", "down", "limited"} {
		reference := sweepRows(t, "reference-short")[0]
		if name == "limited" {
			reference = sweepRows(t, "reference-long")[0]
		}
		row := sweepRows(t, name)[0]
		got, want := stepLosses(t, filepath.Join(name+sweeps.Suffix, "results.db"), row.Run), stepLosses(t, "lab.db", reference.Run)
		if row.Digest != reference.Digest || *row.Test != *reference.Test || !maps.Equal(got, want) {
			t.Errorf("%s: %d step losses are not those of an undisturbed trial (%d)", name, len(got), len(want))
		}
	}
}

// A sweep larger than an array may be comes in rounds; stopped, it is not requeued,
// and status tells what is so.
func TestSweepStopsOnSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	startSlurm(t)
	submitSmall(t, "many", 2000, "--try", "learning-rate=0.001,0.002,0.003,0.004,0.005,0.006,0.007")
	var count map[string]int
	await(t, "many", func(rows []sweeps.TrialStatus) bool {
		count = map[string]int{}
		for _, r := range rows {
			count[r.State]++
		}
		return count["running"] == 3 && begun(rows)
	})
	if count["waiting"] != 2 || count["missing"] != 2 { // 3 nodes, arrays of 5
		t.Errorf("the trials are %v", count)
	}
	if _, _, err := execute(t, "sweep", "resume", "many"); err == nil || !strings.Contains(err.Error(), "in Slurm's queue") {
		t.Errorf("a second submission of what is in the queue: %v", err)
	}
	if out := must(t, "sweep", "status", "many"); !strings.Contains(out, "Slurm: 3 trials running") {
		t.Errorf("status says:\n%s", out)
	}
	must(t, "sweep", "stop", "many")
	rows := sweepRows(t, "many")
	if rows[0].State != "killed" || rows[0].Epochs < 2 || rows[0].Run == "" {
		t.Errorf("after the stop the first trial is %+v", rows[0])
	}
	// Shorter, it comes to its end in two rounds.
	submitSmall(t, "many", 20, "--try", "learning-rate=0.001,0.002,0.003,0.004,0.005,0.006,0.007")
	await(t, "many", through(t, "many"))
	if rounds, err := filepath.Glob("many.sweep/jobs/round-*.json"); err != nil || len(rounds) != 3 {
		t.Errorf("%d rounds, %v; want 3: one that was stopped, two of an array of 5", len(rounds), err)
	}
	t.Setenv("SLURM_CONF", filepath.Join(t.TempDir(), "none"))
	if out := must(t, "sweep", "status", "many"); !strings.Contains(out, "Slurm does not answer") {
		t.Errorf("without a controller status says:\n%s", out)
	}
}
