package backend

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"github.com/gomlx/compute"
)

// convolving holds the backends that run depthwise convolutions by kernels of our own, as keys.
var convolving sync.Map

// Convolves reports whether a backend is quick at depthwise convolutions of float32, [B, H, W, C] by [k, k, 1, C] with
// stride 1, and at their gradients by the kernel, written as a grouped convolution (ConvGeneral): XLA on Linux's CPU is,
// since [Open] replaces them there by calls of depthwise_linux.c, which takes a tenth of the time of XLA's own. The call
// is for a program of one device.
func Convolves(b compute.Backend) bool {
	_, ok := convolving.Load(b)
	return ok
}

// convolution is one in StableHLO as go-xla writes it, its attributes in alphabetical order: of float32, [B, H, W, C],
// one channel a group, with stride 1, as many zeros before rows as before columns.
var convolution = regexp.MustCompile(`"stablehlo\.convolution"\((%\w+, %\w+)\) \{
 *batch_group_count = (\d+) : i64,
 *dimension_numbers = #stablehlo\.conv<(\[b, 0, 1, f\]x\[0, 1, i, o\]->\[b, 0, 1, f\]|\[f, 0, 1, b\]x\[i, 0, 1, o\]->\[0, 1, b, f\])>,
 *feature_group_count = (\d+) : i64,
 *lhs_dilation = array<i64: 1, 1>,
 *padding = dense<\[\[(\d+), (\d+)\], \[(\d+), (\d+)\]\]> : tensor<2x2xi64>,
 *precision_config = [^\n]*,
 *rhs_dilation = array<i64: 1, 1>,
 *window_reversal = array<i1: false, false>,
 *window_strides = array<i64: 1, 1>
 *\} : \((tensor<\d+x\d+x\d+x(\d+)xf32>), (tensor<(\d+)x(\d+)x(\d+)x(\d+)xf32>)\) -> (tensor<(\d+)x(\d+)x(\d+)x\d+xf32>)`)

// callDepthwise returns a StableHLO program with calls of our own for its depthwise convolutions and their kernels'
// gradients.
func callDepthwise(code []byte) []byte {
	return convolution.ReplaceAllFunc(code, func(whole []byte) []byte {
		part := convolution.FindSubmatch(whole)
		number := func(i int) int { n, _ := strconv.Atoi(string(part[i])); return n }
		batchGroups, groups, before, channels := number(2), number(4), number(5), number(10)
		target, side := "patchlab_depthwise", number(12) // of the kernel [side, side, 1, channels]
		square := side == number(13) && number(14) == 1 && batchGroups == 1 && groups == channels
		if part[3][1] == 'f' { // the kernel's gradient
			target, side = "patchlab_depthwise_kernel_gradient", number(17)
			square = side == number(18) && number(19) == 1 && groups == 1 && batchGroups == channels
		}
		if !square || channels != number(15) || before != number(7) || number(6) != number(8) || before >= side {
			return whole
		}
		const rows = "dense<[3, 2, 1, 0]> : tensor<4xindex>"
		return fmt.Appendf(nil, `"stablehlo.custom_call"(%s) {call_target_name = %q, api_version = 4 : i32, backend_config = {before = %d : i64}, operand_layouts = [%s, %s], result_layouts = [%s]} : (%s, %s) -> %s`,
			part[1], target, before, rows, rows, rows, part[9], part[11], part[16])
	})
}
