package record_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"patchlab/kernel/cell/record"
	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// TestKilledCell kills a cell while it logs: what it had sent is kept, and the next cell goes on with the run.
func TestKilledCell(t *testing.T) {
	b := open(t)
	path := program(t, `
	run := track.Run("killed")
	for step := int64(0); ; step++ {
		run.Log(step, metrics{"loss": float64(step)})
		if step == 1000 {
			fmt.Println("there")
		}
	}`)
	b.session.Begin(1, "endless")
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), b.session.Environ()...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(out, make([]byte, 5))
	// A cell that runs for hours is in the run's notebook before it ends.
	running, started := b.only()
	if text := artifact(t, running, started.ID, record.Artifact); !bytes.Contains(text, []byte("endless")) {
		t.Errorf("while its first cell runs, the run has the notebook\n%s", text)
	}
	cmd.Process.Kill()
	cmd.Wait()
	b.session.End(false)
	db, info := b.only()
	history, err := db.History(context.Background(), info.ID, "loss")
	if err != nil || len(history) < 1001 || info.Status != tracker.Running {
		t.Errorf("after the kill: %d points, %v, %v", len(history), info.Status, err)
	}
	for i, p := range history {
		if p.Value != float64(i) {
			t.Fatalf("point %d is %v", i, p)
		}
	}
	b.cell(`track.Run("killed").Log(1_000_000, metrics{"loss": -1})`)
	if _, info := b.only(); info.Metrics["loss"].Value != -1 {
		t.Errorf("the next cell's point is missing: %+v", info.Metrics)
	}
}

// TestSessionThatIsKilled kills the front: its run is crashed to whoever looks, and another session resumes it.
func TestSessionThatIsKilled(t *testing.T) {
	if folder := os.Getenv("RECORD_TEST_FRONT"); folder != "" {
		b := open(t, func(o *record.Options) { o.Folder = folder; o.Database = os.Getenv("RECORD_TEST_DB") })
		b.cell(firstCell)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
	folder, err := os.MkdirTemp("", "session-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	b := open(t)
	program(t, firstCell)
	front := exec.Command(os.Args[0], "-test.run=^TestSessionThatIsKilled$")
	front.Env = append(os.Environ(), "RECORD_TEST_FRONT="+folder, "RECORD_TEST_DB="+b.db, "TMPDIR="+t.TempDir()) // what it leaves goes with that
	out, err := front.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := front.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 6)
	io.ReadFull(out, said)
	front.Process.Kill()
	front.Wait()
	if string(said) != "ready\n" {
		t.Fatalf("the front said %q", said)
	}
	_, info := b.only()
	if info.Status != tracker.Crashed || info.Metrics["train_loss"].Count != 50 {
		t.Errorf("after the kill: %v with %+v", info.Status, info.Metrics)
	}
	if out := b.cell(`r := track.Resume("by hand"); r.Log(100, metrics{"train_loss": 0}); r.End()`); out != "" {
		t.Errorf("resuming printed %q", out)
	}
	db, info := b.only()
	if info.Status != tracker.Finished || info.Metrics["train_loss"].Count != 51 {
		t.Errorf("after resuming: %v with %+v", info.Status, info.Metrics)
	}
	n, err := notebook.Parse(artifact(t, db, info.ID, record.Artifact))
	if err != nil || len(n.Cells) != 2 || n.Cells[0].Source() != firstCell {
		t.Errorf("after resuming the run has %d cells of two sessions: %v", len(n.Cells), err)
	}
}
