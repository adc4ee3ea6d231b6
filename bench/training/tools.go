package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"patchlab/backend"
)

// tool is one row of the table: how it is started.
type tool struct {
	name    string
	python  string   // the environment .venv/bench-PYTHON; "" for our own program
	script  string   // in peers/
	program string   // another build of ours; "": the one that runs
	env     []string // its own variables
}

// ours is the name of Patchlab's rows.
const ours = "patchlab"

func tools() []tool {
	return []tool{
		{name: ours},
		{name: "keras-tensorflow", python: "tensorflow", script: "keras_peer.py", env: []string{"KERAS_BACKEND=tensorflow"}},
		{name: "keras-jax", python: "jax", script: "keras_peer.py", env: []string{"KERAS_BACKEND=jax"}},
		{name: "jax", python: "jax", script: "jax_peer.py"},
		{name: "torch", python: "torch", script: "torch_peer.py"},
		{name: "torch-compile", python: "torch", script: "torch_peer.py"},
	}
}

func toolNames() []string {
	var names []string
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

// sources is where this program's scripts lie, below the repository's root.
const sources = "bench/training"

// prepare makes the Python environments that the tools need.
func prepare(ctx context.Context, names []string, stderr io.Writer) error {
	made := map[string]bool{"": true}
	for _, t := range tools() {
		if made[t.python] || !slices.Contains(names, t.name) {
			continue
		}
		made[t.python] = true
		c := exec.CommandContext(ctx, "scripts/python-env.sh", "bench-"+t.python, filepath.Join(sources, "requirements", t.python+".txt"))
		c.Stdout, c.Stderr = stderr, stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("make the environment of %s: %w", t.name, err)
		}
	}
	return nil
}

// limit is how long one process may take.
const limit = 15 * time.Minute

// measure runs one tool on its work in a fresh process, with fresh caches.
func (t tool) measure(ctx context.Context, w Work) (Measurement, error) {
	var m Measurement
	folder, err := os.MkdirTemp("", "patchlab-bench-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(folder)
	b, err := json.Marshal(w)
	if err != nil {
		return m, err
	}
	path := filepath.Join(folder, "work.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return m, err
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	var c *exec.Cmd
	if t.python == "" {
		program := t.program
		if program == "" {
			if program, err = os.Executable(); err != nil {
				return m, err
			}
		}
		c = exec.CommandContext(ctx, program, "measure", path)
	} else {
		c = exec.CommandContext(ctx, filepath.Join(".venv", "bench-"+t.python, "bin", "python"), filepath.Join(sources, "peers", t.script), path)
	}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.Env = append(environment(folder, w), t.env...)
	// A group of its own, so that the compilers which it starts end with it,
	// and Ctrl-C comes from here only.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	c.Env = append(c.Env, startedEnv+"="+strconv.FormatFloat(float64(time.Now().UnixNano())/1e9, 'f', 6, 64))
	if err := c.Run(); err != nil {
		return m, fmt.Errorf("%s on %s: %w: %s", t.name, w.Config, cmp.Or(ctx.Err(), err), tail(stderr.Bytes()))
	}
	out := bytes.TrimSpace(stdout.Bytes()) // peers may print before the last line
	if err := json.Unmarshal(out[bytes.LastIndexByte(out, '\n')+1:], &m); err != nil {
		return m, fmt.Errorf("%s on %s: no measurement on its output: %w", t.name, w.Config, err)
	}
	return m, m.check()
}

func (m Measurement) check() error {
	for _, v := range []float64{m.TrainImagesPerS, m.InferImagesPerS, m.FirstStepS, float64(m.PeakRSS)} {
		if !(v > 0) {
			return fmt.Errorf("%s on %s: measured %g", m.Tool, m.Config, v)
		}
	}
	return nil
}

// environment is the same for every tool: glibc's allocator on huge pages that
// are never given back, which makes each of them quicker (for Patchlab, which
// has a pool of its own, it changes nothing), as many threads as cores, no GPU,
// no cache of compiled programs but an empty one.
func environment(folder string, w Work) []string {
	n := strconv.Itoa(w.Threads)
	env := os.Environ()
	if !w.DefaultMalloc {
		env = append(env, "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "MALLOC_TRIM_THRESHOLD_=8000000000", "MALLOC_MMAP_MAX_=0", "MALLOC_ARENA_MAX=1")
	}
	return append(env,
		"OMP_NUM_THREADS="+n, "MKL_NUM_THREADS="+n, "GOMAXPROCS="+n,
		"CUDA_VISIBLE_DEVICES=", "JAX_PLATFORMS=cpu", "TF_CPP_MIN_LOG_LEVEL=3",
		"TORCHINDUCTOR_CACHE_DIR="+filepath.Join(folder, "inductor"), "KERAS_HOME="+filepath.Join(folder, "keras"),
		backend.ProgramsEnv+"="+filepath.Join(folder, "programs"),
	)
}

// tail is the end of what a failed process said.
func tail(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if n := len(b) - 1500; n > 0 {
		b = append([]byte("… "), b[n:]...)
	}
	return b
}
