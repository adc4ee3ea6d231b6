package backend

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/cpu"
)

// Machine says what the program runs on, as far as it can be told without special rights.
type Machine struct {
	// CPU is the processor's model name, or its architecture where the name cannot be had, with the widest set of vector
	// instructions that it has, such as "AMD EPYC (AVX-512)": clouds give one name to several generations.
	CPU string `json:"cpu"`
	// Cores counts the cores that the process may use: those of its affinity mask, less where a control group
	// allows less time (a limit of 1.5 cores counts as 2).
	Cores int `json:"cores"`
	// MemoryBytes is the memory that the process may use: the machine's, or less where a control group says so;
	// 0 where it cannot be told.
	MemoryBytes int64 `json:"memory_bytes"`
	// OS is the system's name and kernel, such as "Debian GNU/Linux 12 (bookworm), Linux 6.1.0, amd64".
	OS string `json:"os"`
	// GPUs are the model names of NVIDIA's GPUs as nvidia-smi lists them.
	GPUs []string `json:"gpus,omitempty"`
}

// Describe looks at the machine. It takes milliseconds, where nvidia-smi is there up to a few seconds.
func Describe() Machine {
	m := describeSystem()
	if m.CPU == "" {
		m.CPU = runtime.GOARCH
	}
	switch {
	case cpu.X86.HasAVX512F:
		m.CPU += " (AVX-512)"
	case cpu.X86.HasAVX2:
		m.CPU += " (AVX2)"
	}
	if m.Cores == 0 {
		m.Cores = runtime.NumCPU()
	}
	m.GPUs = gpus()
	return m
}

// String returns the machine in one line, such as "NVIDIA H200, Intel(R) Xeon(R) Processor (AVX-512) × 16": what a
// comparison groups runs by.
func (m Machine) String() string {
	line := fmt.Sprintf("%s × %d", m.CPU, m.Cores)
	if gpu := m.GPU(); gpu != "" {
		line = gpu + ", " + line
	}
	return line
}

// GPU returns the GPUs in one line, such as "NVIDIA H200 × 2"; empty where there is none.
func (m Machine) GPU() string {
	var parts []string
	for i := 0; i < len(m.GPUs); {
		n := 1
		for i+n < len(m.GPUs) && m.GPUs[i+n] == m.GPUs[i] {
			n++
		}
		part := m.GPUs[i]
		if n > 1 {
			part += " × " + strconv.Itoa(n)
		}
		parts = append(parts, part)
		i += n
	}
	return strings.Join(parts, ", ")
}

// LoadAverage returns how many tasks ran or waited over the last minute, such as "3.41"; empty where the system does not
// tell.
func LoadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// Environment returns what a run records about the machine: the keys machine, cpu, gpu, cores, memory_bytes, os.
func (m Machine) Environment() map[string]string {
	return map[string]string{
		"machine":      m.String(),
		"cpu":          m.CPU,
		"gpu":          m.GPU(),
		"cores":        strconv.Itoa(m.Cores),
		"memory_bytes": strconv.FormatInt(m.MemoryBytes, 10),
		"os":           m.OS,
	}
}

// gpus lists the model names of NVIDIA's GPUs; none where nvidia-smi is missing or fails.
func gpus() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name", "--format=csv,noheader").Output()
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			names = append(names, line)
		}
	}
	return names
}
