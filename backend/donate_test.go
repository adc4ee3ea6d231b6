package backend

import (
	"strings"
	"testing"
)

const program = `module @step_1 {
  func.func @main(%images: tensor<8x4xui8>, %_w: tensor<2x3xf32>, %_optimizer_m: tensor<2x3xf32>, %_b: tensor<f32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) {
    "stablehlo.return"(%_w, %_optimizer_m, %x) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>) -> ()
  }
}
`

func TestDonate(t *testing.T) {
	const marked = "%_optimizer_m: tensor<2x3xf32> {tf.aliasing_output = 1 : i32}, %_b: tensor<f32>)"
	Donate("step#1", []string{"", "/optimizer/m", "/b", "/none"})
	got := string(donating([]byte(program)))
	if want := strings.Replace(program, "%_optimizer_m: tensor<2x3xf32>, %_b: tensor<f32>)", marked, 1); got != want {
		t.Errorf("got %s", got)
	}
	if again := donating([]byte(program)); again != nil {
		t.Errorf("a second program of the name was changed too: %s", again)
	}
	Donate("other", []string{"/w"})
	if other := donating([]byte(program)); other != nil {
		t.Errorf("a program of another name was changed: %s", other)
	}
	for _, strange := range []string{"", "module @step_1", "\x00ML\xefR bytecode"} {
		Donate("step#1", []string{"/w"})
		if b := donating([]byte(strange)); b != nil {
			t.Errorf("%q became %q", strange, b)
		}
	}
}
