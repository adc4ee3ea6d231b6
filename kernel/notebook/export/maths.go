package export

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/wyatt915/treeblood"
)

// formula is a piece of LaTeX in a Markdown text.
type formula struct {
	tex     string
	display bool
	source  string // with its delimiters
}

// mark stands for formula i while Markdown is rendered, which would take the
// formula's underscores for emphasis. Its characters are private ones of Unicode.
func mark(i int) string { return fmt.Sprintf("\uE0F0%d\uE0F1", i) }

var (
	marked = regexp.MustCompile("\uE0F0(\\d+)\uE0F1")
	// protected matches what formulas do not begin in: fenced and inline code. Then come the delimiters, as MathJax has
	// them in Jupyter: $$…$$, \\[…\\], \\(…\\), \begin{x}…\end{x}, $…$ (which, as in pandoc, touches what it encloses and
	// stands before no digit), and an escaped dollar.
	opening = regexp.MustCompile("(?m)^ {0,3}(?:`{3,}|~{3,})|`+|\\\\\\$|\\$\\$|\\\\\\\\\\[|\\\\\\\\\\(|\\\\begin\\{([a-zA-Z]+\\*?)\\}|\\$")
)

// takeFormulas replaces the formulas in Markdown by marks.
func takeFormulas(text string) (string, []formula) {
	text = strings.NewReplacer("\uE0F0", "", "\uE0F1", "").Replace(text)
	var b strings.Builder
	var list []formula
	for {
		m := opening.FindStringSubmatchIndex(text)
		if m == nil {
			b.WriteString(text)
			return b.String(), list
		}
		open, rest := text[m[0]:m[1]], text[m[1]:]
		b.WriteString(text[:m[0]])
		var body string
		length, display, found := 0, true, false
		switch delimiter := strings.TrimLeft(open, " "); {
		case strings.HasPrefix(delimiter, "```") || strings.HasPrefix(delimiter, "~~~"):
			if end := regexp.MustCompile(`(?m)^ {0,3}` + delimiter + "[`~]*[ \t]*$").FindStringIndex(rest); end != nil && (m[0] == 0 || text[m[0]-1] == '\n' || open != delimiter) {
				length = end[1]
			}
		case delimiter[0] == '`':
			for from := 0; ; { // a run of as many
				end := strings.Index(rest[from:], delimiter)
				if end < 0 {
					break
				}
				from += end + len(delimiter)
				if !strings.HasPrefix(rest[from:], "`") && (end == 0 || rest[from-len(delimiter)-1] != '`') {
					length = from
					break
				}
				for strings.HasPrefix(rest[from:], "`") {
					from++
				}
			}
		case delimiter == "$$":
			body, length, found = until(rest, "$$")
		case delimiter == `\\[`:
			body, length, found = until(rest, `\\]`)
		case delimiter == `\\(`:
			body, length, found = until(rest, `\\)`)
			display = false
		case delimiter == "$":
			body, length, found = inline(rest)
			display = false
		case m[2] >= 0:
			close := `\end{` + text[m[2]:m[3]] + `}`
			if body, length, found = until(rest, close); found {
				body = open + body + close
			}
		}
		if found {
			b.WriteString(mark(len(list)))
			list = append(list, formula{strings.TrimSpace(body), display, open + rest[:length]})
		} else {
			b.WriteString(open + rest[:length])
		}
		text = rest[length:]
	}
}

// until cuts text before close, unless a blank line comes first.
func until(text, close string) (body string, length int, found bool) {
	end := strings.Index(text, close)
	if end < 0 || strings.TrimSpace(text[:end]) == "" || strings.Contains(text[:end], "\n\n") {
		return "", 0, false
	}
	return text[:end], end + len(close), true
}

// inline cuts text before the dollar that ends a formula in a line of text.
func inline(text string) (body string, length int, found bool) {
	for end := 0; end < len(text); end++ {
		switch {
		case text[end] == '\\':
			end++
		case text[end] == '`', strings.HasPrefix(text[end:], "\n\n"): // code goes before formulas
			return "", 0, false
		case text[end] == '$':
			if end == 0 || strings.ContainsRune(" \t\n", rune(text[0])) || strings.ContainsRune(" \t\n", rune(text[end-1])) ||
				end+1 < len(text) && text[end+1] >= '0' && text[end+1] <= '9' {
				return "", 0, false
			}
			return text[:end], end + 1, true
		}
	}
	return "", 0, false
}

// html is the formula as MathML with its LaTeX beside it for who copies it; as
// LaTeX where the converter does not understand all of it.
func (f formula) html() string {
	render := treeblood.NewDocument(nil, false)
	render.PrintOneLine = true
	convert := render.TextStyle
	if f.display {
		convert = render.DisplayStyle
	}
	mathML, ok := "", wellFormed(f.tex)
	if ok {
		var err error
		mathML, err = convert(pairDelimiters(f.tex))
		ok = err == nil && !strings.Contains(mathML, "<merror")
	}
	if !ok {
		if f.display {
			return `<code class="tex display">` + html.EscapeString(f.source) + `</code>`
		}
		return `<code class="tex">` + html.EscapeString(f.source) + `</code>`
	}
	return strings.TrimSpace(mathML)
}

// latex is a text/latex output as HTML: its formulas, and the text between them.
func latex(text string) string {
	text, formulas := takeFormulas(text)
	return putFormulas("<p>"+html.EscapeString(text)+"</p>", formulas)
}

// putFormulas puts the formulas in place of their marks.
func putFormulas(page string, list []formula) string {
	return marked.ReplaceAllStringFunc(page, func(m string) string {
		i := 0
		if _, err := fmt.Sscanf(strings.Trim(m, "\uE0F0\uE0F1"), "%d", &i); err != nil || i >= len(list) {
			return ""
		}
		return list[i].html()
	})
}
