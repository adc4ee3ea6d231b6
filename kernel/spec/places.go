package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// User returns the user's own folder of kernelspecs, as Jupyter finds it.
func User() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return filepath.Join(dir, "kernels"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("looking for Jupyter's folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Jupyter", "kernels"), nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "jupyter", "kernels"), nil
}

// Prefix returns the folder of kernelspecs below a prefix, such as a Python environment or /usr/local.
func Prefix(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(abs, "share", "jupyter", "kernels"), nil
}

// SysPrefix returns the folder of kernelspecs of the Python that is first on PATH.
func SysPrefix(ctx context.Context) (string, error) {
	var errs []error
	for _, python := range []string{"python3", "python"} {
		out, err := exec.CommandContext(ctx, python, "-c", "import sys; print(sys.prefix)").Output()
		if err == nil {
			return Prefix(strings.TrimSpace(string(out)))
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("asking Python for its prefix: %w", errors.Join(errs...))
}

// Places returns all folders in which Jupyter looks for kernelspecs.
func Places(ctx context.Context) []string {
	var places []string
	for dir := range strings.SplitSeq(os.Getenv("JUPYTER_PATH"), string(os.PathListSeparator)) {
		if dir != "" {
			places = append(places, filepath.Join(dir, "kernels"))
		}
	}
	if dir, err := User(); err == nil {
		places = append(places, dir)
	}
	if dir, err := SysPrefix(ctx); err == nil {
		places = append(places, dir)
	}
	return append(places, "/usr/local/share/jupyter/kernels", "/usr/share/jupyter/kernels")
}
