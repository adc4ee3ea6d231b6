package main

import (
	"bufio"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What cannot be left at once says so at the first Ctrl-C, and ends at the
// second; here it is a recipe from a pipe that nobody writes. Any number of
// SIGTERM is one stop, as schedulers send it to a script and to its programs.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	for first, times := range map[os.Signal]int{syscall.SIGINT: 1, syscall.SIGTERM: 50} {
		t.Run(first.String(), func(t *testing.T) {
			testSecondInterrupt(t, first, times, "--resume latest", "train", "--recipe")
		})
	}
	t.Run("of a sweep", func(t *testing.T) {
		testSecondInterrupt(t, syscall.SIGINT, 1, "patchlab sweep resume", "sweep", "--name", "x", "--try", "dim=8", "--recipe")
	})
}

// testSecondInterrupt runs a command whose last argument is the pipe, and looks for
// what it says how to go on.
func testSecondInterrupt(t *testing.T, first os.Signal, times int, goesOn string, args ...string) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "recipe.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	cmd := process(t.Context(), dir, nil, append(args, pipe)...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // opens when the command reads
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	send := func(s os.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for range times {
		send(first)
		time.Sleep(time.Millisecond) // or they become one
	}
	said := ""
	lines := bufio.NewScanner(errs)
	for lines.Scan() {
		if said += lines.Text() + "\n"; strings.Contains(lines.Text(), "Ctrl-C again ends at once") {
			send(os.Interrupt)
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 ||
		!strings.Contains(said, "stopping when the step") || !strings.Contains(said, "ended at once; all that was recorded is kept; ") || !strings.Contains(said, goesOn) {
		t.Errorf("exit code %d, and it said:\n%s", code, said)
	}
}

// A kernel that shares a terminal outlives any number of Ctrl-C.
func TestKernelOutlivesInterrupts(t *testing.T) {
	ctx, stop := interruptible(io.Discard, nil)
	defer stop()
	defer keepFromInterrupts()()
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, os.Interrupt)
	defer signal.Stop(seen)
	for range 3 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		<-seen
	}
	if ctx.Err() != nil {
		t.Error("the program's own handler took a Ctrl-C")
	}
}
