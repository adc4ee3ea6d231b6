package tracker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountTmpfs mounts a small file system of its own, or skips the test.
func mountTmpfs(t *testing.T, size string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestFullDiskLosesNothing(t *testing.T) {
	folder := mountTmpfs(t, "4m")
	db, err := Open(filepath.Join(folder, "lab.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	early := start(t, db, Spec{Name: "early"})
	must(t, early.Log(1, map[string]float64{"x": 1}))
	must(t, early.Finish(Finished))
	filler := filepath.Join(folder, "filler")
	must(t, os.WriteFile(filler, make([]byte, 2<<20), 0o600))

	run := start(t, db, Spec{Name: "late"})
	rng := rand.New(rand.NewPCG(3, 4))
	var want []float64
	var failure error
	for failure == nil && len(want) < 1_000_000 {
		for range 1000 {
			v := rng.NormFloat64()
			if err := run.Log(int64(len(want)), map[string]float64{"noise": v}); err != nil {
				break // the queue is full
			}
			want = append(want, v)
		}
		failure = run.Flush()
	}
	if failure == nil || !strings.Contains(failure.Error(), "the disk is full") {
		t.Fatalf("after %d points on a full disk: %v", len(want), failure)
	}
	if len(strings.Split(failure.Error(), "\n")) != 1 {
		t.Errorf("the error is not one sentence: %v", failure)
	}
	if strings.Count(failure.Error(), "full") != 1 {
		t.Errorf("the error repeats itself: %v", failure)
	}
	// The write-ahead log may still have a little room of its own, which some runs may take.
	var refused error
	for i := 0; refused == nil && i < 100; i++ {
		_, refused = db.Start(t.Context(), Spec{Tags: map[string]string{"filler": strings.Repeat("x", 100_000)}})
	}
	if refused == nil || !strings.Contains(refused.Error(), "the disk is full") {
		t.Errorf("starting a run on a full disk: %v", refused)
	}
	if err := run.AddArtifact("big", strings.NewReader(strings.Repeat("x", 4<<20))); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("adding an artifact to a full disk: %v", err)
	}
	if info, err := db.Find(t.Context(), "early"); err != nil || info.Metrics["x"].Value != 1 {
		t.Errorf("the earlier run on a full disk: %v, %v", info, err)
	}

	must(t, os.Remove(filler))
	must(t, run.Flush())
	must(t, run.Finish(Finished))
	history, err := db.History(t.Context(), run.ID(), "noise")
	must(t, err)
	if len(history) != len(want) {
		t.Fatalf("%d points are there, %d were accepted", len(history), len(want))
	}
	for i, p := range history {
		if p.Value != want[i] {
			t.Fatalf("point %d is %v, not %v", i, p.Value, want[i])
		}
	}
	checkIntegrity(t, db)
}

func TestFullDiskOfAnEditIsSaidOnce(t *testing.T) {
	folder := mountTmpfs(t, "2m")
	db, err := Open(filepath.Join(folder, "lab.db"))
	must(t, err)
	run := start(t, db, Spec{Name: "tagged"})
	for i := 0; err == nil && i < 100; i++ {
		err = run.SetTags(map[string]string{fmt.Sprint(i): strings.Repeat("x", 100_000)})
	}
	must(t, run.Log(1, map[string]float64{"x": 1}))
	both := errors.Join(err, db.Close())
	if err == nil || strings.Count(both.Error(), "the disk is full") != 1 {
		t.Errorf("editing and closing on a full disk said: %v", both)
	}
}

func TestFullDiskIsSaidOnce(t *testing.T) {
	folder := mountTmpfs(t, "2m")
	db, err := Open(filepath.Join(folder, "lab.db"))
	must(t, err)
	run := start(t, db, Spec{Name: "long"})
	rng := rand.New(rand.NewPCG(5, 6))
	for step := int64(0); err == nil && step < 1_000_000; step++ {
		if err = run.Log(step, map[string]float64{"noise": rng.NormFloat64()}); err == nil && step%1000 == 0 {
			err = run.Flush()
		}
	}
	both := errors.Join(err, db.Close())
	if err == nil || strings.Count(both.Error(), "the disk is full") != 1 || !strings.Contains(both.Error(), "could not be stored") {
		t.Errorf("writing and closing on a full disk said: %v", both)
	}
}

func TestReadOnlyFile(t *testing.T) {
	folder := mountTmpfs(t, "4m")
	path := filepath.Join(folder, "lab.db")
	id := sampleFile(t, path)
	must(t, syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := Open(path)
	if err == nil || !strings.Contains(err.Error(), "may not be written to") || strings.Contains(err.Error(), "no such file") {
		t.Errorf("opening a read-only file for writing: %v", err)
	}
	if _, err := Open(filepath.Join(folder, "new.db")); err == nil || !strings.Contains(err.Error(), "cannot be created") {
		t.Errorf("creating a database where nothing can be written: %v", err)
	}
	db, err := Open(path, ReadOnly())
	must(t, err)
	defer db.Close()
	if history, err := db.History(t.Context(), id, "a"); err != nil || len(history) != 5000 {
		t.Errorf("reading a read-only file: %d points, %v", len(history), err)
	}
	if _, err := db.Start(t.Context(), Spec{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("starting a run in a read-only database: %v", err)
	}
}

// A merge that fills the disk takes no run by halves, and succeeds later.
func TestMergeOnAFullDisk(t *testing.T) {
	from := newDB(t)
	run := start(t, from, Spec{Name: "big"})
	must(t, run.AddArtifact("weights", strings.NewReader(strings.Repeat("w", 1<<20))))
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range int64(200_000) {
		must(t, run.Log(i, map[string]float64{"noise": rng.NormFloat64()}))
	}
	must(t, run.Finish(Finished))
	small := ended(t, from, Spec{Name: "small"}, 1)

	folder := mountTmpfs(t, "12m")
	into, err := Open(filepath.Join(folder, "lab.db"))
	must(t, err)
	t.Cleanup(func() { into.Close() })
	filler := filepath.Join(folder, "filler")
	for _, free := range []int64{500 << 10, 1500 << 10} { // no room for the artifact; none for the points
		used := diskUsed(t, folder)
		must(t, os.WriteFile(filler, make([]byte, 12<<20-used-free), 0o600))
		_, err = into.Merge(t.Context(), from)
		if !errors.Is(err, syscall.ENOSPC) && (err == nil || !strings.Contains(err.Error(), "the disk is full")) {
			t.Errorf("merging with %d bytes of room: %v", free, err)
		}
		if runs, err := into.Runs(t.Context(), Query{}); err != nil || len(runs) > 0 {
			t.Errorf("%d runs are there, %v", len(runs), err)
		}
		if left, err := filepath.Glob(filepath.Join(into.artifactFolder(), incoming+"*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		must(t, os.Remove(filler))
	}
	merges(t, into, from, Merged{Added: 2}, "")
	must(t, into.Verify(t.Context(), run.ID()))
	must(t, into.Verify(t.Context(), small))
	checkIntegrity(t, into)
}

// diskUsed is how many bytes of a file system are taken.
func diskUsed(t *testing.T, folder string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	must(t, syscall.Statfs(folder, &s))
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// TestNamesOfContentAreDurable watches the system calls of adding an artifact:
// the content, its name, its folder's name and that folder's name are all
// brought to the disk before the row that refers to them.
func TestNamesOfContentAreDurable(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-y", "-e", "trace=fsync,mkdirat", "-o", trace, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=artifact "+filepath.Join(folder, "lab.db"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("strace cannot watch here: %v: %s", err, out)
	}
	content, err := os.ReadFile(trace)
	must(t, err)
	artifacts := filepath.Join(folder, "lab.artifacts")
	rest := string(content)
	for _, next := range []string{`"` + artifacts + `", 0700) = 0`, "<" + folder + ">", "<" + artifacts + "/" + incoming,
		"<" + artifacts + "/ed>", "<" + artifacts + ">"} {
		_, after, found := strings.Cut(rest, next)
		if !found {
			t.Fatalf("%s does not come when it is due:\n%s", next, content)
		}
		rest = after
	}
}
