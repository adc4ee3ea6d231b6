//go:build (amd64 || arm64) && cgo && !noxla

package backend

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDepthwiseKernels compiles and runs testdata/depthwise.c.
func TestDepthwiseKernels(t *testing.T) {
	program := filepath.Join(t.TempDir(), "depthwise")
	compileC(t, program, "testdata/depthwise.c", "-lm")
	if said, err := exec.Command(program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}
