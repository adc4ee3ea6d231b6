package experiments_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/experiments"
)

// TestStepCallsKernels tells by the programs that are kept that a step of training calls the kernels that backend finds
// by how its graph is written: AdamW's update of each trainable variable, with weight decay and without.
func TestStepCallsKernels(t *testing.T) {
	open(t, backend.XLA) // or skip
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(backend.ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	t.Setenv(backend.OfflineEnv, "1")
	b, _, err := backend.Open(t.Context(), backend.XLA, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	if !backend.Native(b) {
		t.Skip("XLA calls no kernels here")
	}
	recipe := tiny()
	recipe.Epochs = 1
	calls(t, b, recipe, dir)
	recipe.Optimizer.KernelsOnly, recipe.Optimizer.ClipNorm = true, 1
	calls(t, b, recipe, dir)
}

// calls trains and counts the kernels that the step's program calls.
func calls(t *testing.T, b compute.Backend, recipe experiments.Recipe, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	trained(t, experiments.Job{Recipe: recipe, Dataset: shapes(t, 40, 20), Backend: b, BackendName: "xla:cpu"})
	variables, err := recipe.Model.Variables()
	if err != nil {
		t.Fatal(err)
	}
	trainable := 0
	for _, v := range variables {
		if v.Trainable {
			trainable++
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, f := range files {
		program, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, bytes.Count(program, []byte("patchlab_adamw")))
	}
	if want := 2 * trainable; most != want { // a kept program names each call twice
		t.Errorf("the step's program names the call of AdamW %d times, want %d", most, want)
	}
}
