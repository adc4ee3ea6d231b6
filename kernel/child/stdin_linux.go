package child

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"patchlab/kernel/process"
)

// lookTime is how often it is looked whether a cell waits for input.
const lookTime = 100 * time.Millisecond

// serveInput asks for input whenever the cell's program waits to read its standard input, which GoNB leaves open and
// empty: the system shows which call a thread is in, and lets the pipe be opened for writing.
func (c *Child) serveInput(r *run) {
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	for pid, waited := 0, false; ; {
		select {
		case <-r.done:
			return
		case <-c.process.Ended():
			return
		case <-tick.C:
		}
		pid = c.program(pid)
		before := waited
		if waited = pid != 0 && reads(pid); !waited || !before { // twice, so that it waits
			continue
		}
		waited = false
		value, err := r.outputs.Input("", false, r.done)
		if err != nil {
			return // the cell has ended, or is about to
		}
		if err := feed(pid, value+"\n"); err != nil {
			c.config.Logf("giving input to a cell: %v", err)
			return
		}
	}
}

// program returns the process of a cell's program, 0 where none runs. To look through all processes costs milliseconds,
// so that it is given the last one that was found.
func (c *Child) program(last int) int {
	isCell := func(pid int) bool {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err == nil && strings.HasPrefix(exe, c.config.temp()+string(filepath.Separator)) // no shell, no compiler
	}
	if last != 0 && isCell(last) {
		return last
	}
	all := process.Descendants(c.process.Pid)
	if i := slices.IndexFunc(all, isCell); i >= 0 {
		return all[i]
	}
	return 0
}

// reads tells whether a process waits to read its standard input.
func reads(pid int) bool {
	calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return false
	}
	for _, file := range calls {
		// The call's number and its arguments: read(0, …).
		b, err := os.ReadFile(file)
		if f := strings.Fields(string(b)); err == nil && len(f) > 1 && f[0] == strconv.Itoa(syscall.SYS_READ) && f[1] == "0x0" {
			return true
		}
	}
	return false
}

// feed writes a line into a process's standard input.
func feed(pid int, line string) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/0", pid), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return err
}
