package coursework

import (
	"fmt"
	"regexp"
	"strings"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// Released says what Release took out of a notebook.
type Released struct {
	Solutions int // cells whose solution was replaced
	Hidden    int // cells that lost hidden tests or a mark scheme
}

// What stands in place of a solution.
const (
	textStub   = "YOUR ANSWER HERE"
	pythonStub = "# YOUR CODE HERE\nraise NotImplementedError()"
)

// goStub ends a cell that asks for the answer, as the helpers of Patchlab's own
// notebooks do it where a notebook imports them (notebooks/course).
func goStub(n *notebook.Notebook) string {
	for _, c := range n.Cells {
		if c.Kind() == notebook.Code && strings.Contains(c.Source(), `"patchlab/notebooks/course"`) {
			return "// YOUR CODE HERE\npanic(course.Todo())"
		}
	}
	return "// YOUR CODE HERE\npanic(\"not implemented\")"
}

// Release makes of a notebook with answers the one that students get, by
// nbgrader's conventions (its preprocessors ClearSolutions, ClearHiddenTests,
// ClearMarkScheme, ClearOutput and LockCells): what stands between lines with BEGIN SOLUTION
// and END SOLUTION, or all of a cell that is marked as a solution and has no such
// lines, is replaced by a stub; hidden tests, mark schemes and outputs go. When
// and how long cells ran goes too, which nbgrader keeps.
func Release(n *notebook.Notebook) (done Released, err error) {
	language := n.Language()
	stub, known := map[string]string{"go": goStub(n), "python": pythonStub}[language]
	for i, c := range n.Cells {
		text := stub
		if c.Kind() != notebook.Code {
			text = textStub
		}
		source, solved, err := replaceRegion(c.Source(), "SOLUTION", text)
		if err == nil && !solved && isSolution(c) {
			source, solved = text, true
		}
		if solved && c.Kind() == notebook.Code && !known {
			err = fmt.Errorf("no stub is known in %q; allowed: go, python", language)
		}
		var hid [2]bool
		for k, mark := range [...]string{"HIDDEN TESTS", "MARK SCHEME"} {
			if err == nil {
				source, hid[k], err = replaceRegion(source, mark, "")
			}
		}
		if err != nil {
			return done, fmt.Errorf("cell %d: %w", i+1, err)
		}
		if solved {
			done.Solutions++
		}
		if hid[0] || hid[1] {
			done.Hidden++
		}
		if solved || hid[0] || hid[1] {
			c.SetSource(source)
		}
		if c.Kind() == notebook.Code {
			c.SetOutputs(nil)
			c.SetCount(0)
		}
		lock(c)
		for _, key := range []string{"execution", "papermill", "collapsed", "scrolled"} {
			c.Metadata().Delete(key)
		}
	}
	n.Metadata().Delete("papermill")
	return done, nil
}

// isSolution tells whether nbgrader takes the cell for one to be answered.
func isSolution(c *notebook.Cell) bool { return hasMark(c, "solution") }

func hasMark(c *notebook.Cell, mark string) bool {
	return c.Metadata().Object("nbgrader").Get(mark) == ordered.Scalar("true")
}

// lock keeps Jupyter from removing cells that count, and from changing those that
// test.
func lock(c *notebook.Cell) {
	const no = ordered.Scalar("false")
	tests := !isSolution(c) && (hasMark(c, "grade") || hasMark(c, "locked"))
	if isSolution(c) || tests {
		c.Metadata().Set("deletable", no)
	}
	if tests {
		c.Metadata().Set("editable", no)
	}
}

var leading = regexp.MustCompile(`^\s*`)

// replaceRegion replaces the lines between those that contain BEGIN mark and END
// mark, these included, by a stub as far indented as the first; an empty stub is
// no line.
func replaceRegion(source, mark, stub string) (text string, replaced bool, err error) {
	var lines []string
	inside := false
	for line := range strings.SplitSeq(source, "\n") {
		switch {
		case strings.Contains(line, "BEGIN "+mark):
			if inside {
				return "", false, fmt.Errorf("BEGIN %s stands inside another", mark)
			}
			inside, replaced = true, true
			if stub == "" {
				continue
			}
			for part := range strings.SplitSeq(stub, "\n") {
				lines = append(lines, leading.FindString(line)+part)
			}
		case strings.Contains(line, "END "+mark):
			inside = false
		case !inside:
			lines = append(lines, line)
		}
	}
	if inside {
		return "", false, fmt.Errorf("BEGIN %s has no END %s", mark, mark)
	}
	return strings.Join(lines, "\n"), replaced, nil
}
