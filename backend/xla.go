//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

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
func openXLA(path string, kind Kind) (b compute.Backend, version string, err error) {
	if kind == CUDA {
		undo, err := prepareCUDA(path)
		if err != nil {
			return nil, "", err
		}
		defer func() {
			if b == nil {
				undo()
			}
		}()
	} else {
		plain, remove, err := plainPath(path)
		if err != nil {
			return nil, "", err
		}
		defer remove() // what is loaded needs no link
		path = plain
	}
	config := path
	if kind == CUDA {
		config += ",noshared_buffers,tf32=false"
	}
	defer func() {
		if r := recover(); r != nil { // go-xla trusts the library to return an API
			b, version, err = nil, "", fmt.Errorf("loading: %v", r)
		}
	}()
	b, err = xla.New(config)
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
// a fresh temporary folder, which remove removes.
func plainPath(path string) (plain string, remove func(), err error) {
	if !strings.Contains(path, ",") && !pjrt.IsCUDAName(path) {
		return path, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "patchlab-pjrt-")
	if err != nil {
		return "", nil, fmt.Errorf("making a folder for a link to the plugin: %w", err)
	}
	remove = func() { os.RemoveAll(dir) }
	link := filepath.Join(dir, "pjrt_c_api_cpu_plugin"+filepath.Ext(path))
	if err := os.Symlink(path, link); err != nil {
		remove()
		return "", nil, fmt.Errorf("linking the plugin: %w", err)
	}
	return link, remove, nil
}

// prepareCUDA does what JAX's Python code does before it loads the plugin: it loads NVIDIA's libraries that lie beside
// it and names the folder of the CUDA tools (ptxas, libdevice) in XLA_FLAGS, unless the user names one. undo restores
// the environment.
func prepareCUDA(path string) (undo func(), err error) {
	undo = func() {}
	if strings.Contains(path, ",") {
		return undo, fmt.Errorf("its path must not hold a comma, which go-xla takes for the start of options")
	}
	const flag, checks = "--xla_gpu_cuda_data_dir=", "GOPJRT_CUDA_CHECKS"
	if _, set := os.LookupEnv(checks); !set {
		os.Setenv(checks, "0") // go-xla looks for the tools in one place only, and warns at length
	}
	for _, root := range []string{"../../nvidia", "../nvidia"} { // JAX's packages; go-xla's folder
		root = filepath.Join(filepath.Dir(path), root)
		if preloadNVIDIA(root) == 0 {
			continue
		}
		flags, set := os.LookupEnv("XLA_FLAGS")
		for _, tools := range []string{"cu13", "cuda_nvcc"} {
			dir := filepath.Join(root, tools)
			if _, err := os.Stat(filepath.Join(dir, "bin", "ptxas")); err != nil || strings.Contains(flags, flag) {
				continue
			}
			os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+flag+dir))
			return func() {
				if set {
					os.Setenv("XLA_FLAGS", flags)
				} else {
					os.Unsetenv("XLA_FLAGS")
				}
			}, nil
		}
		break
	}
	return undo, nil
}
