package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMachineNamesItsInstructions(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	flags := string(info)
	for name, flag := range map[string]string{"(AVX-512)": " avx512f", "(AVX2)": " avx2"} {
		want := strings.Contains(flags, flag) && !(flag == " avx2" && strings.Contains(flags, " avx512f"))
		if got := strings.HasSuffix(Describe().CPU, name); got != want {
			t.Errorf("%q names %s: %t, want %t", Describe().CPU, name, got, want)
		}
	}
}

func TestControlGroupLimits(t *testing.T) {
	cases := []struct {
		name, self string
		files      map[string]string
		cores      float64
		memory     int64
	}{
		{"none", "0::/a/b\n", nil, 0, 0},
		{"version 2 unlimited", "0::/a/b\n", map[string]string{"a/cpu.max": "max 100000\n", "a/memory.max": "max\n"}, 0, 0},
		{
			"version 2, a parent is stricter", "0::/a/b\n",
			map[string]string{"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "400000 100000\n", "a/b/memory.max": "2147483648\n", "memory.max": "max\n"},
			1.5, 2 << 30,
		},
		{"version 2 seen from inside a container", "0::/far/away\n", map[string]string{"cpu.max": "200000 100000\n"}, 2, 0},
		{
			"version 1", "5:cpuacct,cpu:/c\n3:memory:/m\n1:name=systemd:/x\n",
			map[string]string{
				"cpu/c/cpu.cfs_quota_us": "50000\n", "cpu/c/cpu.cfs_period_us": "100000\n", "cpu/cpu.cfs_quota_us": "-1\n",
				"memory/m/memory.limit_in_bytes": "1073741824\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
			},
			.5, 1 << 30,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			self := write(t, filepath.Join(t.TempDir(), "cgroup"), c.self)
			for name, content := range c.files {
				write(t, filepath.Join(root, name), content)
			}
			if got := cpuQuota(root, self); got != c.cores {
				t.Errorf("%g cores, want %g", got, c.cores)
			}
			if got := memoryLimit(root, self); got != c.memory {
				t.Errorf("%d bytes, want %d", got, c.memory)
			}
		})
	}
}

func TestFirstValue(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "cpuinfo"), "processor\t: 0\nmodel name\t: A: B\nHardware : C\nmodel name : D\n")
	if got := firstValue(file, ":", "absent", "model name"); got != "A: B" {
		t.Errorf("%q, want %q", got, "A: B")
	}
	if got := firstValue(file, ":", "absent"); got != "" {
		t.Errorf("%q for an absent key", got)
	}
}
