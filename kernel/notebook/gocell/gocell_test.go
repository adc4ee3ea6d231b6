package gocell_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchlab/kernel/notebook/gocell"
)

func TestSplit(t *testing.T) {
	c, err := gocell.Split(`//gonb:%goflags -race
!*go get example.com/x@v1
!echo a \
  b
import (
	"fmt"
	m "math"
)
import . "strings"

// Pi is a number.
const Pi = 3

const (
	A = iota
	B
)

var (
	// x is x.
	x, y = 1, 2
	z    int
)

// T is a type.
type T[E any] struct{ a E }

// Set sets.
func (t *T[E]) Set(a E) { t.a = a }

func (t *Pair[A, B]) Set(a A, b B) {}

func init_t() {}

func main() {
	fmt.Println(x)
	m.Abs(1)
}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"%goflags -race", "!*go get example.com/x@v1", "!echo a    b"}; !slices.Equal(c.Magics, want) {
		t.Errorf("magics %q", c.Magics)
	}
	if got := fmt.Sprint(c.Imports); got != `["fmt" m "math" . "strings"]` {
		t.Errorf("imports %s", got)
	}
	want := []gocell.Decl{
		{[]string{"Pi"}, "// Pi is a number.\nconst Pi = 3"},
		{[]string{"A", "B"}, "const (\n\tA = iota\n\tB\n)"},
		{[]string{"x", "y"}, "// x is x.\nvar x, y = 1, 2"},
		{[]string{"z"}, "var z    int"},
		{[]string{"T"}, "// T is a type.\ntype T[E any] struct{ a E }"},
		{[]string{"T.Set"}, "// Set sets.\nfunc (t *T[E]) Set(a E) { t.a = a }"},
		{[]string{"Pair.Set"}, "func (t *Pair[A, B]) Set(a A, b B) {}"},
		{[]string{"init_t"}, "func init_t() {}"},
	}
	if fmt.Sprintf("%q", c.Decls) != fmt.Sprintf("%q", want) {
		t.Errorf("declarations\n%q\nwant\n%q", c.Decls, want)
	}
	if !c.HasMain || c.Main != "\tfmt.Println(x)\n\tm.Abs(1)" {
		t.Errorf("main %q", c.Main)
	}
	if d := c.Definitions(); strings.Contains(d, "Println") || strings.Contains(d, "echo") || !strings.Contains(d, "%goflags") || !strings.Contains(d, `import m "math"`) {
		t.Errorf("definitions:\n%s", d)
	}
}

func TestSplitKinds(t *testing.T) {
	for source, want := range map[string]string{
		"":                                   "",
		"%%\nx := 1\nfmt.Println(x)":         "main x := 1\nfmt.Println(x)",
		"var a = 1\n%main -x\na++":           "decl 1 main a++",
		"%%bash\necho {":                     "foreign",
		"%%writefile a.go\npackage a":        "foreign",
		"x := 1\nx + 1":                      "main x := 1\npatchlabResult(x + 1)",
		"package main\n\nfunc f() {}":        "decl 1",
		"// a\npackage main\nfunc f() {}":    "decl 1",
		"packages := 1\n_ = packages":        "main packages := 1\n_ = packages",
		"%%\nx := `\npackage a\n`\n_ = x":    "main x := `\npackage a\n`\n_ = x",
		"%%\na++\n%% -x\nb++":                "main a++\n\nb++",
		"%% -flag=1\nvar s = `\nx\n`\n_ = s": "main var s = `\nx\n`\n_ = s",
	} {
		c, err := gocell.Split(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		var got []string
		if c.Foreign {
			got = append(got, "foreign")
		}
		if len(c.Decls) > 0 {
			got = append(got, fmt.Sprint("decl ", len(c.Decls)))
		}
		if c.HasMain {
			got = append(got, "main "+c.Main)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", source, strings.Join(got, " "), want)
		}
	}
	for source, want := range map[string]string{
		"func f( {\n}":   "line 1:",
		"%%\nok()\nfoo(": "line 4:",
		"%%\n\nfoo(":     "line 4:",
		"%%html\n<b>":    "there is no command %%html",
		"\n%%bash\nls {": "line 3:", // not in the first line
		"\n\nvar = 1":    "line 3:",
	} {
		if _, err := gocell.Split(source); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}
