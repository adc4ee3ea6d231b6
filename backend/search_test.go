package backend

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func paths(found []candidate) []string {
	var p []string
	for _, c := range found {
		p = append(p, c.path)
	}
	return p
}

func TestFindOrder(t *testing.T) {
	o, log := lonely(t)
	root := t.TempDir()
	t.Setenv("HOME", filepath.Join(root, "home"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "cache"))
	o.system = []string{filepath.Join(root, "system")}
	first, second := filepath.Join(root, "one [1]"), filepath.Join(root, "two")
	t.Setenv(pluginPathEnv, first+":"+second+"::"+filepath.Join(root, "absent"))
	want := []string{
		write(t, filepath.Join(first, "pjrt_c_api_cpu_plugin.so"), ""),
		write(t, filepath.Join(first, "pjrt_c_api_cpu_v0.114.0_plugin.so"), ""),
		write(t, filepath.Join(first, "pjrt_c_api_cpu_v0.98.0_plugin.so"), ""),
		write(t, filepath.Join(second, "pjrt-plugin-cpu.so"), ""),
		write(t, filepath.Join(root, "home/.local/lib/go-xla/pjrt_c_api_cpu_v0.114.0_plugin.so"), ""),
		write(t, filepath.Join(root, "system/pjrt_c_api_cpu_plugin.so"), ""),
		write(t, filepath.Join(root, "cache/patchlab/pjrt/pjrt_c_api_cpu_plugin.so"), ""),
	}
	write(t, filepath.Join(first, "pjrt_c_api_cuda_plugin.so"), "")
	write(t, filepath.Join(first, "libother.so"), "")
	found := o.find(context.Background(), XLA)
	if got := paths(found); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if found[0].source != pluginPathEnv || found[6].source != "Patchlab's cache folder" {
		t.Errorf("sources %q and %q", found[0].source, found[6].source)
	}
	if log.String() != "" {
		t.Errorf("said %q", log)
	}
}

func TestFindSaysThatThePluginPathIsEmpty(t *testing.T) {
	o, log := lonely(t)
	dir := t.TempDir()
	t.Setenv(pluginPathEnv, dir)
	if found := o.find(context.Background(), XLA); found != nil {
		t.Errorf("found %v in an empty folder", found)
	}
	if want := pluginPathEnv + "=" + dir + " holds no plugin for the CPU"; !strings.Contains(log.String(), want) {
		t.Errorf("said %q, want %q", log, want)
	}
}

func TestFindCUDAInPythonPackages(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 on PATH")
	}
	o, _ := lonely(t)
	site := filepath.Join(t.TempDir(), "site [packages]")
	t.Setenv("PYTHONPATH", site)
	newer := write(t, filepath.Join(site, "jax_plugins/xla_cuda13/xla_cuda_plugin.so"), "")
	older := write(t, filepath.Join(site, "jax_plugins/xla_cuda12/xla_cuda_plugin.so"), "")
	found := paths(o.find(context.Background(), CUDA))
	if len(found) < 2 || found[0] != newer || found[1] != older {
		t.Errorf("found %q, want first %q and %q", found, newer, older)
	}
	if got := paths(o.find(context.Background(), XLA)); got != nil {
		t.Errorf("took CUDA plugins %q for CPU plugins", got)
	}
}

func TestNewerFirst(t *testing.T) {
	names := []string{"cpu_v0.98.0", "cpu_v0.114.0", "cpu_v0.114.0rc1", "cpu", "cpu_v0.114.10", "cpu_v0.0114.2"}
	slices.SortFunc(names, newerFirst)
	want := []string{"cpu_v0.114.10", "cpu_v0.0114.2", "cpu_v0.114.0rc1", "cpu_v0.114.0", "cpu_v0.98.0", "cpu"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
