package source

import (
	"strings"
	"testing"
)

func TestCompose(t *testing.T) {
	const declared = "package main\n\nimport (\n\t\"fmt\"\n\tm \"math\"\n)\n\nvar (\n\ta = 1\n\tb = 2\n)\n\ntype T struct{}\n\nfunc (t *T) F() {}\n\nfunc g() {}\n"
	for _, test := range []struct {
		name, code   string // | is the cursor
		with         []string
		without      []string
		before, next string // of the cursor
	}{
		{"statement", "é := 1\nfmt.Pr|", []string{`import "fmt"`, "var b = 2", "func g()"}, nil, "\nfmt.Pr", "\n}"},
		{"first statement", "strings.Rep|", []string{`import "strings"`}, nil, "func main() { strings.Rep", ""},
		{"%%", "import \"os\"\n%%\nos.A|", []string{"func main() { \nos.A"}, []string{`; import "os"`}, "os.A", ""},
		{"declared anew", "var a = \"x\"\nfunc (t T) F() {}\nfunc g() { a| }", []string{"var b = 2"}, []string{"a = 1", "(t *T)"}, "{ a", " }"},
		{"other import of the name", "import m \"os\"\n%%\nm.|", nil, []string{`m "math"`}, "m.", ""},
		{"in the middle", "%%\nfor i := range 3 {\n\tfmt.Println(i|)\n}", nil, nil, "(i", ")"},
	} {
		cursor := len([]rune(test.code[:strings.Index(test.code, "|")]))
		c, ok := Compose(strings.Replace(test.code, "|", "", 1), cursor, declared)
		if !ok {
			t.Errorf("%s: nothing composed", test.name)
			continue
		}
		if !strings.HasSuffix(c.Text[:c.Offset], test.before) || !strings.HasPrefix(c.Text[c.Offset:], test.next) {
			t.Errorf("%s: the cursor is after %q in %q", test.name, c.Text[:c.Offset], c.Text)
		}
		for _, w := range test.with {
			if !strings.Contains(c.Text, w) {
				t.Errorf("%s: no %q in %q", test.name, w, c.Text)
			}
		}
		for _, w := range test.without {
			if strings.Contains(c.Text, w) {
				t.Errorf("%s: %q in %q", test.name, w, c.Text)
			}
		}
	}
	for _, code := range []string{"%en", "!ls", "%%bash\nfoo"} {
		if c, ok := Compose(code, 3, ""); ok {
			t.Errorf("%q became %q", code, c.Text)
		}
	}
}

func TestDeclarations(t *testing.T) {
	got, ok := Declarations("package main\n\nvar x = 1\n\n// main is\nfunc main() {\n\tx++\n}\n\nfunc (T) main() {}\n")
	if !ok || got != "package main\n\nvar x = 1\n\n\n\nfunc (T) main() {}\n" {
		t.Errorf("%q, %v", got, ok)
	}
	if _, ok := Declarations("package"); ok {
		t.Error("broken Go has declarations")
	}
}

func TestWordAndCommands(t *testing.T) {
	if at := Word("x := fmt.Prin", 13); at != 9 {
		t.Errorf("word at %d", at)
	}
	if at := Word("größe", 5); at != 0 {
		t.Errorf("word at %d", at)
	}
	if m, start := Commands("x\n%go", 5); len(m) != 2 || m[0] != "%goflags" || start != 2 {
		t.Errorf("commands %q from %d", m, start)
	}
	if m, _ := Commands("x %go", 5); len(m) != 0 {
		t.Errorf("commands %q", m)
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("fmt.Pr", 6, "package main\nvar x = 1")
	f.Add("%%\né.\n", 4, "")
	f.Fuzz(func(t *testing.T, code string, cursor int, declared string) {
		Word(code, cursor)
		Commands(code, cursor)
		Declarations(declared)
		if c, ok := Compose(code, cursor, declared); ok && (c.Offset < 0 || c.Offset > len(c.Text)) {
			t.Errorf("the cursor is at %d of %d", c.Offset, len(c.Text))
		}
	})
}
