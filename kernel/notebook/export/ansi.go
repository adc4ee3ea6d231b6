package export

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// escape matches terminal control sequences; the first group holds a colour
// sequence's numbers (ECMA-48, section 8.3.117).
var escape = regexp.MustCompile("\x1b\\[([0-9;:]*)m|\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

// plain removes terminal control sequences.
func plain(text string) string { return escape.ReplaceAllString(text, "") }

// look is how a terminal shows text.
type look struct {
	classes [6]string // bold, italic, underline, inverse, foreground, background
	styles  [2]string // colours beyond the sixteen
}

// ansi turns text with terminal colours into HTML.
func ansi(text string) string {
	var b strings.Builder
	var now look
	at := 0
	write := func(s string) {
		if s == "" {
			return
		}
		s = html.EscapeString(s)
		classes := strings.Join(strings.Fields(strings.Join(now.classes[:], " ")), " ")
		styles := now.styles[0] + now.styles[1]
		switch {
		case styles != "":
			fmt.Fprintf(&b, `<span class="%s" style="%s">%s</span>`, classes, styles, s)
		case classes != "":
			fmt.Fprintf(&b, `<span class="%s">%s</span>`, classes, s)
		default:
			b.WriteString(s)
		}
	}
	for _, m := range escape.FindAllStringSubmatchIndex(text, -1) {
		write(text[at:m[0]])
		at = m[1]
		if m[2] >= 0 {
			now.change(strings.FieldsFunc(text[m[2]:m[3]]+";", func(r rune) bool { return r == ';' || r == ':' }))
		}
	}
	write(text[at:])
	return b.String()
}

// change takes in the numbers of a colour sequence.
func (l *look) change(words []string) {
	if len(words) == 0 {
		*l = look{}
	}
	for i := 0; i < len(words); i++ {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			continue
		}
		switch {
		case n == 0:
			*l = look{}
		case n == 1 || n == 3 || n == 4 || n == 7:
			place := map[int]int{1: 0, 3: 1, 4: 2, 7: 3}[n]
			l.classes[place] = []string{"ansi-bold", "ansi-italic", "ansi-underline", "ansi-inverse"}[place]
		case n == 22:
			l.classes[0] = ""
		case n == 23 || n == 24:
			l.classes[n-22] = ""
		case n == 27:
			l.classes[3] = ""
		case n >= 30 && n <= 37 || n >= 90 && n <= 97:
			l.classes[4], l.styles[0] = "ansi-fg-"+sixteen(n), ""
		case n >= 40 && n <= 47 || n >= 100 && n <= 107:
			l.classes[5], l.styles[1] = "ansi-bg-"+sixteen(n-10), ""
		case n == 39:
			l.classes[4], l.styles[0] = "", ""
		case n == 49:
			l.classes[5], l.styles[1] = "", ""
		case n == 38 || n == 48:
			used, colour := extended(words[i+1:])
			i += used
			if colour != "" && n == 38 {
				l.classes[4], l.styles[0] = "", "color:"+colour+";"
			} else if colour != "" {
				l.classes[5], l.styles[1] = "", "background:"+colour+";"
			}
		}
	}
}

// sixteen is the number of one of the sixteen named colours.
func sixteen(n int) string {
	if n >= 90 {
		return strconv.Itoa(n - 90 + 8)
	}
	return strconv.Itoa(n - 30)
}

// extended reads a colour by its number among 256 or by red, green and blue.
func extended(words []string) (used int, colour string) {
	var numbers []int
	for _, w := range words[:min(len(words), 4)] {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 || n > 255 {
			return len(numbers), ""
		}
		numbers = append(numbers, n)
	}
	switch {
	case len(numbers) >= 4 && numbers[0] == 2:
		return 4, fmt.Sprintf("rgb(%d,%d,%d)", numbers[1], numbers[2], numbers[3])
	case len(numbers) >= 2 && numbers[0] == 5:
		n := numbers[1]
		switch {
		case n >= 232: // grey
			return 2, fmt.Sprintf("rgb(%d,%[1]d,%[1]d)", 8+10*(n-232))
		case n >= 16: // a cube of 6 × 6 × 6
			level := func(v int) int { return []int{0, 95, 135, 175, 215, 255}[v%6] }
			return 2, fmt.Sprintf("rgb(%d,%d,%d)", level((n-16)/36), level((n-16)/6), level(n-16))
		}
		return 2, fmt.Sprintf("var(--ansi-%d)", n)
	}
	return len(numbers), ""
}
