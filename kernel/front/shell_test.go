package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/message"
)

// What fails in a shell fails the cell, there; and so does a command that there is not.
func TestShellErrors(t *testing.T) {
	c := serve(t, nil).client(t)
	for _, test := range []struct{ code, value, out string }{
		{"!echo a; exit 3", "!echo a; exit 3 ended with exit status 3", "a\n"},
		{"!false\n!echo b\n%%\nfmt.Println(1)", "!false ended with exit status 1", ""},
		{"%env AB=x\n!echo $AB\n!test $AB = \\\n y\n!echo never", "!test $AB =  y ended with exit status 1", "Set: AB=\"x\"\nx\n"},
		{"!kill -9 $$", "!kill -9 $$ ended with signal: killed", ""},
		{"!if", "!if ended with exit status 2", ""},
		{"!exec sh -c 'exit 4'", "!exec sh -c 'exit 4' ended with exit status 4", ""},
		{"%%bash\necho c\nexit 5", "the script ended with exit status 5", "c\n"},
		{"%matplotlib inline\n!echo never", "there is no command %matplotlib; there are %%, %%bash, ", ""},
		{"!echo d && false || true", "", "d\n"},
		{"!echo 'exit status 1' >&2", "", ""},
		{"!echo e\n%%\nfmt.Println(2)\n3", "", "e\n2\n"},
		{"%%writefile " + filepath.Join(t.TempDir(), "x") + "\nfalse", "", ""},
	} {
		r, id := c.run(test.code)
		wrong := r.Status != message.StatusOK
		if wrong != (test.value != "") || !strings.HasPrefix(r.Value, test.value) || c.text(id, "stdout") != test.out {
			t.Errorf("%q: %+v, standard output %q", test.code, r, c.text(id, "stdout"))
		}
		types, _ := c.outputs(id)
		if n := strings.Count(fmt.Sprint(types), "error"); wrong && n != 1 {
			t.Errorf("%q: %v", test.code, types)
		}
		if strings.Contains(c.text(id, "stderr"), "exit status") != strings.Contains(test.code, "'exit status") {
			t.Errorf("%q: standard error %q", test.code, c.text(id, "stderr"))
		}
	}
	// Cells keep their numbers, whatever of them failed.
	if r, _ := c.run("%%\nx := 1"); !strings.Contains(strings.Join(r.Traceback, ""), fmt.Sprintf("Cell[%d]: Line 2", r.ExecutionCount)) {
		t.Errorf("cell %d: %q", r.ExecutionCount, r.Traceback)
	}
}

// What a line leaves running does not hold its cell, and what it prints later stands below that cell.
func TestShellBackground(t *testing.T) {
	c := serve(t, nil).client(t)
	more := filepath.Join(t.TempDir(), "more")
	r, id := c.run("!{ echo begun; until test -e '" + more + "'; do sleep 0.05; done; echo later; echo é >&2; } & echo $!")
	if out := c.text(id, "stdout"); r.Status != message.StatusOK || !strings.Contains(out, "\n") {
		t.Fatalf("%+v, standard output %q", r, out)
	}
	if r, other := c.run("%%\nfmt.Println(1)"); r.Status != message.StatusOK || c.text(other, "stdout") != "1\n" {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(more, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.wait("what it prints later", func(ch message.Channel, m *message.Message) bool {
		return strings.Contains(c.streamOf(m, id), "later")
	})
	c.wait("what it prints later", func(ch message.Channel, m *message.Message) bool {
		return strings.Contains(c.streamOf(m, id), "é\n")
	})
	if out := c.text(id, "stdout"); !strings.Contains(out, "begun\n") || !strings.HasSuffix(out, "later\n") {
		t.Errorf("standard output %q", out)
	}
	if r, _ := c.run("!sleep 1000 & false"); r.Value != "!sleep 1000 & false ended with exit status 1" {
		t.Errorf("%+v", r)
	}
}

// streamOf is the text of a message, if it is one of the cell's streams.
func (c *client) streamOf(m *message.Message, id string) string {
	var s message.Stream
	if m.Header.Type != message.TypeStream || m.Parent.ID != id || m.Content(&s) != nil {
		return ""
	}
	return s.Text
}
