package front

import (
	"testing"

	"patchlab/kernel/message"
)

// A call of a function that another cell declared is a result where it has one.
func TestCallsAreResults(t *testing.T) {
	c := serve(t, nil).client(t)
	if r, _ := c.run("func double(x int) int { return 2 * x }\n\nfunc greet() { fmt.Println(\"hello\") }"); r.Status != message.StatusOK {
		t.Fatalf("%+v", r)
	}
	r, id := c.run("double(21)")
	_, messages := c.outputs(id)
	var result message.ExecuteResult
	if r.Status != message.StatusOK || len(messages) != 1 || messages[0].Content(&result) != nil || result.Data["text/plain"] != "42" {
		t.Errorf("%+v, result %+v", r, result)
	}
	if r, id := c.run("greet()"); r.Status != message.StatusOK || c.text(id, "stdout") != "hello\n" {
		t.Errorf("%+v", r)
	}
}
