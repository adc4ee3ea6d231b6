package experiments

import (
	"cmp"
	"fmt"
	"slices"
)

// Precision is what the products of a training step are computed in. Weights,
// moments, sums and all between are float32 in each, and so is evaluation.
type Precision string

// The precisions of products.
const (
	Float32 Precision = "float32" // the default
	// TF32 rounds operands to TensorFloat-32's 10 bits of mantissa, on NVIDIA GPUs
	// since Ampere.
	TF32 Precision = "tf32"
	// BFloat16 is [models.Pass]'s.
	BFloat16 Precision = "bfloat16"
)

// Precisions lists what there is.
func Precisions() []Precision { return []Precision{Float32, TF32, BFloat16} }

// precision is the recipe's, with its default.
func (r Recipe) precision() Precision { return cmp.Or(r.Precision, Float32) }

// Check reports a precision that is none, or that the named backend lacks ("":
// any backend).
func (p Precision) Check(backendName string) error {
	if p != "" && !slices.Contains(Precisions(), p) {
		return fmt.Errorf("precision %q; allowed: %s, %s, %s", p, Float32, TF32, BFloat16)
	}
	if p == TF32 && backendName != "" && backendName != "xla:cuda" {
		return fmt.Errorf("precision %s on %s; allowed: %s, %s (%s wants an NVIDIA GPU: --backend cuda)", p, backendName, Float32, BFloat16, TF32)
	}
	return nil
}
