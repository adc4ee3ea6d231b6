package jupytertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"patchlab/kernel/spec"
)

// Requirements is the file that pins the environment, relative to the module's root.
const Requirements = "kernel/testdata/requirements.txt"

// Root returns the module's root folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
		dir = up
	}
}

// Bin returns the path of a program of the environment, such as "python" or
// "papermill". Where it is missing the test is skipped, and fails under CI.
func Bin(t testing.TB, name string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".venv", "jupyter", "bin", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Jupyter, and CI must have it: %v", err)
		}
		t.Skipf("no Jupyter here (make deps installs it): %v", err)
	}
	return path
}

// Tools returns the folder with the programs behind the kernel. Where they are missing the test is skipped, and fails
// under CI.
func Tools(t testing.TB) string {
	t.Helper()
	dir, err := spec.ToolsFolder()
	if err != nil {
		t.Fatal(err)
	}
	if !spec.ToolsBuilt(dir) {
		if os.Getenv("CI") != "" {
			t.Fatal("the kernel's programs are missing: patchlab kernel install --tools-only")
		}
		t.Skip("the kernel's programs are missing: patchlab kernel install --tools-only")
	}
	return dir
}

// InstallKernel builds patchlab and installs its kernel, whose cells import this
// module, below a folder of the test's own. It returns the folder for
// JUPYTER_PATH. Where that can't be done the test is skipped, and fails under CI.
func InstallKernel(t testing.TB) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "patchlab")
	Run(t, []string{"GOFLAGS=-buildvcs=false"}, "go", "build", "-C", root, "-o", program, "./cmd/patchlab")
	if out, err := Try(t, nil, program, "kernel", "install", "--prefix", dir, "--module", root); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("installing the Go kernel: %v\n%s", err, out)
		}
		t.Skipf("the Go kernel can't be installed here: %v", err)
	}
	return filepath.Join(dir, "share", "jupyter")
}

// Python runs a script with arguments and returns what it prints. A script that
// fails or takes longer than fifteen minutes fails the test with what it said.
func Python(t testing.TB, script string, args ...string) string {
	t.Helper()
	return Run(t, nil, Bin(t, "python"), append([]string{"-c", script}, args...)...)
}

// Run runs a program with further environment variables and returns what it
// prints on its standard output. It fails the test as Python does.
func Run(t testing.TB, env []string, program string, args ...string) string {
	t.Helper()
	out, err := Try(t, env, program, args...)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(program), err)
	}
	return out
}

// Try runs a program like Run and returns its failure as an error.
func Try(t testing.TB, env []string, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s%s", err, out.Bytes(), problems.Bytes())
	}
	return out.String(), nil
}
