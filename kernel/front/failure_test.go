package front

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/child"
	"patchlab/kernel/message"
)

func TestLocate(t *testing.T) {
	trace := []string{"goroutine 1 [running]:", "main.main()", "\tmain.go:5 +0x65", "\tmain.go:6 +0x1", "\t\x1b[7m[[ Cell [2] Line 1 ]]\x1b[0m main.go:4", "\tmain.go:99"}
	locate(trace, "package main\n\nfunc main() {\n\tflag.Parse()\npanic(1)\nx()\nx()\n}", "%%\npanic(1)\nx()\nx()", 7)
	if got := strings.Join(trace, "|"); got != "goroutine 1 [running]:|main.main()|\t\x1b[7m[[ Cell [7] Line 2 ]]\x1b[0m main.go:5 +0x65|\tmain.go:6 +0x1|\t\x1b[7m[[ Cell [2] Line 1 ]]\x1b[0m main.go:4|\tmain.go:99" {
		t.Errorf("%q", got)
	}
}

func TestErrors(t *testing.T) {
	e := panicError("panic: /tmp/x/gonb_0a1b/main.go: bad [recovered]\n\ngoroutine 1:\n\t/tmp/x/gonb_0a1b/main.go:3\n")
	if e.Name != "Panic" || e.Value != "/tmp/x/gonb_0a1b/main.go: bad [recovered]" && e.Value != "main.go: bad [recovered]" || e.Traceback[3] != "\tmain.go:3" {
		t.Errorf("%+v", e)
	}
	if e := panicError("fatal error: out of memory"); e.Name != "FatalError" || e.Value != "out of memory" {
		t.Errorf("%+v", e)
	}
	e = compileError(&message.Error{Value: "exit status 1\n\n# gonb_0a1b\n/tmp/gonb_0a1b/main.go:7:2: undefined: x\n", Traceback: []string{
		"\x1b[31m# gonb_0a1b\x1b[0m", "Cell[1]: Line 2\n/tmp/gonb_0a1b/main.go:7\n\x1b[31mundefined: x\x1b[0m", "",
	}}, 5, 4)
	if e.Name != "CompileError" || e.Value != "undefined: x" || len(e.Traceback) != 1 || e.Traceback[0] != "Cell[5]: Line 2\nmain.go:7\n\x1b[31mundefined: x\x1b[0m" {
		t.Errorf("%+v", e)
	}
	for value, name := range map[string]string{"exit status 3": "ExitError", "signal: killed": "SignalError", "anything": "Error"} {
		if e := compileError(&message.Error{Value: value}, 1, 0); e.Name != name || e.Value != value {
			t.Errorf("%+v", e)
		}
	}
}

// The headline is the cause, wherever the compiler says it.
func TestHeadline(t *testing.T) {
	gonb := &message.Error{
		Value: "exit status 1\n\n# gonb_0a1b\n/tmp/gonb_0a1b/main.go:5:2: x.b undefined\n/tmp/gonb_0a1b/main.go:7:2: declared and not used: y\n/tmp/gonb_0a1b/main.go:8:2: undefined: z\n",
		Traceback: []string{
			"\x1b[31m# gonb_0a1b\x1b[0m", "Cell[1]: Line 2\ncode\n\x1b[31mx.b undefined\x1b[0m",
			"Cell[2]: Line 1\ncode\n\x1b[31mdeclared and not used: y\x1b[0m", "Cell[2]: Line 2\ncode\n\x1b[31mundefined: z\x1b[0m",
		},
	}
	for count, want := range map[int]string{2: "undefined: z (and 2 more)", 3: "x.b undefined (and 2 more)"} {
		if got := headline(gonb, count); got != want {
			t.Errorf("as cell %d: %q, want %q", count, got, want)
		}
	}
	gonb.Value = "main.go:7:2: declared and not used: y\n"
	if got := headline(gonb, 2); got != "declared and not used: y" {
		t.Errorf("alone: %q", got)
	}
}

func TestHintAtOwnPackages(t *testing.T) {
	with := t.TempDir()
	if err := os.MkdirAll(filepath.Join(with, "kernel", "cell"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		module, value string
		hint          bool
	}{{"", "undefined: keep", true}, {t.TempDir(), "undefined: show (and 1 more)", true}, {t.TempDir(), "package patchlab/kernel/cell/track is not in std", true},
		{with, "undefined: keep", false}, {"", "undefined: keeper", false}, {"", "undefined: x", false}} {
		k := &Kernel{options: Options{Child: child.Config{Module: test.module}}}
		e := k.explained(&message.Error{Name: "CompileError", Value: test.value, Traceback: []string{"trace"}})
		if hint := len(e.Traceback) == 2 && strings.Contains(e.Traceback[1], "kernel install --module"); hint != test.hint {
			t.Errorf("%+v: %q", test, e.Traceback)
		}
	}
}
