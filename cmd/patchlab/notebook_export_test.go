package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/notebook"
)

// A program gets the imports of the notebook's module, or of the kernel's, from wherever it is exported.
func TestExportedProgramsFindTheModule(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(elsewhere)
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Code, "%%\nfmt.Println(thing.Name())"))
	within, alone := filepath.Join(root, "within.ipynb"), filepath.Join(elsewhere, "alone.ipynb")
	kernels := filepath.Join(elsewhere, "jupyter", "kernels", "patchlab")
	for _, folder := range []string{filepath.Join(root, "thing"), kernels} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"go.mod": "module example.com/m\n\ngo 1.26\n", "thing/thing.go": "package thing\n\nfunc Name() string { return \"\" }\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{within, alone} {
		if err := n.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("JUPYTER_PATH", filepath.Join(elsewhere, "jupyter"))
	export := func(file string) {
		t.Helper()
		text := must(t, "notebook", "export", file, "--to", "go", "-o", "-")
		if !strings.Contains(text, `"example.com/m/thing"`) {
			t.Errorf("%s is exported as\n%s", file, text)
		}
		if here, err := os.Getwd(); err != nil || here != elsewhere {
			t.Errorf("the folder is %s now, %v", here, err)
		}
	}
	export(within)
	text, err := json.Marshal(map[string]any{
		"argv": []string{"patchlab", "kernel", "run"}, "display_name": "Patchlab (Go)", "language": "go",
		"metadata": map[string]any{"patchlab": map[string]any{"module": root}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kernels, "kernel.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	export(alone)
}
