package runner_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/runner"
)

func install(t *testing.T, dir, name, display string) {
	t.Helper()
	folder := filepath.Join(dir, "kernels", name)
	text := `{"argv": ["true", "{connection_file}"], "display_name": "` + display + `", "language": "go", "env": {"A": "${HOME}"}}`
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "kernel.json"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// The search path is Jupyter's own, in its order.
func TestFindLooksWhereJupyterLooks(t *testing.T) {
	python := jupytertest.Bin(t, "python")
	dir := t.TempDir()
	path, user, env := filepath.Join(dir, "path"), filepath.Join(dir, "user"), filepath.Join(dir, "env")
	t.Setenv("JUPYTER_PATH", path+string(filepath.ListSeparator)+filepath.Join(dir, "none"))
	t.Setenv("JUPYTER_DATA_DIR", user)
	t.Setenv("VIRTUAL_ENV", env)
	t.Setenv("JUPYTER_PREFER_ENV_PATH", "1")
	t.Setenv("CONDA_PREFIX", "")
	for i, dir := range []string{path, filepath.Join(env, "share", "jupyter"), user} {
		install(t, dir, "all", []string{"path", "env", "user"}[i])
		install(t, dir, []string{"only-path", "only-env", "only-user"}[i], "x")
	}
	install(t, filepath.Join(env, "share", "jupyter"), "two", "env")
	install(t, user, "Two", "user")
	if err := os.WriteFile(filepath.Join(user, "kernels", "only-user", "kernel.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"all": "path", "ALL": "path", "two": "env", "only-env": "x"} {
		s, err := runner.Find(name)
		if err != nil || s.DisplayName != want {
			t.Errorf("%s: %q, %v; want %q", name, s.DisplayName, err, want)
		}
	}
	t.Setenv("JUPYTER_PREFER_ENV_PATH", "0")
	if s, err := runner.Find("two"); err != nil || s.DisplayName != "user" {
		t.Errorf("%q, %v", s.DisplayName, err)
	}
	if _, err := runner.Find("nosuch"); err == nil || !strings.HasPrefix(err.Error(), `no kernel "nosuch" is installed; allowed: all, only-path, `) {
		t.Error(err)
	}
	// jupyter_client finds the same folders; its own environment stands where ours has VIRTUAL_ENV.
	out := jupytertest.Python(t, "import json; from jupyter_client.kernelspec import find_kernel_specs; print(json.dumps(find_kernel_specs()))")
	theirs := map[string]string{}
	if err := json.Unmarshal([]byte(out), &theirs); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"all", "only-path"} {
		if s, err := runner.Find(name); err != nil || s.Dir != theirs[name] {
			t.Errorf("%s: %q, jupyter_client %q, %v", name, s.Dir, theirs[name], err)
		}
	}
	t.Setenv("VIRTUAL_ENV", filepath.Dir(filepath.Dir(python)))
	if s, err := runner.Find("python3"); err != nil || s.Dir != theirs["python3"] {
		t.Errorf("python3: %q, jupyter_client %q, %v", s.Dir, theirs["python3"], err)
	}
}
