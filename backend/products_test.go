package backend

import (
	"cmp"
	"strings"
	"testing"
)

// attended is a product of queries and keys, for each of two heads of 64 channels, of a batch of 3 and 40 tokens, one of
// the first and the values, which is transposed back to tokens, a layer, and that layer's gradient by its weights.
const attended = `    %1 = "stablehlo.reshape"(%q) : (tensor<120x128xf32>) -> tensor<3x40x2x64xf32>
    %2 = "stablehlo.reshape"(%k) : (tensor<120x128xf32>) -> tensor<3x40x2x64xf32>
    %3 = "stablehlo.dot_general"(%1, %2) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [0, 2],
  rhs_batching_dimensions = [0, 2],
  lhs_contracting_dimensions = [3],
  rhs_contracting_dimensions = [3]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<3x40x2x64xf32>, tensor<3x40x2x64xf32>) -> tensor<3x2x40x40xf32>
    %5 = "stablehlo.dot_general"(%3, %2) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [0, 1],
  rhs_batching_dimensions = [0, 2],
  lhs_contracting_dimensions = [3],
  rhs_contracting_dimensions = [1]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<3x2x40x40xf32>, tensor<3x40x2x64xf32>) -> tensor<3x2x40x64xf32>
    %6 = "stablehlo.transpose"(%5) { permutation = array<i64: 0, 2, 1, 3> } : (tensor<3x2x40x64xf32>) -> tensor<3x40x2x64xf32>
    %7 = "stablehlo.reshape"(%6) : (tensor<3x40x2x64xf32>) -> tensor<120x128xf32>
    %8 = "stablehlo.dot_general"(%7, %w) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [],
  rhs_batching_dimensions = [],
  lhs_contracting_dimensions = [1],
  rhs_contracting_dimensions = [0]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<120x128xf32>, tensor<128x96xf32>) -> tensor<120x96xf32>
    %9 = "stablehlo.dot_general"(%8, %7) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [],
  rhs_batching_dimensions = [],
  lhs_contracting_dimensions = [0],
  rhs_contracting_dimensions = [0]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<120x96xf32>, tensor<120x128xf32>) -> tensor<96x128xf32>
    %10 = "stablehlo.transpose"(%9) { permutation = array<i64: 1, 0> } : (tensor<96x128xf32>) -> tensor<128x96xf32>
    "stablehlo.return"(%10)`

func TestCallProducts(t *testing.T) {
	const product = ` = "stablehlo.custom_call"`
	for what, test := range map[string]struct {
		change []string // from, to
		want   []string // what stands in the program then
	}{
		"as it is": {nil, []string{
			// Heads are read where they lie, as in einsum: groups of images and heads, rows and columns of tokens.
			`%3` + product + `(%q, %k) {call_target_name = "patchlab_product", api_version = 4 : i32, ` +
				`backend_config = {loops = array<i64: 3, 2, 40, 40, 1, 64, 5120, 64, 128, 0, 1, 5120, 64, 0, 1, 128, 3200, 1600, 40>}, `,
			`: (tensor<120x128xf32>, tensor<120x128xf32>) -> tensor<3x2x40x40xf32>`,
			"%5 = \"stablehlo.dot_general\"", // of 40 numbers each
			// What %7 holds is read where %5 has it, for each head.
			`%8` + product + `(%5, %w) {`, `{loops = array<i64: 3, 1, 40, 96, 2, 64, 5120, 0, 64, 2560, 1, 0, 0, 6144, 96, 1, 3840, 0, 96>}`,
			// Written transposed, so that %8 is b.
			`%10` + product + `(%5, %8) {`, `{loops = array<i64: 2, 1, 64, 96, 3, 40, 2560, 0, 1, 5120, 64, 0, 0, 3840, 96, 1, 6144, 0, 96>}`,
			`: (tensor<3x2x40x64xf32>, tensor<120x96xf32>) -> tensor<128x96xf32>`,
		}},
		"longer sums": {[]string{"40x", "80x", "120x", "240x"}, []string{
			// %6 is not made: the product is written as tokens, heads beside each other.
			`%7` + product + `(%3, %k) {`, `{loops = array<i64: 3, 2, 80, 64, 1, 80, 12800, 6400, 80, 0, 1, 10240, 64, 0, 128, 1, 10240, 64, 128>}`,
			`: (tensor<3x2x80x80xf32>, tensor<240x128xf32>) -> tensor<240x128xf32>`,
		}},
		"a result used elsewhere": {[]string{`"stablehlo.return"(%10)`, `"stablehlo.return"(%10, %9)`}, []string{`%9` + product, `%10 = "stablehlo.transpose"(%9)`}},
		"a name used twice":       {[]string{`"stablehlo.return"(%10)`, `%1 = "stablehlo.abs"(%10)`}, []string{`%3 = "stablehlo.dot_general"`, `%9 = "stablehlo.dot_general"`}},
		"bfloat16":                {[]string{"f32", "bf16"}, []string{`%3 = "stablehlo.dot_general"`, `%9 = "stablehlo.dot_general"`}},
		"a name of a norm's too":  {[]string{`"stablehlo.return"(%10)`, `%1, %20 = "stablehlo.batch_norm_grad"(%10)`}, []string{`%3 = "stablehlo.dot_general"`}},
		"no images":               {[]string{"3x", "0x", "120x", "0x"}, []string{`%3 = "stablehlo.dot_general"`, `%9 = "stablehlo.dot_general"`}},
		"several devices":         {[]string{`"stablehlo.return"(%10)`, `num_partitions = 2`}, []string{`%3 = "stablehlo.dot_general"`, `%9 = "stablehlo.dot_general"`}},
		"few channels":            {[]string{"96", "31"}, []string{`%9 = "stablehlo.dot_general"`}},
	} {
		code := strings.NewReplacer(test.change...).Replace(attended)
		got := cmp.Or(string(callProducts([]byte(code))), code)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: there is no %s in\n%s", what, want, got)
			}
		}
	}
}
