//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

// UseTF32 lets an NVIDIA GPU round the operands of float32 products to
// TensorFloat-32 in graphs that are built from now on, or not; [Open] leaves it
// off. Other backends have no such products, and are left alone.
func UseTF32(b compute.Backend, on bool) {
	if x, ok := b.(*xla.Backend); ok && x.IsCUDA() {
		x.DotGeneralUseTF32 = on
	}
}
