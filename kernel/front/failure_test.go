package front

import (
	"strings"
	"testing"

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
	}}, 4)
	if e.Name != "CompileError" || e.Value != "undefined: x" || len(e.Traceback) != 1 || e.Traceback[0] != "Cell[5]: Line 2\nmain.go:7\n\x1b[31mundefined: x\x1b[0m" {
		t.Errorf("%+v", e)
	}
	for value, name := range map[string]string{"exit status 3": "ExitError", "signal: killed": "SignalError", "anything": "Error"} {
		if e := compileError(&message.Error{Value: value}, 0); e.Name != name || e.Value != value {
			t.Errorf("%+v", e)
		}
	}
}
