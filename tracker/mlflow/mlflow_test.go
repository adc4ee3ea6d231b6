package mlflow

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int64{"5": 5, `"5"`: 5, "5.0": 5, "1e3": 1000, "-9223372036854775808": math.MinInt64, `"9223372036854775807"`: math.MaxInt64} {
		var got Integer
		if err := json.Unmarshal([]byte(text), &got); err != nil || int64(got) != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"1.5", `""`, `"x"`, "true", "9223372036854775808", "1e300", `"NaN"`, "{}"} {
		var got Integer
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s became %d", text, got)
		}
	}
	for _, v := range []float64{0, math.Copysign(0, -1), 1.0 / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		text, err := json.Marshal(Float(v))
		if err != nil {
			t.Fatal(err)
		}
		var got Float
		if err := json.Unmarshal(text, &got); err != nil || math.Float64bits(float64(got)) != math.Float64bits(v) && !math.IsNaN(v) || math.IsNaN(v) != math.IsNaN(float64(got)) {
			t.Errorf("%v came back as %v through %s, %v", v, got, text, err)
		}
	}
	for _, text := range []string{`"high"`, `""`, "true", "[]"} {
		var got Float
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s became %v", text, got)
		}
	}
}

func TestModelsPassOverWhatIsNone(t *testing.T) {
	const run, other = "01JD8ZK3T5WXYZ0123456789AB", "01JD8ZK3T5WXYZ0123456789AC"
	good := Model{Name: "net", Status: ModelReady, Tags: map[string]string{"a": "b"}, Params: map[string]string{}}
	text, err := good.Encode()
	if err != nil {
		t.Fatal(err)
	}
	id := NewModelID(run, "abcdefgh")
	found := Models(run, map[string]string{
		ModelTag + id:                            text,
		ModelTag + NewModelID(run, "00000000"):   "not JSON",
		ModelTag + NewModelID(run, "00000001"):   `{"name":"x","status":"LOGGED_MODEL_READY","tags":null,"params":{}}`,
		ModelTag + NewModelID(run, "00000002"):   `{"name":"x","status":"DONE"}`,
		ModelTag + NewModelID(other, "abcdefgh"): text,
		ModelTag + "m-x":                         text,
		ModelTag + strings.ToUpper(id):           text,
		"course":                                 "vision",
	})
	if len(found) != 1 || found[id].Name != "net" || found[id].Tags["a"] != "b" {
		t.Errorf("found %+v", found)
	}
	for artifact, want := range map[string][2]string{".models/" + id + "/a/b": {id, "a/b"}, "models/x": {}, ".models/x": {"x", ""}} {
		if model, name, _ := ModelOf(artifact); model != want[0] || name != want[1] {
			t.Errorf("%s belongs to %q as %q", artifact, model, name)
		}
	}
}
