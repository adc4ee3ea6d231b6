package experiments

import (
	"os"
	"strconv"
	"strings"
)

// peakMemory is the process's largest resident set so far in bytes, or 0 where
// the system doesn't tell.
func peakMemory() int64 { return memory("VmHWM") }

// memory is a figure of the process's memory in bytes, by its name in
// /proc/self/status, or 0 where the system doesn't tell.
func memory(name string) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}
