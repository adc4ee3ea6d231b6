package coursework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"patchlab/compare/rerun"
	"patchlab/kernel/process"
	"patchlab/tracker"
)

// Command trains runs again by a program, patchlab: each in a process of its own,
// so that a recipe that asks for too much ends without ending the grading.
type Command struct {
	Program string
	Args    []string // more arguments of its command rerun
}

// Rerun is a [Rerun]. It ends the program when ctx ends. What the program says at
// last, when it fails, is the error.
func (c Command) Rerun(ctx context.Context, db, run string, tolerance float64) (rerun.Verdict, error) {
	args := []string{"rerun", run, "--db", db, "--tolerance", strconv.FormatFloat(tolerance, 'g', -1, 64)}
	var said bytes.Buffer
	program := exec.Command(c.Program, append(args, c.Args...)...)
	program.Stderr = &said
	running, err := process.Start(program)
	if err != nil {
		return rerun.Verdict{}, err
	}
	select {
	case <-running.Ended():
	case <-ctx.Done():
		running.Signal(syscall.SIGKILL) // a rerun begins anew in any case
		<-running.Ended()
		return rerun.Verdict{}, ctx.Err()
	}
	if state := running.State(); state != "exit status 0" {
		return rerun.Verdict{}, errors.New(lastSaid(said.String(), state))
	}
	return rerunVerdict(ctx, db, run)
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
