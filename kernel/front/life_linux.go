package front

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// startOf returns when a process began, in the system's ticks; empty where there is none, or only its remains.
func startOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from the third field on
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
