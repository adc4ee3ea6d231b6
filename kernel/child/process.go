package child

import (
	"syscall"
	"time"
)

// descendants returns the processes below one.
func descendants(of int) []int {
	children := map[int][]int{}
	for _, p := range processes() {
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

func killAll(pids []int) {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// killTree kills a process, all below it, and all that began with an entry in their environment, until none is left:
// a process may have started another while the list was made.
func killTree(pid int, entry string) {
	for range 100 {
		list := append(descendants(pid), belonging(entry)...)
		killAll(append(list, pid))
		if len(list) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
