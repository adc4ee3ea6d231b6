package source

import (
	"regexp"
	"slices"
	"strings"
)

// commands are what a line may begin with that is no Go.
var commands = [...]string{
	"%%", "%%bash", "%%gx", "%%script", "%%sh", "%%writefile", "%args", "%autoget", "%capture", "%cd", "%env", "%exec", "%goflags", "%goworkfix",
	"%help", "%list", "%ls", "%main", "%noautoget", "%remove", "%reset", "%rm", "%test", "%track", "%untrack", "%version",
	"%wasm", "%widgets", "%widgets_hb", "%with_inputs", "%with_password",
}

// Commands returns the commands that begin like the line up to the cursor, and where the line begins, in code points.
func Commands(code string, cursor int) (matches []string, start int) {
	runes := []rune(code)
	if cursor < 0 || cursor > len(runes) {
		return nil, cursor
	}
	for start = cursor; start > 0 && runes[start-1] != '\n'; start-- {
	}
	prefix := string(runes[start:cursor])
	if !strings.HasPrefix(prefix, "%") {
		return nil, cursor
	}
	for _, c := range commands {
		if strings.HasPrefix(c, prefix) {
			matches = append(matches, c)
		}
	}
	return matches, start
}

// Unknown returns the first command of a cell that there is not, such as %matplotlib, and those that there are; own is a
// command besides GoNB's. GoNB itself only says so and goes on.
func Unknown(code, own string) (name string, known []string) {
	c := Parse(code)
	if c.Foreign {
		return "", nil
	}
	known = commands[:]
	if own != "" {
		known = append(slices.Clone(known), own)
		slices.Sort(known)
	}
	for _, l := range c.lines {
		if l.kind == goLine || l.continues {
			continue
		}
		text := strings.TrimPrefix(l.text, commentPrefix)
		rest, ok := strings.CutPrefix(text, "%")
		if words := strings.Fields(rest); ok && len(words) > 0 {
			if name := "%" + words[0]; !slices.Contains(known, name) {
				return name, known
			}
		}
	}
	return "", nil
}

// Step is a part of a cell that GoNB runs at once.
type Step struct {
	Code string
	// Shell is the line, without its "!", where the step is one for a shell.
	Shell string
	// Foreign says that the step is a script of another language, which may fail as a line for a shell does.
	Foreign bool
	// Background says that the shell leaves something running.
	Background bool
}

// forShell are the commands that a line for a shell needs before it.
var forShell = [...]string{"%env", "%cd", "%with_inputs", "%with_password"}

// Steps parts a cell that is given to GoNB, so that what a line for a shell finds stops what comes after it: GoNB would
// go on. Lines keep their numbers, and those that begin with "package" and are no package clause are kept from GoNB, which
// would leave them out. Each line for a shell begins with the text that status and background give: the one
// is to tell how the shell ends, the other, in addition, to part what it leaves running from it.
func Steps(code, status, background string) []Step {
	c := Parse(code)
	if c.Foreign {
		return []Step{{Code: code, Foreign: !strings.HasPrefix(strings.TrimPrefix(code, commentPrefix), "%%writefile")}}
	}
	var steps []Step
	pending := make([]string, len(c.lines)) // of the step to come
	rest := make([]string, len(c.lines))    // what is no line for a shell
	empty := true                           // rest is
	for i := 0; i < len(c.lines); {
		end := i + 1
		for end < len(c.lines) && c.lines[end].continues {
			end++
		}
		text := strings.TrimPrefix(c.lines[i].text, commentPrefix)
		words := strings.Fields(text)
		switch {
		case c.lines[i].kind == commandLine && strings.HasPrefix(text, "!"):
			shell, at := shellLine(c.lines[i:end])
			s := Step{Shell: shell, Background: single.MatchString(shell)}
			prefix := status
			if s.Background {
				prefix += background
			}
			for k := i; k < end; k++ {
				pending[k] = c.lines[k].text
			}
			pending[i] = c.lines[i].text[:at] + prefix + c.lines[i].text[at:]
			s.Code = strings.Join(pending, "\n")
			steps = append(steps, s)
			clear(pending)
		case c.lines[i].kind == commandLine && len(words) > 0 && slices.Contains(forShell[:], words[0]):
			for k := i; k < end; k++ {
				pending[k] = c.lines[k].text
			}
		default:
			for k := i; k < end; k++ {
				rest[k] = c.lines[k].forGoNB()
				empty = empty && strings.TrimSpace(rest[k]) == ""
			}
		}
		i = end
	}
	for i, text := range pending {
		if text != "" {
			rest[i], empty = text, false
		}
	}
	if len(steps) == 0 || !empty {
		steps = append(steps, Step{Code: strings.Join(rest, "\n")})
	}
	return steps
}

// single finds a single & that parts commands; one in quotes does no harm.
var single = regexp.MustCompile(`(?:^|[^&<>|\\])&(?:[^&>]|$)`)

// shellLine returns what the shell is given, and where in the first line it begins.
func shellLine(lines []line) (shell string, at int) {
	first := lines[0].text
	at = len(first) - len(strings.TrimPrefix(first, commentPrefix)) + 1
	at += len(first[at:]) - len(strings.TrimLeft(first[at:], " \t"))
	if strings.HasPrefix(first[at:], "*") { // in GoNB's folder
		at++
	}
	for i, l := range lines {
		text := l.text
		if i == 0 {
			text = text[at:]
		}
		shell += strings.TrimSuffix(strings.TrimPrefix(text, commentPrefix), `\`)
	}
	return strings.TrimSpace(shell), at
}
