package backend

import (
	"strings"
	"testing"
)

const convolved = `    %0 = "stablehlo.convolution"(%x, %k) {
      batch_group_count = 1 : i64,
      dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,
      feature_group_count = 3 : i64,
      lhs_dilation = array<i64: 1, 1>,
      padding = dense<[[1, 2], [1, 2]]> : tensor<2x2xi64>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>],
      rhs_dilation = array<i64: 1, 1>,
      window_reversal = array<i1: false, false>,
      window_strides = array<i64: 1, 1>
    } : (tensor<2x5x6x3xf32>, tensor<4x4x1x3xf32>) -> tensor<2x5x6x3xf32>
`

func TestCallKernels(t *testing.T) {
	gradient := strings.NewReplacer("batch_group_count = 1", "batch_group_count = 3", "feature_group_count = 3", "feature_group_count = 1",
		"[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]", "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]",
		"tensor<4x4x1x3xf32>) -> tensor<2x5x6x3xf32>", "tensor<2x5x6x3xf32>) -> tensor<4x4x1x3xf32>").Replace(convolved)
	for target, code := range map[string]string{"patchlab_depthwise": convolved, "patchlab_depthwise_gradient": gradient} {
		got := string(callKernels([]byte("before\n" + code + "after")))
		types := code[strings.Index(code, " : (tensor"):]
		for _, want := range []string{"before\n    %0 = \"stablehlo.custom_call\"(%x, %k) {call_target_name = \"" + target + "\", ", "{before = 1 : i64}", types + "after"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q has no %q", target, got, want)
			}
		}
	}
	if got := callKernels([]byte("module @other {}")); got != nil {
		t.Errorf("a program without any became %s", got)
	}
	for _, code := range []string{convolved, normed, updated} {
		if got := callKernels([]byte("module @x attributes {stablehlo.num_partitions = 2} {\n" + code)); got != nil {
			t.Errorf("a program of two devices became %s", got)
		}
	}
	// What the kernels do not compute stays XLA's.
	for what, other := range map[string][2]string{
		"a stride":             {"window_strides = array<i64: 1, 1>", "window_strides = array<i64: 2, 2>"},
		"a dilation":           {"rhs_dilation = array<i64: 1, 1>", "rhs_dilation = array<i64: 1, 2>"},
		"one group":            {"feature_group_count = 3", "feature_group_count = 1"},
		"both groups":          {"batch_group_count = 1", "batch_group_count = 3"},
		"uneven padding":       {"[[1, 2], [1, 2]]", "[[1, 2], [2, 1]]"},
		"negative padding":     {"[[1, 2], [1, 2]]", "[[-1, 2], [-1, 2]]"},
		"more than a kernel":   {"[[1, 2], [1, 2]]", "[[4, 2], [4, 2]]"},
		"an oblong kernel":     {"tensor<4x4x1x3xf32>", "tensor<4x5x1x3xf32>"},
		"two channels a group": {"tensor<4x4x1x3xf32>", "tensor<4x4x1x6xf32>"},
		"other numbers":        {"tensor<4x4x1x3xf32>", "tensor<4x4x1x3xf64>"},
		"other axes":           {"x[0, 1, i, o]", "x[0, 1, o, i]"},
	} {
		code := strings.ReplaceAll(convolved, other[0], other[1])
		if got := callKernels([]byte(code)); got != nil && string(got) != code {
			t.Errorf("%s: became %s", what, got)
		}
	}
}
