package front

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"patchlab/kernel/process"
)

// ParentEnv is the environment variable in which Jupyter's clients leave their process number.
const ParentEnv = "JPY_PARENT_PID"

// WatchParent returns a context that ends when the process that ParentEnv names has ended. Without that variable, which
// is how clients start kernels that are to outlive them, it watches nothing.
func WatchParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	pid, err := strconv.Atoi(os.Getenv(ParentEnv))
	if err != nil || pid <= 0 {
		return ctx, cancel
	}
	began := process.Began(pid)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// A number is given again to another process, which began later.
			if syscall.Kill(pid, 0) == syscall.ESRCH || process.Began(pid) != began {
				cancel()
				return
			}
		}
	}()
	return ctx, cancel
}

// guardScript waits until the kernel has ended. If it did not say "done" before, it was killed: what it has started and
// its folder are left, and are taken away here.
const guardScript = `read word
[ "$word" = done ] && exit 0
kill -9 -- "-$1" 2>/dev/null
for p in /proc/[0-9]*; do
	if grep -q "PATCHLAB_CELL_PIPE=$2/" "$p/environ" 2>/dev/null; then kill -9 "${p#/proc/}" 2>/dev/null; fi
done
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
`

// Guard has a small process of its own session watch over this one: should this one be killed, it ends the others of
// its process group, which this one leads from now on, and removes the folder. Release ends the guard.
func Guard(folder string) (release func(), err error) {
	if syscall.Getpgrp() != os.Getpid() {
		if err := syscall.Setpgid(0, 0); err != nil {
			return nil, fmt.Errorf("leading a process group: %w", err)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("guarding the kernel: %w", err)
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", "-c", guardScript, "patchlab-guard", strconv.Itoa(os.Getpid()), folder)
	cmd.Stdin = read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("guarding the kernel: %w", err), write.Close())
	}
	return func() {
		fmt.Fprintln(write, "done")
		write.Close()
		cmd.Wait()
	}, nil
}
