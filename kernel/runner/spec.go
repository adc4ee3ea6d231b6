package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Spec is an installed kernelspec: how a kernel is started.
type Spec struct {
	Name          string            `json:"-"` // the folder's name
	Dir           string            `json:"-"` // the folder
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"` // "signal" (also ""), "message"
	Env           map[string]string `json:"env"`
}

// Find returns the kernelspec of that name. Names are compared without regard
// to case, as Jupyter does. The error lists the names that there are.
func Find(name string) (Spec, error) {
	specs, err := List()
	if err != nil {
		return Spec{}, err
	}
	var names []string
	for _, s := range specs {
		if strings.EqualFold(s.Name, name) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return Spec{}, fmt.Errorf("no kernel %q, nor any other, is installed; patchlab kernel install installs Go's", name)
	}
	return Spec{}, fmt.Errorf("no kernel %q is installed; allowed: %s", name, strings.Join(names, ", "))
}

// List returns the installed kernelspecs. Where two have the same name, the one
// that Jupyter would take is there alone. Folders without a readable kernel.json
// are left out.
func List() ([]Spec, error) {
	var specs []Spec
	for _, dir := range searchPath() {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking for kernels: %w", err)
		}
		for _, e := range entries {
			same := func(s Spec) bool { return strings.EqualFold(s.Name, e.Name()) }
			if slices.ContainsFunc(specs, same) {
				continue
			}
			if s, err := readSpec(filepath.Join(dir, e.Name())); err == nil {
				specs = append(specs, s)
			}
		}
	}
	return specs, nil
}

func readSpec(dir string) (Spec, error) {
	data, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return Spec{}, err
	}
	s := Spec{Name: filepath.Base(dir), Dir: dir}
	if err := json.Unmarshal(data, &s); err != nil {
		return Spec{}, fmt.Errorf("%s/kernel.json: %w", dir, err)
	}
	if len(s.Argv) == 0 {
		return Spec{}, fmt.Errorf("%s/kernel.json has no argv", dir)
	}
	return s, nil
}

// searchPath lists the folders that hold kernelspecs, the most important first,
// as jupyter_core.paths.jupyter_path does: $JUPYTER_PATH, the environment at hand
// (a virtual environment, Conda, or that of the jupyter program on the PATH),
// the user's data folder, the system's. Outside an environment, or with
// JUPYTER_PREFER_ENV_PATH=0, the user's folder comes before.
func searchPath() []string {
	var dirs []string
	add := func(dir string) {
		if dir != "" && !slices.Contains(dirs, filepath.Join(dir, "kernels")) {
			dirs = append(dirs, filepath.Join(dir, "kernels"))
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("JUPYTER_PATH")) {
		add(dir)
	}
	prefix := os.Getenv("VIRTUAL_ENV")
	if prefix == "" && os.Getenv("CONDA_DEFAULT_ENV") != "base" {
		prefix = os.Getenv("CONDA_PREFIX")
	}
	if yes, set := boolean(os.Getenv("JUPYTER_PREFER_ENV_PATH")); set && !yes || !set && prefix == "" {
		add(dataDir())
	}
	if prefix != "" {
		add(filepath.Join(prefix, "share", "jupyter"))
	}
	add(dataDir())
	for _, program := range []string{"jupyter", "python3"} {
		if path, err := exec.LookPath(program); err == nil {
			add(filepath.Join(filepath.Dir(filepath.Dir(path)), "share", "jupyter"))
		}
	}
	add("/usr/local/share/jupyter")
	add("/usr/share/jupyter")
	return dirs
}

func boolean(text string) (value, set bool) {
	switch strings.ToLower(text) {
	case "":
		return false, false
	case "no", "n", "false", "off", "0", "0.0":
		return false, true
	}
	return true, true
}

// dataDir is Jupyter's folder of the user's data.
func dataDir() string {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	switch {
	case err != nil:
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Jupyter")
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "jupyter")
	}
	return filepath.Join(home, ".local", "share", "jupyter")
}

// runtimeDir is Jupyter's folder of connection files.
func runtimeDir() string {
	if dir := os.Getenv("JUPYTER_RUNTIME_DIR"); dir != "" {
		return dir
	}
	if dir := dataDir(); dir != "" {
		return filepath.Join(dir, "runtime")
	}
	return filepath.Join(os.TempDir(), "jupyter-runtime")
}

var (
	pythonName   = regexp.MustCompile(`^python([0-9](\.[0-9]+)?)?$`)
	variableName = regexp.MustCompile(`\$\{(\w+)\}`)
)

// command returns the words that start the kernel and the variables that its
// specification adds to the environment.
func (s Spec) command(connectionFile string) (argv, env []string) {
	prefix, _, inPrefix := strings.Cut(s.Dir, filepath.Join(string(filepath.Separator)+"share", "jupyter"))
	fill := strings.NewReplacer("{connection_file}", connectionFile, "{resource_dir}", s.Dir, "{prefix}", prefix)
	for _, word := range s.Argv {
		argv = append(argv, fill.Replace(word))
	}
	// A bare "python" means the one whose environment holds the specification.
	if python := filepath.Join(prefix, "bin", argv[0]); inPrefix && pythonName.MatchString(argv[0]) {
		if _, err := os.Stat(python); err == nil {
			argv[0] = python
		}
	}
	for key, value := range s.Env {
		env = append(env, key+"="+variableName.ReplaceAllStringFunc(value, func(ref string) string {
			if v, ok := os.LookupEnv(ref[2 : len(ref)-1]); ok {
				return v
			}
			return ref
		}))
	}
	return argv, env
}
