package backend

import (
	"strings"
	"testing"
)

// normed has a BatchNorm, and a layer's norm with its gradient.
const normed = `    %0, %1, %2 = "stablehlo.batch_norm_training"(%x, %scale, %offset) {
      epsilon = 0.0010000000474974513 : f32,
      feature_index = 2 : i64
    } : (tensor<2x5x6xf32>, tensor<6xf32>, tensor<6xf32>) -> (tensor<2x5x6xf32>, tensor<6xf32>, tensor<6xf32>)
    %3 = "stablehlo.constant"() { value = dense<1.0> : tensor<f32> } : () -> tensor<f32>
    %4 = "stablehlo.broadcast_in_dim"(%3) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<10xf32>
    %5 = "stablehlo.constant"() { value = dense<0.0> : tensor<f32> } : () -> tensor<f32>
    %6 = "stablehlo.broadcast_in_dim"(%5) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<10xf32>
    %7, %8, %9 = "stablehlo.batch_norm_training"(%t, %4, %6) {
      epsilon = 1e-06 : f32,
      feature_index = 0 : i64
    } : (tensor<10x6xf32>, tensor<10xf32>, tensor<10xf32>) -> (tensor<10x6xf32>, tensor<10xf32>, tensor<10xf32>)
    %10 = "stablehlo.broadcast_in_dim"(%gamma) { broadcast_dimensions = array<i64: 1> } : (tensor<6xf32>) -> tensor<10x6xf32>
    %11 = "stablehlo.multiply"(%7, %10) : (tensor<10x6xf32>, tensor<10x6xf32>) -> tensor<10x6xf32>
    %12 = "stablehlo.broadcast_in_dim"(%beta) { broadcast_dimensions = array<i64: 1> } : (tensor<6xf32>) -> tensor<10x6xf32>
    %13 = "stablehlo.add"(%11, %12) : (tensor<10x6xf32>, tensor<10x6xf32>) -> tensor<10x6xf32>
    %14 = "stablehlo.multiply"(%dy, %10) : (tensor<10x6xf32>, tensor<10x6xf32>) -> tensor<10x6xf32>
    %15, %16, %17 = "stablehlo.batch_norm_grad"(%t, %4, %8, %9, %14) {
      epsilon = 1e-06 : f32,
      feature_index = 0 : i64
    } : (tensor<10x6xf32>, tensor<10xf32>, tensor<10xf32>, tensor<10xf32>, tensor<10x6xf32>) -> (tensor<10x6xf32>, tensor<10xf32>, tensor<10xf32>)
    %18 = "stablehlo.multiply"(%dy, %7) : (tensor<10x6xf32>, tensor<10x6xf32>) -> tensor<10x6xf32>
    %19 = "stablehlo.reduce"(%18, %5) ({
      ^reductionFn(%lhs: tensor<f32>, %rhs: tensor<f32>) :
          %101 = "stablehlo.add"(%lhs, %rhs) : (tensor<f32>, tensor<f32>) -> tensor<f32>
          "stablehlo.return"(%101) : (tensor<f32>) -> ()
    }) { dimensions = array<i64: 0> } : (tensor<10x6xf32>, tensor<f32>) -> tensor<6xf32>
    %20 = "stablehlo.reduce"(%dy, %5) ({
      ^reductionFn(%lhs: tensor<f32>, %rhs: tensor<f32>) :
          %101 = "stablehlo.add"(%lhs, %rhs) : (tensor<f32>, tensor<f32>) -> tensor<f32>
          "stablehlo.return"(%101) : (tensor<f32>) -> ()
    }) { dimensions = array<i64: 0> } : (tensor<10x6xf32>, tensor<f32>) -> tensor<6xf32>
    "stablehlo.return"(%13)
`

func TestCallNorms(t *testing.T) {
	const (
		batch = `    %0, %1, %2 = "stablehlo.custom_call"(%x, %scale, %offset) {call_target_name = "patchlab_batch_norm", api_version = 4 : i32, ` +
			`backend_config = {epsilon = 0.0010000000474974513 : f32}, ` +
			`operand_layouts = [dense<[2, 1, 0]> : tensor<3xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>], ` +
			`result_layouts = [dense<[2, 1, 0]> : tensor<3xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>]} : ` +
			`(tensor<2x5x6xf32>, tensor<6xf32>, tensor<6xf32>) -> (tensor<2x5x6xf32>, tensor<6xf32>, tensor<6xf32>)` + "\n"
		plain = `    %7, %plain_8, %plain_9 = "stablehlo.batch_norm_training"(%t, %4, %6) {`
		layer = `    %13, %8, %9 = "stablehlo.custom_call"(%t, %gamma, %beta) {call_target_name = "patchlab_layer_norm", api_version = 4 : i32, ` +
			`backend_config = {epsilon = 1e-06 : f32}, ` +
			`operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>], ` +
			`result_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>]} : ` +
			`(tensor<10x6xf32>, tensor<6xf32>, tensor<6xf32>) -> (tensor<10x6xf32>, tensor<10xf32>, tensor<10xf32>)` + "\n"
		gradient = `    %15, %19, %20 = "stablehlo.custom_call"(%t, %gamma, %8, %9, %dy) {call_target_name = "patchlab_layer_norm_gradient", api_version = 4 : i32, ` +
			`backend_config = {epsilon = 1e-06 : f32}, ` +
			`operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>, dense<[1, 0]> : tensor<2xindex>], ` +
			`result_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<[0]> : tensor<1xindex>, dense<[0]> : tensor<1xindex>]} : ` +
			`(tensor<10x6xf32>, tensor<6xf32>, tensor<10xf32>, tensor<10xf32>, tensor<10x6xf32>) -> (tensor<10x6xf32>, tensor<6xf32>, tensor<6xf32>)` + "\n"
	)
	got := string(callKernels([]byte(normed)))
	for _, want := range []string{batch, plain, layer, gradient} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "stablehlo.reduce") {
		t.Errorf("sums are left in\n%s", got)
	}
	epsilons := strings.Replace(normed, "%14) {\n      epsilon = 1e-06", "%14) {\n      epsilon = 1e-05", 1)
	if got := string(callKernels([]byte(epsilons))); strings.Contains(got, "layer_norm_gradient") {
		t.Errorf("another epsilon: became\n%s", got)
	}
	// A statement of another dialect, or a blank line, after one that is replaced.
	other := strings.Replace(normed, "    %14 =", "    \n    %21 = \"chlo.erf\"(%13) : (tensor<10x6xf32>) -> tensor<10x6xf32>\n    %14 =", 1)
	if got := string(callKernels([]byte(other))); !strings.Contains(got, layer+`    %21 = "chlo.erf"(%13)`) {
		t.Errorf("beside erf: became\n%s", got)
	}
	first := strings.Index(normed, "    %3 =")
	for what, other := range map[string][3]string{ // what is then not called
		"a middle axis":              {"feature_index = 2", "feature_index = 1", "batch_norm"},
		"a first axis of three":      {"feature_index = 2", "feature_index = 0", "batch_norm"},
		"other numbers":              {"tensor<2x5x6xf32>", "tensor<2x5x6xbf16>", "batch_norm"},
		"a scale by row":             {"dense<1.0>", "dense<2.0>", "layer_norm"},
		"an offset by row":           {"dense<0.0>", "dense<1.0>", "layer_norm"},
		"a scale that is no number":  {`(%t, %4, %6)`, `(%t, %r, %6)`, `"patchlab_layer_norm"`},
		"no offset":                  {`"stablehlo.add"(%11, %12)`, `"stablehlo.add"(%11, %u)`, `"patchlab_layer_norm"`},
		"another gradient's scale":   {`"stablehlo.multiply"(%dy, %10)`, `"stablehlo.multiply"(%dy, %12)`, "layer_norm_gradient"},
		"another gradient's table":   {`(%t, %4, %8, %9, %14)`, `(%u, %4, %8, %9, %14)`, "layer_norm_gradient"},
		"no gradient of the scale":   {`"stablehlo.multiply"(%dy, %7)`, `"stablehlo.multiply"(%dy, %13)`, "layer_norm_gradient"},
		"no gradient of the offset":  {`"stablehlo.reduce"(%dy, %5)`, `"stablehlo.reduce"(%13, %5)`, "layer_norm_gradient"},
		"products instead of sums":   {`%101 = "stablehlo.add"`, `%101 = "stablehlo.multiply"`, "layer_norm_gradient"},
		"sums over channels":         {"dimensions = array<i64: 0>", "dimensions = array<i64: 1>", "layer_norm_gradient"},
		"another variance":           {`(%t, %4, %8, %9, %14)`, `(%t, %4, %8, %4, %14)`, "layer_norm_gradient"},
		"another sum":                {`"stablehlo.add"(%lhs, %rhs)`, `"stablehlo.add"(%lhs, %lhs)`, "layer_norm_gradient"},
		"a sum from 1":               {`"stablehlo.reduce"(%dy, %5)`, `"stablehlo.reduce"(%dy, %3)`, "layer_norm_gradient"},
		"one scale for all":          {"(tensor<6xf32>) -> tensor<10x6xf32>", "(tensor<1xf32>) -> tensor<10x6xf32>", `"patchlab_layer_norm"`},
		"no channels":                {"6xf32", "0xf32", "patchlab"},
		"a name of two meanings":     {`"stablehlo.return"(%13)`, `%13 = "stablehlo.abs"(%dy) : (tensor<10x6xf32>) -> tensor<10x6xf32>`, "layer_norm"},
		"gradients by row also used": {`"stablehlo.return"(%13)`, `"stablehlo.return"(%13, %16)`, "layer_norm_gradient"},
	} {
		code := normed
		if other[2] == "batch_norm" {
			code = normed[:first]
		}
		changed := strings.ReplaceAll(code, other[0], other[1])
		if changed == code {
			t.Fatalf("%s: nothing is changed", what)
		}
		got := string(callKernels([]byte(changed)))
		if strings.Contains(got, other[2]) {
			t.Errorf("%s: became\n%s", what, got)
		}
	}
}
