package launch

import (
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Cores lists the cores that this process may use.
func Cores() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return numbered()
	}
	var cores []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores
}

// startOn starts a program on some cores. A new process has the affinity of the
// thread that made it; Go's scheduler and XLA's thread pools are as large as it
// allows. The program gets SIGTERM when this process ends, however that happens,
// and no signal of this one's terminal.
func startOn(cmd *exec.Cmd, cores []int) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var before, wanted unix.CPUSet
	for _, core := range cores {
		wanted.Set(core)
	}
	runtime.LockOSThread()
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err := cmd.Start()
	if unix.SchedSetaffinity(0, &before) == nil { // else the thread ends with its goroutine
		runtime.UnlockOSThread()
	}
	return err
}
