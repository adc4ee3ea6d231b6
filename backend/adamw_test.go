package backend

import (
	"regexp"
	"strings"
	"testing"
)

const updated = `    %3 = "stablehlo.subtract"(%grad, %_m) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %4 = "stablehlo.broadcast_in_dim"(%0) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<2x3xf32>
    %5 = "stablehlo.multiply"(%3, %4) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %6 = "stablehlo.add"(%_m, %5) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %7 = "stablehlo.multiply"(%grad, %grad) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %8 = "stablehlo.subtract"(%7, %_v) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %9 = "stablehlo.broadcast_in_dim"(%1) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<2x3xf32>
    %10 = "stablehlo.multiply"(%8, %9) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %11 = "stablehlo.add"(%_v, %10) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %12 = "stablehlo.broadcast_in_dim"(%decay) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<2x3xf32>
    %13 = "stablehlo.multiply"(%_w, %12) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %14 = "stablehlo.subtract"(%_w, %13) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %15 = "stablehlo.broadcast_in_dim"(%rate) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<2x3xf32>
    %16 = "stablehlo.multiply"(%6, %15) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %17 = "stablehlo.sqrt"(%11) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    %18 = "stablehlo.broadcast_in_dim"(%2) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<2x3xf32>
    %19 = "stablehlo.add"(%17, %18) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %20 = "stablehlo.divide"(%16, %19) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %21 = "stablehlo.subtract"(%14, %20) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
`

func TestCallAdamW(t *testing.T) {
	const (
		start  = `%21, %6, %11 = "stablehlo.custom_call"(%_w, %grad, %_m, %_v, %0, %1, %rate, %2, %decay) {call_target_name = "patchlab_adamw", `
		shared = "output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [1], operand_index = 2, operand_tuple_indices = []>, " +
			"#stablehlo.output_operand_alias<output_tuple_indices = [2], operand_index = 3, operand_tuple_indices = []>]"
		types = ": (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> " +
			"(tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>)\n"
	)
	got := string(callKernels([]byte("before\n" + updated + "    \"stablehlo.return\"(%21)\n")))
	for _, want := range []string{"before\n    %3 = ", start, shared, types, `    %20 = "stablehlo.divide"(%16, %19)`, "tensor<2x3xf32>\n    \"stablehlo.return\"(%21)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, made := range []string{"    %6 = ", "    %11 = ", "    %21 = "} {
		if strings.Contains(got, made) {
			t.Errorf("%q is made twice in\n%s", made, got)
		}
	}
	plain := regexp.MustCompile(`(?s)    %12 =.*?    %15 =`).ReplaceAllString(updated, "    %15 =")
	plain = strings.Replace(plain, `"(%14, %20)`, `"(%_w, %20)`, 1)
	if got := string(callKernels([]byte(plain))); !strings.Contains(got, `"stablehlo.custom_call"(%_w, %grad, %_m, %_v, %0, %1, %rate, %2) {`) {
		t.Errorf("without decay:\n%s", got)
	}
	// What is no step of AdamW stays as it is.
	for what, other := range map[string][2]string{
		"another square":        {`"(%grad, %grad)`, `"(%grad, %other)`},
		"another moment":        {`"(%_v, %10)`, `"(%_w, %10)`},
		"another sum":           {`"(%6, %15)`, `"(%3, %15)`},
		"other weights":         {`"(%_w, %13)`, `"(%_m, %13)`},
		"no root":               {`"stablehlo.sqrt"`, `"stablehlo.cbrt"`},
		"other numbers":         {"xf32>", "xf64>"},
		"a broadcast of a list": {"array<i64>", "array<i64: 1>"},
		"other dims":            {`%19 = "stablehlo.add"(%17, %18) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>`, `%19 = "stablehlo.add"(%17, %18) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<3x2xf32>`},
		"a moment for weights":  {"%_w", "%6"},
		"an operation between":  {"    %15", "    %x = \"stablehlo.sqrt\"(%rate) : (tensor<f32>) -> tensor<f32>\n    %15"},
	} {
		code := strings.ReplaceAll(updated, other[0], other[1])
		if code == updated {
			t.Fatalf("%s: nothing is changed", what)
		}
		if got := callKernels([]byte(code)); got != nil && string(got) != code {
			t.Errorf("%s: became %s", what, got)
		}
	}
	if cut := updated[:strings.LastIndex(updated, "    %21")]; string(callKernels([]byte(cut))) != "" {
		t.Error("half a step became a call")
	}
}
