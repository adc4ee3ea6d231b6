package experiments_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/experiments"
	"patchlab/tracker"
)

// killedDB names the database of the child process that TestKilled kills.
const killedDB = "PATCHLAB_TEST_KILLED_DB"

// TestKilledChild is the process that TestKilled kills: it starts or resumes
// the one run of a database and checkpoints after every step.
func TestKilledChild(t *testing.T) {
	path := os.Getenv(killedDB)
	if path == "" {
		t.Skip("run by TestKilled")
	}
	b, name := open(t, backend.Go)
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run, err := beginOnly(t, db)
	if err != nil {
		t.Fatal(err)
	}
	_, err = experiments.Train(t.Context(), experiments.Job{
		Recipe: tiny(), Dataset: shapes(t, 110, 30), Backend: b, BackendName: name, Recorder: run,
		CheckpointDir: path + ".checkpoints", CheckpointEvery: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Finish(tracker.Finished); err != nil {
		t.Fatal(err)
	}
}

// beginOnly resumes the database's run, or starts it.
func beginOnly(t *testing.T, db *tracker.DB) (*tracker.Run, error) {
	runs, err := db.Runs(t.Context(), tracker.Query{})
	if err != nil {
		return nil, err
	}
	if len(runs) > 0 {
		return db.Resume(t.Context(), runs[0].ID)
	}
	return db.Start(t.Context(), tracker.Spec{Name: "killed"})
}

// A run killed with -9 at random moments, checkpointing or not, ends with the losses of one left alone.
func TestKilled(t *testing.T) {
	b, name := open(t, backend.Go)
	wholeDB, whole := recorded(t)
	_, err := experiments.Train(t.Context(), experiments.Job{Recipe: tiny(), Dataset: shapes(t, 110, 30), Backend: b, BackendName: name, Recorder: whole})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Finish(tracker.Finished); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "runs.db")
	random := rand.New(rand.NewPCG(1, 2))
	kills := 0
	longest := 300 * time.Millisecond
	for finished := false; !finished; {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		child.Env = append(os.Environ(), killedDB+"="+path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(longest))), func() { child.Process.Kill() })
		err := child.Wait()
		timer.Stop()
		var exit *exec.ExitError
		switch {
		case err == nil:
			finished = true
		case errors.As(err, &exit) && exit.ExitCode() == -1:
			if kills++; kills%5 == 0 {
				longest += longest / 2 // so that the test ends on a slow machine too
			}
		default:
			t.Fatalf("the child failed by itself: %v", err)
		}
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("never killed")
	}
	db, err := tracker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := db.Find(t.Context(), "killed")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := weightsDigest(t, wholeDB, whole.ID()), weightsDigest(t, db, info.ID); a != b {
		t.Errorf("weights %.12s, left alone %.12s", b, a)
	}
	for _, key := range []string{"step_loss", "val_loss", "learning_rate", "test_loss"} {
		a, b := losses(t, wholeDB, whole.ID(), key), losses(t, db, info.ID, key)
		if !maps.Equal(a, b) {
			t.Errorf("%s differs:\nleft alone %v\nkilled %v", key, a, b)
		}
	}
}
