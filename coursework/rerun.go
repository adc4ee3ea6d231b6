package coursework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"patchlab/compare/rerun"
	"patchlab/kernel/process"
	"patchlab/tracker"
)

// Command trains runs again by a program, patchlab: each in a process of its own,
// so that a recipe that asks for too much ends without ending the grading.
type Command struct {
	Program string
	Args    []string // more arguments of its command rerun
	// Memory bounds what the process may have in use, in bytes; 0: nothing does. A
	// limit of the system's would be none: it counts addresses, of which XLA reserves
	// many times what it uses.
	Memory int64
}

// look is how often a process's memory is looked at; outside Linux that starts a program.
func look() time.Duration {
	if runtime.GOOS == "linux" {
		return 50 * time.Millisecond
	}
	return time.Second
}

// Rerun is a [Rerun]. It ends the program when ctx ends, and when it takes more
// memory than it may. What the program says at last, when it fails, is the error.
func (c Command) Rerun(ctx context.Context, db, run string, tolerance float64) (rerun.Verdict, error) {
	args := []string{"rerun", run, "--db", db, "--tolerance", strconv.FormatFloat(tolerance, 'g', -1, 64)}
	var said bytes.Buffer
	program := exec.Command(c.Program, append(args, c.Args...)...)
	program.Stderr = &said
	running, err := process.Start(program)
	if err != nil {
		return rerun.Verdict{}, err
	}
	if err := c.watch(ctx, running); err != nil {
		running.Signal(syscall.SIGKILL) // a rerun begins anew in any case
		<-running.Ended()
		return rerun.Verdict{}, err
	}
	if state := running.State(); state != "exit status 0" {
		return rerun.Verdict{}, errors.New(lastSaid(said.String(), state))
	}
	return rerunVerdict(ctx, db, run)
}

// watch waits for a program's end. It is an error where that must not be waited for.
func (c Command) watch(ctx context.Context, running *process.Running) error {
	ticker := time.NewTicker(look())
	defer ticker.Stop()
	for {
		select {
		case <-running.Ended():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if c.Memory > 0 && process.Resident(running.Pid) > c.Memory {
				return fmt.Errorf("it took more than %.1f GB of memory", float64(c.Memory)/1e9)
			}
		}
	}
}

// lastSaid is what a failed program said at last, or how it ended.
func lastSaid(said, state string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last, ok := strings.CutPrefix(lines[len(lines)-1], "patchlab: "); ok {
		return last
	}
	return "the rerun ended with " + state
}

// rerunVerdict reads the verdict that a rerun has recorded. The database holds the
// student's run and those that this machine made: only these are asked.
func rerunVerdict(ctx context.Context, path, run string) (v rerun.Verdict, err error) {
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	runs, err := db.Runs(ctx, tracker.Query{})
	if err != nil {
		return v, err
	}
	for _, r := range runs {
		if r.ID != run && r.Tags[rerun.TagOf] == run {
			return rerun.Stored(r)
		}
	}
	return v, fmt.Errorf("the rerun of %s recorded no run", run)
}
