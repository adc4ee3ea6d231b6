//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPool compiles and runs testdata/pool.c, a program whose malloc is the pool.
func TestPool(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pool")
	if out, err := exec.Command("cc", "-O1", "-fno-builtin", "-Wall", "-Werror", "-pthread", "-o", program, "testdata/pool.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
