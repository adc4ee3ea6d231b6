package backend

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func describeSystem() Machine {
	m := Machine{
		CPU:         firstValue("/proc/cpuinfo", ":", "model name", "Hardware", "Model"),
		Cores:       runtime.NumCPU(), // honours the affinity mask
		MemoryBytes: memoryTotal(),
	}
	if quota := cpuQuota("/sys/fs/cgroup", "/proc/self/cgroup"); quota > 0 {
		m.Cores = min(m.Cores, max(1, int(math.Ceil(quota))))
	}
	if limit := memoryLimit("/sys/fs/cgroup", "/proc/self/cgroup"); limit > 0 && (m.MemoryBytes == 0 || limit < m.MemoryBytes) {
		m.MemoryBytes = limit
	}
	name := strings.Trim(firstValue("/etc/os-release", "=", "PRETTY_NAME"), `"`)
	if name == "" {
		name = "Linux"
	}
	m.OS = name
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		m.OS += ", " + unix.ByteSliceToString(uts.Sysname[:]) + " " + unix.ByteSliceToString(uts.Release[:])
	}
	m.OS += ", " + runtime.GOARCH
	return m
}

// firstValue returns the value of the first of the keys that a file of "key<sep>value" lines holds.
func firstValue(path, sep string, keys ...string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	values := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), sep)
		if key = strings.TrimSpace(key); ok && values[key] == "" {
			values[key] = strings.TrimSpace(value)
		}
	}
	for _, key := range keys {
		if values[key] != "" {
			return values[key]
		}
	}
	return ""
}

func memoryTotal() int64 {
	var kib int64
	if _, err := fmt.Sscanf(firstValue("/proc/meminfo", ":", "MemTotal"), "%d kB", &kib); err != nil {
		return 0
	}
	return kib * 1024
}

// cgroupFolders lists the folders of the process's control group and its parents, innermost first, for one
// controller: version 2's single tree, or version 1's tree of that controller. Inside a container the listed path
// may not exist below root; the root itself then holds the limits.
func cgroupFolders(root, self, controller string) []string {
	data, err := os.ReadFile(self)
	if err != nil {
		return nil
	}
	var folders []string
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base := root
		if parts[1] != "" {
			if !hasField(parts[1], controller) {
				continue
			}
			base = filepath.Join(root, controller)
		}
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			folders = append(folders, filepath.Join(base, path))
			if path == "/" {
				break
			}
		}
	}
	return folders
}

func hasField(list, name string) bool {
	for field := range strings.SplitSeq(list, ",") {
		if field == name {
			return true
		}
	}
	return false
}

// cpuQuota returns the strictest limit on CPU time, in cores; 0 for none.
func cpuQuota(root, self string) float64 {
	var strictest float64
	limit := func(quota, period float64) {
		if quota > 0 && period > 0 && (strictest == 0 || quota/period < strictest) {
			strictest = quota / period
		}
	}
	for _, dir := range cgroupFolders(root, self, "cpu") {
		var quota, period float64
		if data, err := os.ReadFile(filepath.Join(dir, "cpu.max")); err == nil {
			if n, _ := fmt.Sscan(string(data), &quota, &period); n == 2 { // "max 100000" reads 0 values
				limit(quota, period)
			}
		}
		limit(number(filepath.Join(dir, "cpu.cfs_quota_us")), number(filepath.Join(dir, "cpu.cfs_period_us")))
	}
	return strictest
}

// memoryLimit returns the strictest limit on memory, in bytes; 0 for none.
func memoryLimit(root, self string) int64 {
	var strictest int64
	for _, dir := range cgroupFolders(root, self, "memory") {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			if n := int64(number(filepath.Join(dir, name))); n > 0 && n < 1<<60 && (strictest == 0 || n < strictest) {
				strictest = n
			}
		}
	}
	return strictest
}

// number reads a file that holds one number; 0 where it does not.
func number(path string) float64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
	if err != nil {
		return 0
	}
	return n
}
