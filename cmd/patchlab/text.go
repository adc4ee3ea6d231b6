package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"patchlab/compare/report"
)

// cut shortens text to a width in characters.
func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

// oneLine keeps control characters of recorded text away from the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// wrapped is text behind a prefix, in lines of at most 80 columns that end
// between words; the lines after the first stand below the text, not the prefix.
func wrapped(prefix, text string) string {
	indent := utf8.RuneCountInString(prefix)
	return prefix + strings.Join(report.Wrap(text, 80-indent), "\n"+strings.Repeat(" ", indent))
}

// counted is a number of things in words, such as "1 seed" or "3 seeds".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
