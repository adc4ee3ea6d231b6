package backend

import (
	"regexp"
	"slices"
	"strings"
)

// statement is an operation of a StableHLO program as go-xla writes it, or a line that is none.
type statement struct {
	text               string
	op                 string // of broadcast_in_dim with the axes that it goes to, as in broadcast_in_dim[1]
	results, arguments []string
}

type statements []statement

var (
	opening   = regexp.MustCompile(`^    (?:(%\w+(?:, %\w+)*) = )?"stablehlo\.(\w+)"\((%\w+(?:, %\w+)*)?\)`)
	broadcast = regexp.MustCompile(`^ \{ broadcast_dimensions = array<i64(?:: )?([\d, ]*)> \}`)
	resulting = regexp.MustCompile(`-> tensor<([\dx]+)xf32>\n$`)
)

// statementsOf divides a program.
func statementsOf(code []byte) (all statements) {
	for line := range strings.Lines(string(code)) {
		switch part := opening.FindStringSubmatch(line); {
		case part != nil:
			s := statement{text: line, op: part[2], results: strings.Split(part[1], ", "), arguments: strings.Split(part[3], ", ")}
			if axes := broadcast.FindStringSubmatch(line[len(part[0]):]); axes != nil {
				s.op += "[" + axes[1] + "]"
			}
			all = append(all, s)
		case len(all) > 0 && all[len(all)-1].op != "":
			all[len(all)-1].text += line
		default:
			all = append(all, statement{text: line})
		}
	}
	return all
}

func (all statements) code() []byte {
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.text)
	}
	return []byte(b.String())
}

// dims are those of a statement's one result of float32; ok is false for others.
func (s statement) dims() (dims []int, ok bool) {
	part := resulting.FindStringSubmatch(s.text)
	if part == nil || len(s.results) != 1 {
		return nil, false
	}
	return integers(part[1], "x"), true
}

// pattern is a succession of statements on tables of the same dims: what each makes, its op, its arguments.
type pattern [][]string

func parsePattern(text string) (p pattern) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		p = append(p, strings.Fields(line))
	}
	return p
}

// match reports whether statements begin with the pattern. It adds to names what theirs stand for.
func (p pattern) match(all statements, names map[string]string) (dims []int, ok bool) {
	if len(all) < len(p) {
		return nil, false
	}
	for i, step := range p {
		s := all[i]
		own, ok := s.dims()
		if s.op != step[1] || !ok || i > 0 && !slices.Equal(own, dims) {
			return nil, false
		}
		dims = own
		given := append(slices.Clone(s.results), s.arguments...)
		for k, name := range slices.Concat(step[:1], step[2:]) {
			if known, ok := names[name]; k >= len(given) || ok && known != given[k] {
				return nil, false
			}
			names[name] = given[k]
		}
	}
	return dims, true
}
