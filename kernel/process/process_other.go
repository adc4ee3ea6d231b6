//go:build unix && !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
)

// dieWithParent does nothing: only Linux ends children with their parents.
func dieWithParent(*exec.Cmd) {}

// row is a line of the table of processes.
type row struct {
	pid, parent int
}

// rows returns all processes that can be seen.
func rows() []row {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	var list []row
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent, _ := strconv.Atoi(f[1])
		list = append(list, row{pid, parent})
	}
	return list
}

// withEntry returns nothing: other systems do not show a process's environment reliably.
func withEntry(string) []int { return nil }

// Began returns nothing: the process number has to do.
func Began(int) string { return "" }

// Resident returns the memory that a process has in use (its resident set), in bytes; 0 where there is none.
func Resident(pid int) int64 {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kb, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return kb << 10
}

// Unread returns false: other systems do not tell.
func Unread(int) bool { return false }
