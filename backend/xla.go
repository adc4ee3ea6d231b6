//go:build ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64)) && !noxla

package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

const xlaBuilt = true

// openXLA loads the plugin at an absolute path. go-xla installs nothing when it is given an absolute path, and it
// reads PJRT_PLUGIN_LIBRARY_PATH only at the start of the process, so a path is what it always gets.
func openXLA(path string, kind Kind) (compute.Backend, string, error) {
	if kind == CUDA {
		if err := prepareCUDA(path); err != nil {
			return nil, "", err
		}
	} else {
		plain, err := plainPath(path)
		if err != nil {
			return nil, "", err
		}
		path = plain
	}
	config := path
	if kind == CUDA {
		config += ",noshared_buffers"
	}
	b, err := xla.New(config)
	if err != nil {
		return nil, "", fmt.Errorf("loading: %w", err)
	}
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return nil, "", fmt.Errorf("loading: %w", err)
	}
	major, minor := plugin.Version()
	return b, fmt.Sprintf("%d.%d", major, minor), nil
}

// plainPath returns a path that go-xla reads rightly. It takes everything behind a comma for options, and a "cuda"
// or "nvidia" anywhere in the path (a user's name, say) for a sign of a GPU plugin: such a path is given a link in
// a fresh temporary folder.
func plainPath(path string) (string, error) {
	if !strings.Contains(path, ",") && !pjrt.IsCUDAName(path) {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "patchlab-pjrt-")
	if err != nil {
		return "", fmt.Errorf("making a folder for a link to the plugin: %w", err)
	}
	link := filepath.Join(dir, "pjrt_c_api_cpu_plugin"+filepath.Ext(path))
	if err := os.Symlink(path, link); err != nil {
		return "", fmt.Errorf("linking the plugin: %w", err)
	}
	return link, nil
}

// prepareCUDA sets what JAX's Python code would set before it loads the plugin: XLA_FLAGS names the folder of the
// CUDA tools (ptxas, libdevice) beside the plugin, unless the user names one.
func prepareCUDA(path string) error {
	if strings.Contains(path, ",") {
		return fmt.Errorf("its path must not hold a comma")
	}
	const flag, checks = "--xla_gpu_cuda_data_dir=", "GOPJRT_CUDA_CHECKS"
	if _, set := os.LookupEnv(checks); !set {
		os.Setenv(checks, "0") // go-xla looks for the tools elsewhere and warns at length
	}
	flags := os.Getenv("XLA_FLAGS")
	if strings.Contains(flags, flag) {
		return nil
	}
	for _, root := range []string{"../../nvidia", "../nvidia", "."} {
		for _, tools := range []string{"cu13", "cuda_nvcc", "."} {
			dir := filepath.Join(filepath.Dir(path), root, tools)
			if _, err := os.Stat(filepath.Join(dir, "bin", "ptxas")); err == nil {
				return os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+flag+dir))
			}
		}
	}
	return nil
}
