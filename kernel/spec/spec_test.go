package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// testSpec returns a spec whose files are there, below dir.
func testSpec(t *testing.T, dir string) Spec {
	s := Spec{
		Executable: filepath.Join(dir, "patchlab"), Tools: filepath.Join(dir, "tools"), Go: filepath.Join(dir, "go"),
		Module: filepath.Join(dir, "module"), History: filepath.Join(dir, "history"), Env: map[string]string{"A": "<1>"},
	}
	write(t, s.Executable, "")
	for _, p := range Programs {
		write(t, filepath.Join(s.Tools, p), "")
	}
	write(t, filepath.Join(s.Go, "go"), "")
	write(t, filepath.Join(s.Module, "go.mod"), "module example.com/m // comment\n")
	return s
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	kernels, s := filepath.Join(dir, "kernels"), testSpec(t, dir)
	folder, changed, err := Install(kernels, s)
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	var k struct {
		Argv          []string
		DisplayName   string `json:"display_name"`
		Language      string
		InterruptMode string `json:"interrupt_mode"`
		Env           map[string]string
	}
	b, err := os.ReadFile(filepath.Join(folder, "kernel.json"))
	if err != nil || json.Unmarshal(b, &k) != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if k.DisplayName != "Patchlab (Go)" || k.Language != "go" || k.InterruptMode != "message" || k.Env["A"] != "<1>" {
		t.Errorf("kernel.json is %s", b)
	}
	if line := strings.Join(k.Argv, " "); !strings.Contains(line, s.Executable+" kernel run --connection-file {connection_file}") || !strings.Contains(line, "--module "+s.Module) {
		t.Errorf("argv %q", line)
	}
	for name, size := range map[string]int{"logo-32x32.png": 32, "logo-64x64.png": 64} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
			t.Errorf("%s: %v, %v", name, img.Bounds(), err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(folder, "logo-svg.svg")); err != nil || strings.Count(string(b), "<rect") != 9 {
		t.Errorf("logo %s, %v", b, err)
	}
	if _, changed, err := Install(kernels, s); err != nil || changed {
		t.Errorf("installing again: changed %v, %v", changed, err)
	}
	s.Module = ""
	if _, changed, err := Install(kernels, s); err != nil || !changed {
		t.Errorf("installing another: changed %v, %v", changed, err)
	}
	if _, removed, err := Uninstall(kernels); err != nil || !removed {
		t.Errorf("uninstalling: %v, %v", removed, err)
	}
	if _, removed, err := Uninstall(kernels); err != nil || removed {
		t.Errorf("uninstalling again: %v, %v", removed, err)
	}
}

func TestForeign(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, Name, "kernel.json"), `{"argv":["x"]}`)
	if _, _, err := Install(dir, Spec{}); !errors.Is(err, ErrForeign) {
		t.Errorf("error %v", err)
	}
	if _, _, err := Uninstall(dir); !errors.Is(err, ErrForeign) {
		t.Errorf("error %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	s := testSpec(t, dir)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, k := range []string{a, b} {
		if _, _, err := Install(k, s); err != nil {
			t.Fatal(err)
		}
	}
	found := Find([]string{a, filepath.Join(dir, "none"), b, a})
	if len(found) != 2 || found[0].Folder != filepath.Join(a, Name) || len(found[0].Problems) != 0 || found[1].Spec.Module != s.Module {
		t.Errorf("found %+v", found)
	}
	if err := errors.Join(os.RemoveAll(s.Module), os.Remove(filepath.Join(s.Tools, "gopls"))); err != nil {
		t.Fatal(err)
	}
	if found := Find([]string{a}); len(found) != 1 || len(found[0].Problems) != 2 || !strings.Contains(found[0].Problems[1], s.Module) {
		t.Errorf("found %+v", found)
	}
}

func TestModule(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "m", "go.mod"), "// comment\nmodule \"example.com/m\"\n")
	write(t, filepath.Join(dir, "m", "a", "b", "x.go"), "")
	if root, path := Module(filepath.Join(dir, "m", "a", "b")); root != filepath.Join(dir, "m") || path != "example.com/m" {
		t.Errorf("module %q in %q", path, root)
	}
	if root, path := Module("../front"); path != "patchlab" || root == "" {
		t.Errorf("module %q in %q", path, root)
	}
}

func TestPlaces(t *testing.T) {
	t.Setenv("JUPYTER_DATA_DIR", "/data")
	if dir, err := User(); err != nil || dir != filepath.FromSlash("/data/kernels") {
		t.Errorf("user %q, %v", dir, err)
	}
	if dir, err := Prefix("/opt/env"); err != nil || dir != filepath.FromSlash("/opt/env/share/jupyter/kernels") {
		t.Errorf("prefix %q, %v", dir, err)
	}
}

// The embedded files are those of the module that pins the programs.
func TestPins(t *testing.T) {
	for name, embedded := range map[string][]byte{"go.mod": toolsMod, "go.sum": toolsSum} {
		b, err := os.ReadFile(filepath.Join("..", "tools", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, embedded) {
			t.Errorf("kernel/tools/%s has changed: copy it to kernel/spec/tools%s", name, filepath.Ext(name))
		}
	}
	for _, p := range packages {
		if !bytes.Contains(toolsMod, []byte("\t"+p+"\n")) {
			t.Errorf("%s is no tool of the module", p)
		}
	}
}
