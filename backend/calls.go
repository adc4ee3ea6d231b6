package backend

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/gomlx/compute"
)

// native holds the backends whose programs call kernels of our own, as keys: a backend of GoMLX has no room to say so
// itself. There are as many as a process opens, one or a few.
var native sync.Map

// Native reports whether a backend is quick at these operations of float32, and their gradients: depthwise convolutions
// of [B, H, W, C] by [k, k, 1, C] with stride 1 (ConvGeneral, one channel a group), norms over all but the last axis
// (BatchNormForTraining with the last), and norms over each row of [R, C] (with axis 0, scale 1 and offset 0, followed
// by a scale and an offset for each channel). XLA on Linux's CPU is: [Open] makes its
// programs call kernels_linux.h there. The answer is for a program of one device.
func Native(b compute.Backend) bool {
	_, ok := native.Load(b)
	return ok
}

// convolution is one in StableHLO as go-xla writes it, its attributes in alphabetical order: of float32, [B, H, W, C],
// one channel a group, with stride 1, as many zeros before rows as before columns; or such a one's kernel gradient.
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
 *\} : (\(tensor<\d+x\d+x\d+x(\d+)xf32>, tensor<(\d+)x(\d+)x(\d+)x(\d+)xf32>\) -> tensor<(\d+)x(\d+)x(\d+)x\d+xf32>)`)

// callKernels returns a StableHLO program with calls of kernels_linux.h for what they compute; nil where there is nothing
// of it, and for several devices, for which XLA takes tables apart.
func callKernels(code []byte) []byte {
	if bytes.Contains(code, []byte("num_partitions")) {
		return nil
	}
	all := statementsOf(callProducts(code))
	callAdamW(all)
	callNorms(all)
	called := convolution.ReplaceAllFunc(all.code(), callDepthwise)
	if bytes.Equal(called, code) {
		return nil
	}
	return called
}

func callDepthwise(whole []byte) []byte {
	part := convolution.FindSubmatch(whole)
	number := func(i int) int { n, _ := strconv.Atoi(string(part[i])); return n }
	batchGroups, groups, before, channels := number(2), number(4), number(5), number(10)
	target, side := "patchlab_depthwise", number(11) // of the kernel [side, side, 1, channels]
	fits := side == number(12) && number(13) == 1 && batchGroups == 1 && groups == channels
	if part[3][1] == 'f' { // the kernel's gradient
		target, side = "patchlab_depthwise_gradient", number(15)
		fits = side == number(16) && number(17) == 1 && groups == 1 && batchGroups == channels
	}
	if !fits || channels != number(14) || before != number(7) || number(6) != number(8) || before >= side {
		return whole
	}
	return customCall(target, part[1], fmt.Sprintf("before = %d : i64", before), []int{4, 4}, []int{4}, part[9])
}

// call is [customCall] for tables of these dims. Of each argument and result a letter tells whether it is such a table
// (x), has a number for each row (r) or channel (c), or is a scalar (s).
func call(target, attributes string, dims []int, arguments []string, argumentKinds, resultKinds string, aliases ...[2]int) string {
	rows, last := dims, []int(nil)
	if len(dims) > 0 {
		rows, last = dims[:len(dims)-1], dims[len(dims)-1:]
	}
	describe := func(kinds string) (ranks []int, types string) {
		texts := make([]string, len(kinds))
		for i, kind := range kinds {
			own := map[rune][]int{'x': dims, 'r': rows, 'c': last, 's': nil}[kind]
			ranks = append(ranks, len(own))
			texts[i] = tensor(own)
		}
		return ranks, "(" + strings.Join(texts, ", ") + ")"
	}
	argumentRanks, argumentTypes := describe(argumentKinds)
	resultRanks, resultTypes := describe(resultKinds)
	return string(customCall(target, []byte(strings.Join(arguments, ", ")), attributes, argumentRanks, resultRanks, []byte(argumentTypes+" -> "+resultTypes), aliases...))
}

// customCall writes a call by XLA's foreign function interface, tables in row-major order. Each of aliases is a result
// that lies where an argument does: their numbers. XLA copies the argument before if it is still needed.
func customCall(target string, arguments []byte, attributes string, argumentRanks, resultRanks []int, types []byte, aliases ...[2]int) []byte {
	layouts := func(ranks []int) string {
		texts := make([]string, len(ranks))
		for i, rank := range ranks {
			axes := make([]string, rank)
			for k := range axes {
				axes[k] = strconv.Itoa(rank - 1 - k)
			}
			texts[i] = fmt.Sprintf("dense<[%s]> : tensor<%dxindex>", strings.Join(axes, ", "), rank)
		}
		return strings.Join(texts, ", ")
	}
	var inPlace string
	if len(aliases) > 0 {
		texts := make([]string, len(aliases))
		for i, a := range aliases {
			texts[i] = fmt.Sprintf("#stablehlo.output_operand_alias<output_tuple_indices = [%d], operand_index = %d, operand_tuple_indices = []>", a[0], a[1])
		}
		inPlace = ", output_operand_aliases = [" + strings.Join(texts, ", ") + "]"
	}
	return fmt.Appendf(nil, `"stablehlo.custom_call"(%s) {call_target_name = %q, api_version = 4 : i32, backend_config = {%s}, operand_layouts = [%s], result_layouts = [%s]%s} : %s`,
		arguments, target, attributes, layouts(argumentRanks), layouts(resultRanks), inPlace, types)
}
