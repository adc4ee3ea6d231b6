package backend

import (
	"strings"
	"testing"
)

// calling is a program as go-xla writes it, with calls of two kernels.
const calling = `module @step_1 {
  func.func @main(%w: tensor<2x3xf32>, %g: tensor<2x3xf32>, %seed: tensor<ui32>) -> (tensor<2x3xf32>, tensor<ui32>) {
    %0 = "stablehlo.constant"() { value = dense<1.0> : tensor<f32> } : () -> tensor<f32>
    %1, %2, %3 = "func.call"(%w, %g, %g, %w, %0, %0, %0, %0) { callee = @patchlab_adamw_12 } : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>)
    %4 = "func.call"(%seed) { callee = @patchlab_key_13 } : (tensor<ui32>) -> tensor<ui32>
    "stablehlo.return"(%1, %4) : (tensor<2x3xf32>, tensor<ui32>) -> ()
  }

  func.func @patchlab_adamw_12(%w: tensor<2x3xf32>) -> (tensor<2x3xf32>) {
    "stablehlo.return"(%w) : (tensor<2x3xf32>) -> ()
  }

  func.func @patchlab_key_13(%w: tensor<ui32>) -> tensor<ui32> {
    "stablehlo.return"(%w) : (tensor<ui32>) -> ()
  }
}
`

func TestCallFunctions(t *testing.T) {
	got := string(callFunctions([]byte(calling)))
	for _, want := range []string{
		`    %1, %2, %3 = "stablehlo.custom_call"(%w, %g, %g, %w, %0, %0, %0, %0) {call_target_name = "patchlab_adamw", api_version = 4 : i32, `,
		`operand_layouts = [dense<[1, 0]> : tensor<2xindex>, `, `, dense<[]> : tensor<0xindex>], result_layouts = [dense<[1, 0]> : tensor<2xindex>, `,
		`output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [1], operand_index = 2, operand_tuple_indices = []>, ` +
			`#stablehlo.output_operand_alias<output_tuple_indices = [2], operand_index = 3, operand_tuple_indices = []>]`,
		`tensor<f32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>)` + "\n",
		`    %4 = "stablehlo.custom_call"(%seed) {call_target_name = "patchlab_key", `,
		"(tensor<ui32>) -> tensor<ui32>\n    \"stablehlo.return\"(%1, %4)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "func.func") != 1 || !strings.HasSuffix(got, ") -> ()\n  }\n}\n") {
		t.Errorf("functions that are called no more are left in\n%s", got)
	}
	other := strings.Replace(calling, "@patchlab_key_13 }", "@other }", 1)
	if got := string(callFunctions([]byte(other))); !strings.Contains(got, `"func.call"(%seed) { callee = @other }`) || strings.Count(got, "func.func") != 3 {
		t.Errorf("a function of its own: got\n%s", got)
	}
	if got := callFunctions([]byte("module @other {}")); got != nil {
		t.Errorf("a program without any became\n%s", got)
	}
}
