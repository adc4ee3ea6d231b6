package backend

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// pluginPathEnv lists folders to look for plugins in; go-xla reads it too.
const pluginPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// CUDAInstallCommand is the command that brings JAX's CUDA plugin and NVIDIA's libraries.
const CUDAInstallCommand = `python3 -m pip install "jax[cuda13]"`

// candidate is a file that looks like a plugin.
type candidate struct {
	path   string // absolute
	source string // where it was found, in words
}

// systemFolders are the folders of the whole machine that go-xla's installer serves.
func systemFolders() []string {
	return []string{"/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia", "/usr/local/lib/gomlx/pjrt"}
}

// userFolders are the folders of the user that go-xla's installer serves: "lib" is ~/.local/lib on Linux,
// ~/Library/Application Support on macOS.
func userFolders() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	if runtime.GOOS == "darwin" {
		return []string{filepath.Join(home, "Library", "Application Support", "go-xla")}
	}
	lib := filepath.Join(home, ".local", "lib")
	return []string{filepath.Join(lib, "go-xla"), filepath.Join(lib, "go-xla", "nvidia"), filepath.Join(lib, "gomlx", "pjrt")}
}

// find lists the plugins of a kind (XLA: for the CPU) in the order of preference, without opening them.
func (o *opener) find(ctx context.Context, kind Kind) []candidate {
	var found []candidate
	add := func(source string, paths ...string) {
		for _, p := range paths {
			if abs, err := filepath.Abs(p); err == nil && !slices.ContainsFunc(found, func(c candidate) bool { return c.path == abs }) {
				found = append(found, candidate{path: abs, source: source})
			}
		}
	}
	if value, set := os.LookupEnv(pluginPathEnv); set {
		before := len(found)
		for _, dir := range filepath.SplitList(value) {
			if dir != "" {
				add(pluginPathEnv, pluginsIn(dir, kind)...)
			}
		}
		if value != "" && len(found) == before && kind != CUDA {
			o.say("backend: %s=%s holds no plugin for the CPU (a file such as %s); looking elsewhere", pluginPathEnv, value, cpuPluginFile)
		}
	}
	for _, dir := range slices.Concat(userFolders(), o.system) {
		add("go-xla's folder "+dir, pluginsIn(dir, kind)...)
	}
	if dir, err := CacheDir(); err == nil {
		add("Patchlab's cache folder", pluginsIn(dir, kind)...)
	}
	if kind == CUDA {
		add("Python's packages", pythonPlugins(ctx)...)
	}
	return found
}

// cpuPluginFile is the name under which Patchlab keeps XLA's CPU plugin.
const cpuPluginFile = "pjrt_c_api_cpu_plugin.so"

// pluginsIn lists the plugins of a kind in one folder: the unversioned name first, then the highest name.
func pluginsIn(dir string, kind Kind) []string {
	device := "cpu"
	if kind == CUDA {
		device = "cuda"
	}
	patterns := []string{"pjrt_c_api_" + device + "_plugin", "pjrt_c_api_" + device + "_*_plugin", "pjrt?plugin?" + device + "*"}
	if kind == CUDA {
		patterns = append(patterns, "xla_cuda_plugin") // JAX's name for it
	}
	var found []string
	for _, pattern := range patterns {
		for _, ext := range []string{".so", ".dylib"} {
			matches, _ := filepath.Glob(filepath.Join(escapeGlob(dir), pattern+ext))
			slices.SortFunc(matches, newerFirst)
			found = append(found, matches...)
		}
	}
	return found
}

// newerFirst orders names so that the higher version comes first: runs of digits compare as numbers.
func newerFirst(a, b string) int {
	split := func(s string) (digits, rest string) {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(s)
		}
		return s[:n], s[n:]
	}
	for a != "" && b != "" {
		da, ra := split(a)
		db, rb := split(b)
		if da != "" && db != "" {
			da, db = strings.TrimLeft(da, "0"), strings.TrimLeft(db, "0")
			if c := cmp.Or(cmp.Compare(len(db), len(da)), strings.Compare(db, da)); c != 0 {
				return c
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(b[0], a[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(b), len(a))
}

// escapeGlob takes the meaning from characters that filepath.Glob would expand.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// pythonPlugins asks the Python on PATH (that of an active virtual environment, if any) for JAX's CUDA plugins,
// newest CUDA first.
func pythonPlugins(ctx context.Context) []string {
	const script = `
import glob, os, sys
for p in sys.path:
    for f in sorted(glob.glob(os.path.join(glob.escape(p or "."), "jax_plugins", "xla_cuda*", "xla_cuda_plugin.so")), reverse=True):
        print(f)
`
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var found []string
	for _, python := range []string{"python3", "python"} {
		out, err := exec.CommandContext(ctx, python, "-c", script).Output()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(found, line) {
				found = append(found, line)
			}
		}
	}
	return found
}

// hasNVIDIA reports whether an NVIDIA GPU seems to be there.
func hasNVIDIA() bool {
	if devices, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(devices) > 0 {
		return true
	}
	return len(gpus()) > 0
}
