package launch

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long a program may take for its checkpoint after SIGTERM.
const patience = 2 * time.Minute

// Process is a program to run on some cores of this machine.
type Process struct {
	Program string
	Args    []string
	Cores   []int
	// Output takes what the program prints, errors included.
	Output io.Writer
}

// Run runs the program to its end. When the context ends, the program gets
// SIGTERM and two minutes for its checkpoint. An error says how it ended.
func (p Process) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.Program, p.Args...)
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.Env = os.Environ()
	limit(cmd, p.Cores)
	if err := startOn(cmd, p.Cores); err != nil {
		return fmt.Errorf("starting %s on cores %v: %w", p.Program, p.Cores, err)
	}
	return cmd.Wait()
}
