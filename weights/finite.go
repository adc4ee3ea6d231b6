package weights

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
)

// CheckFinite refuses weights that no network can compute with: the error names the
// first tensor, by name, that holds NaN or infinity. Types that no network's weights
// have are passed over.
func CheckFinite(named map[string]*tensors.Tensor) error {
	for _, name := range sortedKeys(named) {
		t := named[name]
		var bad float64
		var err error
		switch t.DType() {
		case dtypes.Float32:
			err = tensors.ConstFlatData(t, func(flat []float32) { bad = notFinite(flat, func(v float32) float32 { return v }) })
		case dtypes.Float16:
			err = tensors.ConstFlatData(t, func(flat []float16.Float16) { bad = notFinite(flat, float16.Float16.Float32) })
		case dtypes.BFloat16:
			err = tensors.ConstFlatData(t, func(flat []bfloat16.BFloat16) { bad = notFinite(flat, bfloat16.BFloat16.Float32) })
		}
		switch {
		case err != nil:
			return fmt.Errorf("tensor %s: %w", name, err)
		case math.IsNaN(bad):
			return fmt.Errorf("tensor %s holds NaN: these weights cannot compute", name)
		case bad != 0:
			return fmt.Errorf("tensor %s holds infinity: these weights cannot compute", name)
		}
	}
	return nil
}

// notFinite is the first value that is NaN or infinite; 0 where there is none.
func notFinite[T any](values []T, of func(T) float32) float64 {
	for _, v := range values {
		if x := float64(of(v)); math.IsNaN(x) || math.IsInf(x, 0) {
			return x
		}
	}
	return 0
}
