package runner

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// process is a kernel's process, the leader of a session of its own.
type process struct {
	cmd    *exec.Cmd
	output *tail         // what it wrote on stdout and stderr
	ended  chan struct{} // closed when it has ended
	err    error         // how it ended; valid after ended
}

// start starts the process; it does not wait for it to be ready.
func start(argv, env []string, dir string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), output: &tail{}, ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), env...), fmt.Sprintf("JPY_PARENT_PID=%d", os.Getpid()))
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = 500 * time.Millisecond // its children may hold the pipes
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // where the kernel is to die with its parent, that is with the thread that started it
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the kernel: %w", err)
	}
	return p, nil
}

// state says how the process ended.
func (p *process) state() string {
	if p.cmd.ProcessState == nil {
		return p.err.Error()
	}
	return p.cmd.ProcessState.String()
}

// wait waits for the process to end, at most so long.
func (p *process) wait(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// kill ends the process and its children, kindly first.
func (p *process) kill(kindly time.Duration) {
	if kindly > 0 {
		p.terminate()
		p.wait(kindly)
	}
	p.destroy()
	<-p.ended
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[max(0, len(b)-tailSize):]...)
	if len(t.text) > 2*tailSize {
		t.text = append([]byte(nil), t.text[len(t.text)-tailSize:]...)
	}
	return len(b), nil
}

// lines returns the last lines, n at most.
func (t *tail) lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.text), "\uFFFD")), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
