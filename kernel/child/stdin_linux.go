package child

import (
	"fmt"
	"os"
	"path/filepath"
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
	before := 0
	for {
		select {
		case <-r.done:
			return
		case <-c.process.Ended():
			return
		case <-tick.C:
		}
		pid := c.reader()
		if pid == 0 || pid != before { // twice, so that it waits
			before = pid
			continue
		}
		before = 0
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

// reader returns the process of a cell's program that waits to read its standard input, 0 where none does.
func (c *Child) reader() int {
	for _, pid := range process.Descendants(c.process.Pid) {
		proc := "/proc/" + strconv.Itoa(pid)
		exe, err := os.Readlink(proc + "/exe")
		if err != nil || !strings.HasPrefix(exe, c.config.temp()+string(filepath.Separator)) {
			continue // a shell, a compiler
		}
		calls, err := filepath.Glob(proc + "/task/*/syscall")
		if err != nil {
			continue
		}
		for _, file := range calls {
			// The call's number and its arguments: read(0, …).
			b, err := os.ReadFile(file)
			if f := strings.Fields(string(b)); err == nil && len(f) > 1 && f[0] == strconv.Itoa(syscall.SYS_READ) && f[1] == "0x0" {
				return pid
			}
		}
	}
	return 0
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
