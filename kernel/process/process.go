package process

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Start starts a command that the system kills when this process ends, however that happens (on Linux). Ended is
// closed when the command has ended and state is set, to "exit status 0" or what Wait says.
func Start(cmd *exec.Cmd) (running *Running, err error) {
	dieWithParent(cmd)
	r := &Running{Pid: 0, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The system ends the child when the thread that started it ends, so this one stays.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			r.Pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		r.state = "exit status 0"
		if err := cmd.Wait(); err != nil {
			r.state = err.Error()
		}
		close(r.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return r, nil
}

// Running is a command that was started.
type Running struct {
	Pid   int
	ended chan struct{}
	state string
}

// Ended is closed when the command has ended.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// State waits for the end and says how it came, such as "signal: killed".
func (r *Running) State() string {
	<-r.ended
	return r.state
}

// Signal sends a signal to the command's process, if it has not ended.
func (r *Running) Signal(s syscall.Signal) {
	select {
	case <-r.ended:
	default:
		syscall.Kill(r.Pid, s)
	}
}

// Descendants returns the processes below one.
func Descendants(of int) []int {
	children := map[int][]int{}
	for _, p := range rows() {
		children[p.parent] = append(children[p.parent], p.pid)
	}
	var all []int
	for next := children[of]; len(next) > 0; {
		pid := next[0]
		next = append(next[1:], children[pid]...)
		all = append(all, pid)
	}
	return all
}

// WithEntry returns the processes that began with an entry ("NAME=value") in their environment, on Linux; elsewhere it
// finds none.
func WithEntry(entry string) []int { return withEntry(entry) }

// SignalAll sends a signal to processes.
func SignalAll(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		syscall.Kill(pid, s)
	}
}

// KillTree kills a process, all below it, and all that began with an entry in their environment, until none is left:
// a process may have started another while the list was made. Parents go first, so that none goes on after the end of
// a child.
func KillTree(pid int, entry string) {
	for range 100 {
		list := Descendants(pid)
		if entry != "" {
			list = append(list, WithEntry(entry)...)
		}
		SignalAll(append([]int{pid}, list...), syscall.SIGKILL)
		if len(list) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
