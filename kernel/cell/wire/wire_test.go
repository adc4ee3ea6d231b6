package wire_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"patchlab/kernel/cell/wire"
)

func Example() {
	line, err := json.Marshal(wire.Request{Op: wire.OpLog, Step: 7, Values: map[string]wire.Number{"loss": wire.Number(math.Inf(1))}})
	fmt.Println(string(line), err)
	// Output: {"op":"log","step":7,"values":{"loss":"Infinity"}} <nil>
}

func TestNumbers(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), .1, 1e300, -5e-324, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)} {
		b, err := json.Marshal(wire.Number(f))
		var got wire.Number
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if same := math.Float64bits(float64(got)) == math.Float64bits(f) || math.IsNaN(f) && math.IsNaN(float64(got)); err != nil || !same {
			t.Errorf("%v came back as %v by %s: %v", f, got, b, err)
		}
	}
	var n wire.Number
	if err := json.Unmarshal([]byte(`"seven"`), &n); err == nil {
		t.Error("a word was read as a number")
	}
}
