package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/lab"
)

// exported writes a run's weights with every value of one of them replaced.
func exported(t *testing.T, db, ref, file, name string, value float32) {
	t.Helper()
	d, info, err := readRun(t.Context(), db, ref)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	recipe, named, err := lab.Weights(t.Context(), d, info)
	if err != nil {
		t.Fatal(err)
	}
	if named[name] == nil {
		t.Fatalf("no weights %s", name)
	}
	err = tensors.MutableFlatData(named[name], func(flat []float32) {
		for i := range flat {
			flat[i] = value
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lab.Export(f, recipe, named), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Weights that hold NaN or infinity are refused where they come in; of a network
// whose outputs are not numbers every command says so.
func TestWeightsThatCannotCompute(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "lab.db")
	must(t, smallTraining(db, "--name", "first", "--epochs", "1")...)
	file := filepath.Join(dir, "bad.safetensors")
	for _, bad := range []struct {
		value float64
		want  string
	}{{math.NaN(), "NaN"}, {math.Inf(-1), "infinity"}} {
		exported(t, db, "first", file, "classifier/kernel", float32(bad.value))
		for _, args := range [][]string{{"weights", "import", file, "--db", db}, smallInit(db, file)} {
			_, _, err := execute(t, args...)
			if want := file + ": tensor classifier/kernel holds " + bad.want + ": these weights cannot compute"; err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v: %v, want %s", args, err, want)
			}
		}
	}
	exported(t, db, "first", file, "embedding/kernel", math.MaxFloat32)
	must(t, "weights", "import", file, "--name", "huge", "--db", db)
	cat := filepath.Join(folderOf(t, 1), "train", "dark", "0.png")
	for _, args := range [][]string{
		{"predict", "huge", cat}, {"evaluate", "huge", "--data", "shapes"},
		{"inspect", "huge", "--image", cat, "-o", filepath.Join(dir, "drawn")},
	} {
		_, _, err := execute(t, append(args, "--db", db, "--backend", "go")...)
		if err == nil || !strings.Contains(err.Error(), "the network's outputs are not numbers") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func smallInit(db, from string) []string {
	return []string{"train", "--db", db, "--backend", "go", "--data", "shapes", "--init", from, "--train-limit", "32", "--test-limit", "8"}
}
