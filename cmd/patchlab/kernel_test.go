package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/spec"
)

// haveTools skips a test where the kernel's programs are not built; under CI it fails.
func haveTools(t *testing.T) {
	t.Helper()
	if tools, err := spec.ToolsFolder(); err != nil || !spec.ToolsBuilt(tools) {
		if os.Getenv("CI") != "" {
			t.Fatalf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
		}
		t.Skipf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
	}
}

func TestKernelInstall(t *testing.T) {
	haveTools(t)
	prefix := t.TempDir()
	t.Setenv("JUPYTER_PATH", filepath.Join(prefix, "share", "jupyter"))
	steps := []struct {
		args []string
		want []string
	}{
		{[]string{"install", "--prefix", prefix}, []string{"Patchlab (Go): installed, " + prefix, "Notebooks import the packages of the module in "}},
		{[]string{"install", "--prefix", prefix}, []string{"was there already"}},
		{[]string{"list"}, []string{filepath.Join(prefix, "share", "jupyter", "kernels", "patchlab"), "state    ok"}},
		{[]string{"list", "--json"}, []string{`"problems": []`, `"module": "`}},
		{[]string{"uninstall", "--prefix", prefix}, []string{"removed"}},
		{[]string{"uninstall", "--prefix", prefix}, []string{"was not there"}},
	}
	for _, s := range steps {
		out, err := call(t, newKernelCommand(), s.args...)
		if err != nil {
			t.Fatalf("kernel %v: %v\n%s", s.args, err, out)
		}
		for _, w := range s.want {
			if !strings.Contains(out, w) {
				t.Errorf("kernel %v lacks %q:\n%s", s.args, w, out)
			}
		}
	}
}

func TestKernelRefuses(t *testing.T) {
	haveTools(t)
	none := t.TempDir()
	foreign := filepath.Join(none, "share", "jupyter", "kernels", "patchlab")
	if err := os.MkdirAll(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "kernel.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"there is no go.mod in it":    {"install", "--prefix", t.TempDir(), "--module", none},
		"none of the others can be":   {"install", "--user", "--sys-prefix"},
		"--prefix is empty":           {"install", "--prefix", ""},
		"another program has made it": {"uninstall", "--prefix", none},
		"connection-file":             {"run"},
		"reading the connection file": {"run", "--connection-file", filepath.Join(none, "absent.json")},
	} {
		if out, err := call(t, newKernelCommand(), args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("kernel %v: error %v, want %q\n%s", args, err, want, out)
		}
	}
}
