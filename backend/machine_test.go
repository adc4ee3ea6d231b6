package backend

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	m := Describe()
	if m.CPU == "" || m.Cores < 1 || m.Cores > runtime.NumCPU() || !strings.Contains(m.OS, runtime.GOARCH) || m.GPU() != "" {
		t.Errorf("machine %+v", m)
	}
	if runtime.GOOS == "linux" && m.MemoryBytes < 64<<20 {
		t.Errorf("%d bytes of memory", m.MemoryBytes)
	}
	if _, err := strconv.ParseFloat(LoadAverage(), 64); runtime.GOOS == "linux" && err != nil {
		t.Errorf("load average %q", LoadAverage())
	}
	write(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA A'\necho 'NVIDIA B'\necho 'NVIDIA B'\n")
	m = Describe()
	if want := "NVIDIA A, NVIDIA B × 2"; m.GPU() != want {
		t.Errorf("GPU %q, want %q", m.GPU(), want)
	}
	want := "NVIDIA A, NVIDIA B × 2, " + m.CPU + " × " + strconv.Itoa(m.Cores)
	if m.String() != want || m.Environment()["machine"] != want {
		t.Errorf("%q, want %q", m, want)
	}
	for _, key := range []string{"machine", "cpu", "gpu", "cores", "memory_bytes", "os"} {
		if m.Environment()[key] == "" {
			t.Errorf("environment lacks %s", key)
		}
	}
	write(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\necho 'no driver'\nexit 9\n")
	if got := Describe().GPU(); got != "" {
		t.Errorf("GPU %q from a failing nvidia-smi", got)
	}
}
