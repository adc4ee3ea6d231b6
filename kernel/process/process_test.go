package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, script string, env ...string) *Running {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	r, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wait waits for a condition; the time is reached only where something is broken.
func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func TestState(t *testing.T) {
	if s := start(t, "exit 3").State(); s != "exit status 3" {
		t.Errorf("state %q", s)
	}
	if _, err := Start(exec.Command("/nowhere/x")); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestKillTree(t *testing.T) {
	entry := fmt.Sprintf("PATCHLAB_TEST_ENTRY=%d", os.Getpid())
	r := start(t, "sleep 1000 & (sleep 1001 & sleep 1002) & wait", entry)
	wait(t, "three below", func() bool { return len(Descendants(r.Pid)) >= 3 })
	var hidden *Running
	if runtime.GOOS == "linux" {
		hidden = start(t, "setsid sleep 1003 & sleep 1004", entry)
		wait(t, "hidden ones", func() bool { return len(WithEntry(entry)) >= 6 })
	}
	if all := Descendants(os.Getpid()); !slices.Contains(all, r.Pid) {
		t.Errorf("%d is not below this process: %v", r.Pid, all)
	}
	KillTree(r.Pid, entry)
	if s := r.State(); s != "signal: killed" {
		t.Errorf("state %q", s)
	}
	if hidden != nil {
		hidden.State()
		wait(t, "none left", func() bool { return len(WithEntry(entry)) == 0 })
	}
}

func TestBegan(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says when a process began")
	}
	r := start(t, "sleep 1000")
	before := Began(r.Pid)
	if before == "" || before != Began(r.Pid) || strings.ContainsAny(before, " ()") {
		t.Errorf("began %q", before)
	}
	KillTree(r.Pid, "")
	r.State()
	if after := Began(r.Pid); after == before {
		t.Errorf("began %q after its end", after)
	}
}

func TestUnread(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what waits in a pipe")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if Unread(os.Getpid()) {
		t.Fatal("an empty pipe has something unread")
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if !Unread(os.Getpid()) {
		t.Error("what was written does not wait to be read")
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if Unread(os.Getpid()) {
		t.Error("what was read still waits")
	}
}

func TestResident(t *testing.T) {
	before := Resident(os.Getpid())
	block := bytes.Repeat([]byte("x"), 64<<20)
	after := Resident(os.Getpid())
	if before <= 0 || after < before+(60<<20) {
		t.Errorf("%d bytes are in use, and %d with %d more", before, after, len(block))
	}
	if n := Resident(1 << 30); n != 0 {
		t.Errorf("a process that is not there has %d bytes in use", n)
	}
}
