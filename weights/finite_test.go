package weights_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/weights"
)

func TestCheckFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for want, bad := range map[string]any{
		"": []float32{1, math.MaxFloat32},
		"tensor b/kernel holds NaN: these weights cannot compute":      []float32{1, nan},
		"tensor b/kernel holds infinity: these weights cannot compute": []float16.Float16{float16.FromFloat32(1), float16.FromFloat32(inf)},
	} {
		kernel, err := tensors.FromAnyValue(bad)
		if err != nil {
			t.Fatal(err)
		}
		err = weights.CheckFinite(map[string]*tensors.Tensor{"a": tensors.FromValue([]int64{1 << 62}), "b/kernel": kernel})
		if got := errText(err); got != want {
			t.Errorf("%v: %q, want %q", bad, got, want)
		}
	}
	if err := weights.CheckFinite(map[string]*tensors.Tensor{"b": tensors.FromValue([]bfloat16.BFloat16{bfloat16.FromFloat32(nan)})}); err == nil {
		t.Error("NaN in bfloat16 is taken")
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
