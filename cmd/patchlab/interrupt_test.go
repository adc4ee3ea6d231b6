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
)

// What cannot be left at once says so at the first Ctrl-C, and ends at the
// second; here it is a recipe from a pipe that nobody writes.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "recipe.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	cmd := process(t.Context(), dir, nil, "train", "--recipe", pipe)
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
	interrupt := func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	said := ""
	lines := bufio.NewScanner(errs)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "Ctrl-C again ends at once") {
			interrupt()
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said, "ended at once; all that was recorded is kept") {
		t.Errorf("exit code %d, and it said:\n%s", code, said)
	}
}

// A kernel that shares a terminal outlives any number of Ctrl-C.
func TestKernelOutlivesInterrupts(t *testing.T) {
	ctx, stop := interruptible(io.Discard)
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
