package launch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/experiments/launch"
)

// asChild makes the test binary a program that tells its cores, and waits for
// SIGTERM where it is to.
const asChild = "PATCHLAB_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "cores":
		fmt.Println(launch.Cores(), runtime.GOMAXPROCS(0))
		os.Exit(7)
	case "wait":
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		fmt.Println("ready")
		<-terminated
		fmt.Println("checkpoint")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		cores   []int
		workers int
		want    string
	}{
		{[]int{0, 1, 2, 3}, 2, "[[0 1] [2 3]]"},
		{[]int{0, 1, 2, 3, 8}, 2, "[[0 1 2] [3 8]]"},
		{[]int{4, 5}, 2, "[[4] [5]]"},
		{[]int{4, 5}, 3, "[[4] [5] [4]]"},
	} {
		if got := fmt.Sprint(launch.Share(c.cores, c.workers)); got != c.want {
			t.Errorf("%d workers share %v as %s, want %s", c.workers, c.cores, got, c.want)
		}
	}
}

// A process has the cores that it is given, and this one keeps its own.
func TestProcessHasItsCores(t *testing.T) {
	t.Setenv(asChild, "cores")
	before := launch.Cores()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, core := range before {
		var out bytes.Buffer
		err := launch.Process{Program: exe, Cores: []int{core}, Output: &out}.Run(t.Context())
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("the child's status came back as %v", err)
		}
		want := fmt.Sprintf("[%d] 1\n", core)
		if runtime.GOOS != "linux" {
			want = fmt.Sprintf("%v 1\n", before)
		}
		if out.String() != want {
			t.Errorf("a child on core %d says %q, want %q", core, out.String(), want)
		}
	}
	if after := launch.Cores(); !slices.Equal(before, after) {
		t.Errorf("this process has cores %v, had %v", after, before)
	}
}

// readyWriter ends a context when the child says that it is ready.
type readyWriter struct {
	text   bytes.Buffer // not embedded: it would be read into, not written
	cancel context.CancelFunc
}

func (w *readyWriter) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if strings.Contains(w.text.String(), "ready") {
		w.cancel()
	}
	return n, err
}

func TestCancelledProcessMayWriteItsCheckpoint(t *testing.T) {
	t.Setenv(asChild, "wait")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &readyWriter{cancel: cancel}
	launch.Process{Program: exe, Cores: launch.Cores(), Output: out}.Run(ctx)
	if out.text.String() != "ready\ncheckpoint\n" {
		t.Errorf("the child printed %q", out.text.String())
	}
}

// The script is one that the shell can read, whatever is left out, and a template
// that does not train is refused.
func TestSlurmScript(t *testing.T) {
	full := launch.SlurmJob{
		Name: "rates", Job: "rates-1", Folder: "/shared/rates.sweep", Command: launch.Quote("/opt/it's/patchlab", "sweep", "task"), Array: "0-9%4", After: "12",
		Grace: 60, Cores: 2, Partition: "gpu", Time: "1:00:00", Account: "lab", Memory: "4G", GPUs: "1",
	}
	for _, job := range []launch.SlurmJob{full, {Name: "r", Job: "r-1-merge", Folder: "/r", Command: "patchlab", Grace: 60, Cores: 1}} {
		script, err := job.Script(launch.SlurmTemplate)
		if err != nil {
			t.Fatal(err)
		}
		check := exec.Command("bash", "-n")
		check.Stdin = bytes.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("bash: %v: %s\n%s", err, out, script)
		}
		for _, option := range []string{"--array=0-9%4", "--dependency=afterany:12", "--partition=gpu", "--time=1:00:00", "--account=lab", "--mem=4G", "--gpus=1"} {
			if has := bytes.Contains(script, []byte("#SBATCH "+option+"\n")); has != (job.Job == full.Job) {
				t.Errorf("%s has %s: %v", job.Job, option, has)
			}
		}
	}
	for _, template := range []string{"#!/bin/sh\n", "{{.Command", "{{.Nodes}} {{.Command}}"} {
		if script, err := full.Script(template); err == nil {
			t.Errorf("the template %q gave %s", template, script)
		}
	}
}

func TestSlurmThatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := launch.Queue(ctx); !errors.Is(err, launch.ErrNoSlurm) {
		t.Errorf("squeue: %v", err)
	}
	if _, err := launch.Submit(ctx, "x.sh"); !errors.Is(err, launch.ErrNoSlurm) {
		t.Errorf("sbatch: %v", err)
	}
}
