package tracker

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how often TestKilledWriterLosesNothing kills the writer; a tenth as
// often where tests are to be short.
const kills = 200

func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	type promise struct {
		flushed  int64
		finished bool
	}
	promised := map[string]promise{}
	times := kills
	if testing.Short() {
		times /= 10
	}
	for range times {
		cmd, out := child(t, "write", path)
		var run string
		var kill *time.Timer
		for out.Scan() {
			word, rest, _ := strings.Cut(out.Text(), " ")
			n, _ := strconv.ParseInt(rest, 10, 64)
			switch word {
			case "run":
				run = rest
				promised[run] = promise{}
				if kill == nil {
					kill = time.AfterFunc(time.Duration(rand.IntN(25_000))*time.Microsecond, func() { cmd.Process.Kill() })
				}
			case "flushed", "finished":
				promised[run] = promise{n, word == "finished"}
			}
		}
		cmd.Wait()
		if kill == nil {
			t.Fatal("the writer ended before it began")
		}
	}
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	checkIntegrity(t, db)
	points, finished := int64(0), 0
	for id, p := range promised {
		info, err := db.Find(t.Context(), id)
		must(t, err)
		if want := map[bool]Status{true: Finished, false: Crashed}[p.finished]; info.Status != want && info.Status != Finished {
			t.Errorf("run %s shows as %v, not %v", id, info.Status, want)
		}
		if p.finished {
			finished++
		}
		for _, key := range childKeys {
			if p.flushed == 0 && info.Metrics[key].Count == 0 {
				continue
			}
			history, err := db.History(t.Context(), id, key)
			must(t, err)
			if int64(len(history)) < p.flushed {
				t.Fatalf("run %s lost points of %q: %d were promised, %d are there", id, key, p.flushed, len(history))
			}
			for i, point := range history {
				if point.Step != int64(i) || point.Value != valueOf(id, key, int64(i)) {
					t.Fatalf("run %s: point %d of %q came back as %v", id, i, key, point)
				}
			}
			if info.Metrics[key].Count != int64(len(history)) {
				t.Errorf("run %s counts %d points of %q, there are %d", id, info.Metrics[key].Count, key, len(history))
			}
			points += p.flushed
		}
	}
	t.Logf("%d kills, %d runs (%d finished), %d promised points: all there", times, len(promised), finished, points)
}

func checkIntegrity(t *testing.T, db *DB) {
	t.Helper()
	var verdict string
	must(t, db.readers.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		t.Fatalf("integrity check: %s", verdict)
	}
}

func TestEightColdProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	var all []*exec.Cmd
	for range 8 {
		cmd, _ := child(t, "cold", path)
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("a process failed: %v", err)
		}
	}
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	checkIntegrity(t, db)
	runs, err := db.Runs(t.Context(), Query{})
	must(t, err)
	if len(runs) != 8 {
		t.Fatalf("%d runs of 8 are there", len(runs))
	}
	for _, r := range runs {
		history, err := db.History(t.Context(), r.ID, "loss")
		must(t, err)
		if len(history) != coldSteps || r.Status != Finished {
			t.Errorf("run %s has %d points of %d and is %v", r.ID, len(history), coldSteps, r.Status)
		}
	}
}

func TestDeadProcessShowsAsCrashedAndResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	cmd, out := child(t, "idle", path)
	out.Scan()
	id := strings.TrimPrefix(out.Text(), "run ")
	db, err := Open(path)
	must(t, err)
	defer db.Close()
	info, err := db.Find(t.Context(), id)
	must(t, err)
	if info.Status != Running {
		t.Errorf("while its process lives the run shows as %v", info.Status)
	}
	if _, err := db.Resume(t.Context(), id); err == nil || !strings.Contains(err.Error(), "another process is writing it") {
		t.Errorf("resuming a run that another process writes: %v", err)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
	info, err = db.Find(t.Context(), id)
	must(t, err)
	if info.Status != Crashed {
		t.Errorf("after its process died the run shows as %v", info.Status)
	}
	run, err := db.Resume(t.Context(), id)
	must(t, err)
	must(t, run.Log(1, map[string]float64{"x": 1}))
	must(t, run.Finish(Finished))
	info, err = db.Find(t.Context(), id)
	must(t, err)
	if info.Status != Finished || info.Metrics["x"].Value != 1 {
		t.Errorf("the resumed run is %+v", info)
	}
}

func TestSilentMachineShowsAsCrashedWithinAMinute(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	here := process{host: "a boot pid:[1]", pid: os.Getpid(), began: 1}
	there := process{host: "b boot pid:[1]", pid: 1, began: 1}
	if !here.lives(there, now.Add(-beatEvery-time.Second), now) {
		t.Error("a writer that was heard of a heartbeat ago counts as dead")
	}
	if here.lives(there, now.Add(-time.Minute), now) {
		t.Error("a writer that has been silent for a minute counts as alive")
	}
	self := thisProcess()
	reused := self
	reused.began--
	if !self.lives(self, now, now) || self.began != 0 && self.lives(reused, now, now) {
		t.Error("a process is not told from an earlier one with its number")
	}
}

func TestRunsOfAClosedDatabaseShowAsCrashed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := Open(path)
	must(t, err)
	run := start(t, db, Spec{})
	must(t, run.Log(1, map[string]float64{"x": 1}))
	must(t, db.Close())
	db, err = Open(path, ReadOnly())
	must(t, err)
	defer db.Close()
	info, err := db.Find(t.Context(), run.ID())
	must(t, err)
	if info.Status != Crashed || info.Metrics["x"].Count != 1 {
		t.Errorf("the run is %v with %d points", info.Status, info.Metrics["x"].Count)
	}
}

// A merge that is killed leaves every run that it took whole, artifacts
// included, and the next one goes on.
func TestKilledMergeTakesNoRunByHalves(t *testing.T) {
	folder := t.TempDir()
	from, err := Open(filepath.Join(folder, "from.db"))
	must(t, err)
	const count = 25
	for i := range count {
		fullRun(t, from, strconv.Itoa(i))
	}
	must(t, from.Close())
	into := filepath.Join(folder, "into.db")
	times := kills / 40
	if testing.Short() {
		times = 1
	}
	killed, partly := 0, 0
	for range times {
		for _, old := range []string{into, into + "-wal", into + "-shm", filepath.Join(folder, "into.artifacts")} {
			must(t, os.RemoveAll(old))
		}
		for attempt, whole := 1, false; !whole; attempt++ { // each lives longer than the one before, so that one arrives
			cmd, out := child(t, "merge", folder)
			if !out.Scan() {
				t.Fatal("the merge ended before it began")
			}
			kill := time.AfterFunc(time.Duration(rand.IntN(20_000*attempt))*time.Microsecond, func() { cmd.Process.Kill() })
			whole = cmd.Wait() == nil
			kill.Stop()
			db, err := Open(into)
			must(t, err)
			runs, err := db.Runs(t.Context(), Query{})
			must(t, err)
			for _, r := range runs {
				must(t, db.Verify(t.Context(), r.ID))
			}
			checkIntegrity(t, db)
			must(t, db.Close())
			if !whole {
				killed++
			}
			if len(runs) > 0 && len(runs) < count {
				partly++
			}
			if whole && len(runs) != count {
				t.Fatalf("%d runs of %d were merged", len(runs), count)
			}
		}
	}
	t.Logf("%d kills, %d of them with some of the runs taken: all of those whole", killed, partly)
}
