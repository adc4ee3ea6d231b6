package lab_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// Weights that cannot compute are refused, and no run is made of them.
func TestImportRefusesWhatCannotCompute(t *testing.T) {
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	config, err := models.Parse("mixer-4")
	if err != nil {
		t.Fatal(err)
	}
	im := lab.Imported{Model: config, Data: experiments.Data{View: &datasets.View{Size: config.ImageSize}}}
	for want, value := range map[string]float64{"classifier/bias holds NaN": math.NaN(), "classifier/bias holds infinity": math.Inf(1)} {
		bias := make([]float32, config.Classes)
		bias[1] = float32(value)
		named := map[string]*tensors.Tensor{"classifier/bias": tensors.FromValue(bias)}
		if _, err := lab.Import(t.Context(), db, tracker.Spec{Name: "bad"}, im, named); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if runs, err := db.Runs(t.Context(), tracker.Query{}); err != nil || len(runs) > 0 {
		t.Errorf("runs %v, %v", runs, err)
	}
}
