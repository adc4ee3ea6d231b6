package front

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"patchlab/kernel/message"
)

// panicError makes the error of a cell from the text that Go's runtime wrote.
func panicError(text string) *message.Error {
	text = buildPath.ReplaceAllString(strings.TrimRight(text, "\n"), "$1")
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

// traceLine is a line of a trace that names a line of the file that GoNB made, and says no cell yet.
var traceLine = regexp.MustCompile(`^(\s*)main\.go:(\d+)(.*)$`)

// locate says in a trace which lines of the cell it names. GoNB does so too, but misses those that the runtime writes
// piece by piece. A line of the file is one of the cell where the cell has one such line only.
func locate(trace []string, file, cell string, count int) {
	built, lines := strings.Split(file, "\n"), strings.Split(cell, "\n")
	for i, t := range trace {
		m := traceLine.FindStringSubmatch(t)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil || n < 1 || n > len(built) {
			continue
		}
		found := 0
		for k, l := range lines {
			if strings.TrimSpace(l) != strings.TrimSpace(built[n-1]) || strings.TrimSpace(l) == "" {
				continue
			}
			if found > 0 {
				found = -1
				break
			}
			found = k + 1
		}
		if found > 0 {
			trace[i] = fmt.Sprintf("%s\x1b[7m[[ Cell [%d] Line %d ]]\x1b[0m main.go:%d%s", m[1], count, found, n, m[3])
		}
	}
}

// cellNumber is how GoNB names a cell.
var cellNumber = regexp.MustCompile(`\b(Cell ?\[)(\d+)\]`)

// renumber adds what was run before GoNB began to count to the numbers of cells.
func renumber(text string, before int) string {
	if before == 0 {
		return text
	}
	return cellNumber.ReplaceAllStringFunc(text, func(s string) string {
		m := cellNumber.FindStringSubmatch(s)
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return s
		}
		return m[1] + strconv.Itoa(n+before) + "]"
	})
}

// compileError makes the error of a cell from GoNB's; count is the cell's number, and before that of the last cell before
// GoNB counted.
func compileError(gonb *message.Error, count, before int) *message.Error {
	e := &message.Error{Name: "Error", Value: strings.TrimSpace(gonb.Value)}
	switch head := headline(gonb, count-before); {
	case head != "":
		e.Name, e.Value = "CompileError", head
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
		e.Traceback = append(e.Traceback, renumber(buildPath.ReplaceAllString(line, "$1"), before))
	}
	return e
}

// headline returns the message of the compiler that most likely is the cause of the others, and how many those are; empty
// where the compiler has no message. The compiler says them in the order of the file that GoNB made of all cells. What is
// not used often is not because its use does not compile, and what the cell itself has wrong comes before what that breaks
// in earlier ones.
func headline(gonb *message.Error, cell int) string {
	found := compilerLine.FindAllStringSubmatch(gonb.Value, -1)
	if len(found) == 0 {
		return ""
	}
	own := fmt.Sprintf("Cell[%d]: ", cell)
	rank := func(text string) int {
		switch {
		case strings.Contains(text, " and not used"):
			return 2
		case slices.ContainsFunc(gonb.Traceback, func(t string) bool { return strings.HasPrefix(t, own) && strings.HasSuffix(stripColor(t), text) }):
			return 0
		}
		return 1
	}
	head := slices.MinFunc(found, func(a, b []string) int { return rank(a[1]) - rank(b[1]) })[1]
	if more := len(found) - 1; more > 0 {
		head += fmt.Sprintf(" (and %d more)", more)
	}
	return head
}

// ownPackage finds that the compiler misses one of the packages that cells have from Patchlab's module.
var ownPackage = regexp.MustCompile(`undefined: (keep|show|track|weights)\b|package patchlab/`)

// explained adds to an error what is known of its cause.
func (k *Kernel) explained(e *message.Error) *message.Error {
	module := k.options.Child.Module
	if e.Name != "CompileError" || !ownPackage.MatchString(e.Value) {
		return e
	}
	if _, err := os.Stat(filepath.Join(module, "kernel", "cell")); module != "" && err == nil {
		return e
	}
	where := "without a module"
	if module != "" {
		where = "for the module in " + module
	}
	hint := "keep, show, track and weights are packages of Patchlab's module, and this kernel is " + where +
		`: "patchlab kernel install --module FOLDER", with the folder of Patchlab's source, makes one that has them`
	e.Traceback = append(e.Traceback, hint)
	return e
}

var color = regexp.MustCompile("\x1b\\[[0-9;]*m")

func stripColor(s string) string { return strings.TrimSpace(color.ReplaceAllString(s, "")) }
