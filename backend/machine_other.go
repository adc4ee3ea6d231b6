//go:build !linux

package backend

import (
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

func describeSystem() Machine {
	m := Machine{OS: runtime.GOOS + ", " + runtime.GOARCH}
	if runtime.GOOS == "darwin" {
		m.CPU = sysctl("machdep.cpu.brand_string")
		m.MemoryBytes, _ = strconv.ParseInt(sysctl("hw.memsize"), 10, 64)
		m.OS = "macOS " + sysctl("kern.osproductversion") + ", Darwin " + sysctl("kern.osrelease") + ", " + runtime.GOARCH
	}
	return m
}

func sysctl(name string) string {
	out, err := exec.Command("sysctl", "-n", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
