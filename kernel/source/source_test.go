package source

import (
	"slices"
	"strings"
	"testing"
)

// declared is what cells before have declared.
const declared = "package main\n\nfunc one() int { return 1 }\n\nfunc two() (a, b int) { return 1, 2 }\n\nfunc none() {}\n\nfunc fails() error { return nil }\n\nfunc of[T any](x T) T { return x }\n\ntype V int\n\nfunc (V) one() {}\n"

func TestPrepare(t *testing.T) {
	for _, test := range []struct{ name, code, want string }{
		{"expression", "%%\nx := 3\nx * 2 // twice", "%%\nx := 3\npatchlabResult(x * 2) // twice"},
		{"over lines", "%%\n1 +\n\t2\n", "%%\npatchlabResult(1 +\n\t2)\n"},
		{"arguments of main", "import \"os\"\n%% -v=1\nos.Args", "import \"os\"\n%% -v=1\npatchlabResult(os.Args)"},
		{"comment prefix", "//gonb:%%\n\"é\"", "//gonb:%%\npatchlabResult(\"é\")"},
		{"own main", "func main() {\n\tx[1]\n}", "func main() {\n\tpatchlabResult(x[1])\n}"},
		{"builtin", "%%\nlen(x)", "%%\npatchlabResult(len(x))"},
		{"conversion", "%%\n[]byte(\"a\")", "%%\npatchlabResult([]byte(\"a\"))"},
		{"alone", "1+2", "func main() { patchlabResult(1+2)\n}"},
		{"statements", "x := 3\n(x)", "func main() { x := 3\npatchlabResult((x))\n}"},
		{"commands first", "%env A=1\n!ls\nx", "%env A=1\n!ls\nfunc main() { patchlabResult(x)\n}"},
		{"declarations, then statements", "import \"fmt\"\nvar n = 1\n\nfmt.Println(n)\nn", "import \"fmt\"\nvar n = 1\n\nfunc main() { fmt.Println(n)\npatchlabResult(n)\n}"},
		{"command among statements", "%%\nx := 1\n%goflags\nx", "%%\nx := 1\n%goflags\npatchlabResult(x)"},

		{"call of an earlier function", "%%\none()", "%%\npatchlabResult(one())"},
		{"call of an own function", "func two() string { return \"\" }\n%%\ntwo()", "func two() string { return \"\" }\n%%\npatchlabResult(two())"},
		{"call of a generic function", "of[int](3)", "func main() { patchlabResult(of[int](3))\n}"},
		{"two results", "%%\ntwo()", ""},
		{"no result", "%%\nnone()", ""},
		{"an error", "%%\nfails()", ""},
		{"shadowed", "%%\none := func() {}\none()", ""},
		{"method", "%%\nV(1).one()", ""},

		{"declarations", "func f() int { return 1 }\n\nvar x = f()", ""},
		{"call", "%%\nf(1)", ""},
		{"method call", "%%\nm.Show()", ""},
		{"receive", "%%\n<-c", ""},
		{"assignment", "%%\nx := 1\n_ = x", ""},
		{"blank", "%%\n_", ""},
		{"broken", "%%\nx := (\n", ""},
		{"broken declaration", "func f( {", ""},
		{"function after statements", "x := 1\nfunc f() {}", ""},
		{"shell", "!ls \\\n1+2", ""},
		{"bash cell", "%%bash\n1+2", ""},
		{"written file", "%%writefile x.go\nx", ""},
		{"not main", "func f() { x }", ""},
		{"method named main", "func (t T) main() { x }", ""},
		{"empty", "", ""},
		{"only %%", "%%", ""},
	} {
		want := test.want
		if want == "" {
			want = test.code
		}
		got := Prepare(test.code, declared)
		if got.Code != want || got.Shows != strings.Contains(want, ResultFunc) {
			t.Errorf("%s: %q, shows %v, want %q", test.name, got.Code, got.Shows, want)
		}
	}
}

func TestIsComplete(t *testing.T) {
	for code, want := range map[string]string{
		"":                                   "complete",
		"var x = 1":                          "complete",
		"x := 1":                             "complete",
		"%%\nfmt.Println(1)":                 "complete",
		"func f() int {\n\treturn 1\n}":      "complete",
		"!ls -l":                             "complete",
		"%%bash\nfor (":                      "complete",
		"import \"fmt\"\nfmt.Println(1)":     "complete",
		"if x {\n\ty()\n}":                   "complete",
		"func f() int {":                     "incomplete\t",
		"for i := range 3 {\n\tif i > 1 {":   "incomplete\t\t",
		"x := []int{\n\t1,":                  "incomplete\t",
		"%%\nfmt.Println(":                   "incomplete\t",
		"x := `abc\ndef":                     "incomplete",
		"/* a comment":                       "incomplete",
		"y := x +":                           "incomplete",
		"import (":                           "incomplete\t",
		"!ls \\":                             "incomplete",
		"type T struct {\n\tA int\n":         "incomplete\t",
		"x := )":                             "invalid",
		"func f( {}\n}":                      "invalid",
		"%%\nx := \"abc\ny":                  "invalid",
		"var var":                            "invalid",
		"}":                                  "invalid",
		"for i := range 3 {\n)\n":            "invalid",
		"if x {\n\ty()\n}\nfunc main() {}\n": "invalid",
	} {
		status, indent := IsComplete(code)
		if got := status + indent; got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}

func TestTake(t *testing.T) {
	taken, rest, bare := Take("import \"fmt\"\n%patchlab run a\n//gonb:%patchlab status\n%patchlabs\n%%\nx", "%patchlab")
	if strings.Join(taken, "|") != "%patchlab run a|%patchlab status" || rest != "import \"fmt\"\n\n\n%patchlabs\n%%\nx" || bare {
		t.Errorf("%q, %q, %v", taken, rest, bare)
	}
	if taken, _, bare := Take("%patchlab end\n\n", "%patchlab"); len(taken) != 1 || !bare {
		t.Errorf("%q, %v", taken, bare)
	}
	for _, code := range []string{"x", "%%bash\n%patchlab", ""} {
		if taken, rest, bare := Take(code, "%patchlab"); len(taken) != 0 || rest != code || bare {
			t.Errorf("%q: %q, %q, %v", code, taken, rest, bare)
		}
	}
}

func TestUnknown(t *testing.T) {
	for code, want := range map[string]string{
		"%matplotlib inline\n%%\nx": "%matplotlib", "!a \\\n%b\n% foo x": "%foo", "%%html\n<b>": "%%html", "//gonb:%nope": "%nope",
		"%patchlab run a\n%env A=1\n%%\nx := 5\n%main\n %c": "", "%%bash\n%nope": "", "x\n%%": "", "%": "", "%patchlabs": "%patchlabs",
	} {
		if got, known := Unknown(code, "%patchlab"); got != want || want != "" && !strings.Contains(strings.Join(known, " "), " %patchlab ") {
			t.Errorf("%q: %q of %v, want %q", code, got, known, want)
		}
	}
	if got, _ := Unknown("%patchlab", ""); got != "%patchlab" {
		t.Errorf("without an own command: %q", got)
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		code string
		want []Step
	}{
		{"import \"fmt\"\n%%\nx", []Step{{Code: "import \"fmt\"\n%%\nx"}}},
		{"", []Step{{}}},
		{"!ls -l", []Step{{Code: "!S;ls -l", Shell: "ls -l"}}},
		{"//gonb:!* ls", []Step{{Code: "//gonb:!*S; ls", Shell: "ls"}}},
		{"%%bash\n!a", []Step{{Code: "%%bash\n!a", Foreign: true}}},
		{"%%writefile a\n!a", []Step{{Code: "%%writefile a\n!a"}}},
		{"%env A=1\n!a \\\n b\n%%\nx\n!c", []Step{
			{Code: "%env A=1\n!S;a \\\n b\n\n\n", Shell: "a  b"}, {Code: "\n\n\n\n\n!S;c", Shell: "c"}, {Code: "\n\n\n%%\nx\n"},
		}},
		{"package main\n// a\npackages := 1\nx := `\npackage b\n`", []Step{{Code: "package main\n// a\n\rpackages := 1\nx := `\n\rpackage b\n`"}}},
		{"!a\n%test\n%cd /", []Step{{Code: "!S;a\n\n", Shell: "a"}, {Code: "\n%test\n%cd /"}}},
		{"!server &\n\n", []Step{{Code: "!S;B;server &\n\n", Shell: "server &", Background: true}}},
	} {
		if got := Steps(test.code, "S;", "B;"); !slices.Equal(got, test.want) {
			t.Errorf("%q: %+v, want %+v", test.code, got, test.want)
		}
	}
	for shell, want := range map[string]bool{
		"a &": true, "a & b": true, "(a &)": true, "a&": true, "a && b": false, "a 2>&1": false, "a &>f": false, "a <&3": false, `a \& b`: false, "a |& b": false, "&": true, "a": false,
	} {
		if got := Steps("!"+shell, "", ""); len(got) != 1 || got[0].Background != want {
			t.Errorf("%q: %+v", shell, got)
		}
	}
}

// Only the package clause is left out, not all that begins with the word.
func TestPackageClause(t *testing.T) {
	for code, want := range map[string]int{
		"package main\nx": 0, "// a\n%cd b\n\npackage main // c\nx": 3, "package main": 0, "x": -1,
		"packages := 1": -1, "x := `\npackage a\n`": -1, "/*\npackage a\n*/": -1, "import \"fmt\"\npackage a": -1,
		"package a; x()": -1, "package\na": -1, " package a\npackage b": -1, "!a \\\npackage b": -1,
	} {
		got := slices.IndexFunc(Parse(code).lines, func(l line) bool {
			return l.kind == commandLine && strings.HasPrefix(l.text, "package") && !l.continues
		})
		if got != want {
			t.Errorf("%q: line %d, want %d", code, got, want)
		}
	}
	if p := Prepare("packages := 1\npackages", ""); p.Code != "func main() { packages := 1\npatchlabResult(packages)\n}" {
		t.Errorf("%q", p.Code)
	}
}

// A method of a type of several parameters replaces the one that was declared before.
func TestComposeReplacesMethods(t *testing.T) {
	const before = "package main\n\ntype P[A, B any] struct{}\n\nfunc (p *P[A, B]) Set() {}\n"
	c, ok := Compose("func (p *P[C, D]) Set() { }", 0, before)
	if !ok || strings.Count(c.Text, "Set()") != 1 || !strings.Contains(c.Text, "type P[") {
		t.Errorf("%v, %s", ok, c.Text)
	}
}

func FuzzPrepare(f *testing.F) {
	for _, code := range []string{"%%\nx", "1+2", "import \"fmt\"\nfmt.Sprint(1)[0]", "!a\\\nb\nc", "//gonb:%%\n(((x)))", "x\r\ny", "package a\n%%\n\"\\u00e9\""} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		p := Prepare(code, declared)
		IsComplete(code)
		if !p.Shows {
			return
		}
		// Taken away again, what was added leaves the cell as it was.
		back := strings.Replace(p.Code, ResultFunc+"(", "", 1)
		at := -1
		for i := range back { // one closing parenthesis is too many
			if back[i] == ')' {
				without := back[:i] + back[i+1:]
				if without == code || strings.TrimSuffix(strings.Replace(without, mainPrefix, "", 1), "\n}") == code {
					at = i
				}
			}
		}
		if at < 0 {
			t.Errorf("%q became %q", code, p.Code)
		}
		if n := strings.Count(p.Code, "\n") - strings.Count(code, "\n"); n != 0 && n != 1 {
			t.Errorf("%q became %q: lines moved", code, p.Code)
		}
	})
}
