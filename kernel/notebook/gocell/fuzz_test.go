package gocell_test

import (
	"testing"

	"patchlab/kernel/notebook/gocell"
)

// What stays of a cell is a cell that declares the same and runs nothing.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"var a, b = 1, 2\n%%\na++", "!*go get x\nimport m \"math\"\nfunc (t *T[E]) F() {}", "const (\n\tA = iota\n\tB\n)", "x := 1\nx", "%%bash\nls", "// c\ntype (\n\tA int\n\t// d\n\tB = A\n)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		c, err := gocell.Split(source)
		if err != nil {
			return
		}
		again, err := gocell.Split(c.Definitions())
		if err != nil {
			t.Fatalf("%q leaves %q: %v", source, c.Definitions(), err)
		}
		if again.HasMain {
			t.Errorf("%q leaves %q, which runs %q", source, c.Definitions(), again.Main)
		}
		if !c.Foreign && len(again.Decls) != len(c.Decls) {
			t.Errorf("%q leaves %q: %d declarations, not %d", source, c.Definitions(), len(again.Decls), len(c.Decls))
		}
	})
}
