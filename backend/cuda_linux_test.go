//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrepareCUDA lays files as JAX's Python packages do, with a library that does nothing, and looks at what is loaded
// and said before the plugin would be.
func TestPrepareCUDA(t *testing.T) {
	packages := t.TempDir()
	plugin := filepath.Join(packages, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	library := filepath.Join(packages, "nvidia", "cu13", "lib", "libcudart.so.13")
	tool := filepath.Join(packages, "nvidia", "cu13", "bin", "ptxas")
	for _, file := range []string{plugin, library, tool} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	source := filepath.Join(t.TempDir(), "nothing.c")
	for file, text := range map[string]string{source: "int nothing;", tool: ""} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOPJRT_CUDA_CHECKS", "1")
	t.Setenv("XLA_FLAGS", "--xla_a=1")
	prepare := func() string {
		t.Helper()
		undo, err := prepareCUDA(plugin)
		if err != nil {
			t.Fatal(err)
		}
		flags := os.Getenv("XLA_FLAGS")
		undo()
		return flags
	}
	if got := prepare(); got != "--xla_a=1" {
		t.Errorf("without a library of NVIDIA's: flags %q", got)
	}
	compileC(t, library, "-shared", "-fPIC", source)
	if n := preloadNVIDIA(filepath.Join(packages, "nvidia")); n != 1 {
		t.Errorf("%d libraries loaded, want 1", n)
	}
	const flag = "--xla_gpu_cuda_data_dir="
	dir := filepath.Join(filepath.Dir(plugin), "..", "..", "nvidia", "cu13")
	if got := prepare(); got != "--xla_a=1 "+flag+dir {
		t.Errorf("flags %q, want %s%s added", got, flag, dir)
	}
	if got := os.Getenv("XLA_FLAGS"); got != "--xla_a=1" {
		t.Errorf("flags %q afterwards", got)
	}
	t.Setenv("XLA_FLAGS", flag+"/mine")
	if got := prepare(); got != flag+"/mine" {
		t.Errorf("flags %q, want the user's own", got)
	}
	os.Unsetenv("XLA_FLAGS")
	if got := prepare(); got != flag+dir {
		t.Errorf("flags %q where there were none", got)
	}
	if _, set := os.LookupEnv("XLA_FLAGS"); set {
		t.Error("flags are left where there were none")
	}
	if _, err := prepareCUDA("/a,b/xla_cuda_plugin.so"); err == nil || !strings.Contains(err.Error(), "comma") {
		t.Errorf("a comma in the path: %v", err)
	}
}
