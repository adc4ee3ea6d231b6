package check

import (
	"fmt"
	"slices"
	"strings"
)

const (
	context  = 2    // equal lines that are shown beside changed ones
	maxLines = 1000 // that are compared to find the shortest difference
	maxShown = 60   // lines of one difference
)

// diff shows how the lines of two texts differ.
func diff(want, got string) []string {
	a, b := slices.Collect(strings.Lines(want)), slices.Collect(strings.Lines(got))
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var lines []string
	for _, line := range a[max(0, head-context):head] {
		lines = append(lines, " "+show(line))
	}
	lines = append(lines, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail : min(len(a), len(a)-tail+context)] {
		lines = append(lines, " "+show(line))
	}
	if len(lines) > maxShown {
		lines = append(lines[:maxShown:maxShown], fmt.Sprintf("@ and %d more lines", len(lines)-maxShown))
	}
	return lines
}

// show is a line as it is shown: without its end, which is named where it is
// missing or uncommon, and with control characters visible.
func show(line string) string {
	text, ended := strings.CutSuffix(line, "\n")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) || strings.HasSuffix(text, " ") {
		text = fmt.Sprintf("%q", text)
	}
	if !ended {
		text += " (no newline at the end)"
	}
	return text
}

// middle is the shortest difference of two lists of lines, by their longest
// common subsequence; for long lists all of one, then all of the other.
func middle(a, b []string) []string {
	var lines []string
	if len(a) > maxLines || len(b) > maxLines {
		for _, line := range a {
			lines = append(lines, "-"+show(line))
		}
		for _, line := range b {
			lines = append(lines, "+"+show(line))
		}
		return lines
	}
	longest := make([][]int, len(a)+1) // common lines of a[i:] and b[j:]
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, " "+show(a[i]))
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			lines = append(lines, "-"+show(a[i]))
			i++
		default:
			lines = append(lines, "+"+show(b[j]))
			j++
		}
	}
	return lines
}
