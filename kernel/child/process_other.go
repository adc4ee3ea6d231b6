//go:build unix && !linux

package child

import (
	"os/exec"
	"strconv"
	"strings"
)

// dieWithParent does nothing: only Linux ends children with their parents.
func dieWithParent(*exec.Cmd) {}

// process is a line of the table of processes.
type process struct {
	pid, parent int
}

// processes returns all processes that can be seen.
func processes() []process {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	var list []process
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent, _ := strconv.Atoi(f[1])
		list = append(list, process{pid, parent})
	}
	return list
}

// belonging returns nothing: other systems do not show a process's environment reliably.
func belonging(string) []int { return nil }
