package front

import (
	"regexp"
	"strings"

	"patchlab/kernel/message"
)

// panicError makes the error of a cell from the text that Go's runtime wrote.
func panicError(text string) *message.Error {
	text = strings.TrimRight(text, "\n")
	first, _, _ := strings.Cut(text, "\n")
	e := &message.Error{Name: "Panic", Value: strings.TrimPrefix(first, "panic: "), Traceback: strings.Split(text, "\n")}
	if value, fatal := strings.CutPrefix(first, "fatal error: "); fatal {
		e.Name, e.Value = "FatalError", value
	}
	return e
}

var (
	exitStatus = regexp.MustCompile(`^exit status \d+$`)
	// compilerLine is a message of the compiler: the file that GoNB made of the cells, line, column and text.
	compilerLine = regexp.MustCompile(`(?m)^\S*main(?:_test)?\.go:\d+(?::\d+)?: (.+)$`)
	buildPath    = regexp.MustCompile(`\S*/gonb_[0-9a-f]+/(main(?:_test)?\.go)`)
)

// compileError makes the error of a cell from GoNB's.
func compileError(gonb *message.Error) *message.Error {
	e := &message.Error{Name: "Error", Value: strings.TrimSpace(gonb.Value)}
	switch first := compilerLine.FindStringSubmatch(gonb.Value); {
	case first != nil:
		e.Name, e.Value = "CompileError", first[1]
	case exitStatus.MatchString(e.Value):
		e.Name = "ExitError"
	case strings.HasPrefix(e.Value, "signal: "):
		e.Name = "SignalError"
	}
	for _, line := range gonb.Traceback {
		// The compiler's first line names the package that GoNB made.
		if line = strings.TrimRight(line, "\n"); strings.Contains(line, "# gonb_") || stripColor(line) == "" {
			continue
		}
		e.Traceback = append(e.Traceback, buildPath.ReplaceAllString(line, "$1"))
	}
	return e
}

var color = regexp.MustCompile("\x1b\\[[0-9;]*m")

func stripColor(s string) string { return strings.TrimSpace(color.ReplaceAllString(s, "")) }
