package export

import (
	"regexp"
	"slices"
	"strings"
)

// piece matches what LaTeX is made of: an environment's begin or end, a command,
// a character.
var piece = regexp.MustCompile(`\\(?:begin|end)\s*\{[^{}]*\}|\\[a-zA-Z]+|\\.|\s+|(?s:.)`)

// needsArgument are the commands that something must follow. The converter fails
// on them without it, and says so on the standard output.
var needsArgument = strings.Fields(`\frac \dfrac \tfrac \cfrac \binom \dbinom \tbinom \sqrt \hat \widehat \bar \overline \underline
	\vec \tilde \widetilde \dot \ddot \acute \grave \breve \check \mathring \overbrace \underbrace \overset \underset \stackrel \xrightarrow
	\mathbb \mathcal \mathfrak \mathbf \mathrm \mathit \mathsf \mathtt \mathscr \boldsymbol \bm \text \textbf \textit \textrm \texttt
	\operatorname \mathop \mathrel \mathbin \phantom \boxed \cancel \color \textcolor \not \pmod \left \right \middle \big \Big \bigg \Bigg ^ _`)

// wellFormed says whether a formula can be given to the converter: its braces,
// environments and delimiters pair, and commands have arguments.
func wellFormed(tex string) bool {
	var open []string
	pieces := slices.DeleteFunc(piece.FindAllString(tex, -1), func(p string) bool { return strings.TrimSpace(p) == "" })
	for i, p := range pieces {
		next := ""
		if i+1 < len(pieces) {
			next = pieces[i+1]
		}
		ends := next == "" || next == "}" || next == "&" || next == `\\` || next == "^" || next == "_" || strings.HasPrefix(next, `\end`) || strings.HasSuffix(next, "limits")
		empty := next == "{" && i+2 < len(pieces) && pieces[i+2] == "}"
		if (ends || empty) && slices.Contains(needsArgument, p) || p == "%" || p == "#" || p == "$" {
			return false
		}
		name, isEnvironment := environment(p)
		close := ""
		switch {
		case p == "{" || p == `\left`:
			open = append(open, p)
			continue
		case isEnvironment && strings.HasPrefix(p, `\begin`):
			if strings.HasPrefix(next, `\end`) || next == "" {
				return false
			}
			open = append(open, name)
			continue
		case p == "}":
			close = "{"
		case p == `\right`:
			close = `\left`
		case isEnvironment:
			close = name
		case p == `\newcommand` || p == `\renewcommand` || p == `\def`:
			return false // a formula defines nothing for the others here
		default:
			continue
		}
		if len(open) == 0 || open[len(open)-1] != close {
			return false
		}
		open = open[:len(open)-1]
	}
	return len(pieces) > 0 && len(open) == 0
}

// environment is the name in \begin{name} or \end{name}.
func environment(p string) (string, bool) {
	if !strings.HasPrefix(p, `\begin`) && !strings.HasPrefix(p, `\end`) {
		return "", false
	}
	_, name, ok := strings.Cut(strings.TrimSuffix(p, "}"), "{")
	return name, ok
}

// pairDelimiters names closing brackets that close nothing, as in [0, 1), by
// commands: the converter complains of the characters on the error stream.
func pairDelimiters(tex string) string {
	var b strings.Builder
	var open []string
	before := ""
	for _, p := range piece.FindAllString(tex, -1) {
		grown := slices.Contains([]string{`\left`, `\right`, `\middle`}, before) || strings.HasPrefix(strings.ToLower(before), `\big`)
		before = p
		switch {
		case grown: // \left and \right pair by themselves
		case p == "(" || p == "[" || p == "{":
			open = append(open, p)
		case p == ")" || p == "]" || p == "}":
			if n := len(open); n > 0 && open[n-1] == map[string]string{")": "(", "]": "[", "}": "{"}[p] {
				open = open[:n-1]
				break
			}
			if p != "}" {
				p = map[string]string{")": `\rparen `, "]": `\rbrack `}[p]
				break
			}
			for n := len(open); n > 0; n = len(open) { // brackets do not reach over braces
				last := open[n-1]
				open = open[:n-1]
				if last == "{" {
					break
				}
			}
		}
		b.WriteString(p)
	}
	return b.String()
}
