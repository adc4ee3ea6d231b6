package backend

import (
	"regexp"
	"slices"
	"strings"
)

// statement is an operation of a StableHLO program as go-xla writes it, or a line that is none.
type statement struct {
	text string
	// op is the operation's name, without "stablehlo."; of a broadcast_in_dim that copies its argument along new axes,
	// and does no more, with the axes that the argument has in the result, as in broadcast_in_dim[1].
	op                 string
	results, arguments []string
}

type statements []statement

var (
	opening   = regexp.MustCompile(`^    (?:(%\w+(?:, %\w+)*) = )?"(?:stablehlo\.)?([\w.]+)"\((%\w+(?:, %\w+)*)?\)`)
	broadcast = regexp.MustCompile(`^ \{ broadcast_dimensions = array<i64(?:: )?([\d, ]*)> \} : \(tensor<(?:([\dx]+)x)?f32>\) -> tensor<([\dx]+)xf32>\n$`)
	resulting = regexp.MustCompile(`-> tensor<([\dx]+)xf32>\n$`)
)

// statementsOf divides a program.
func statementsOf(code []byte) (all statements) {
	for line := range strings.Lines(string(code)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(all) > 0 && !strings.HasPrefix(line, "    %") && !strings.HasPrefix(line, `    "`) {
			all[len(all)-1].text += line
			continue
		}
		s := statement{text: line}
		if part := opening.FindStringSubmatch(line); part != nil {
			s.op, s.results, s.arguments = part[2], strings.Split(part[1], ", "), strings.Split(part[3], ", ")
			s.op += copied(line[len(part[0]):])
		}
		all = append(all, s)
	}
	return all
}

// copied are the axes of a broadcast as statement has them, by what follows its argument; "" for what is none.
func copied(text string) string {
	part := broadcast.FindStringSubmatch(text)
	if part == nil {
		return ""
	}
	axes, from, to := integers(part[1], ", "), integers(part[2], "x"), integers(part[3], "x")
	for i, axis := range axes {
		if len(from) != len(axes) || from[i] != to[axis] {
			return ""
		}
	}
	return "[" + part[1] + "]"
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

// match reports whether statements begin with the pattern, and adds to names what theirs stand for. What the pattern does
// not make is made before.
func (p pattern) match(all statements, names map[string]string) (dims []int, ok bool) {
	if len(all) < len(p) {
		return nil, false
	}
	var made, given []string // names of the pattern
	for i, step := range p {
		s := all[i]
		own, ok := s.dims()
		if s.op != step[1] || len(s.arguments) != len(step)-2 || !ok || i > 0 && !slices.Equal(own, dims) {
			return nil, false
		}
		dims = own
		made, given = append(made, step[0]), append(given, step[2:]...)
		for k, name := range slices.Concat(step[:1], step[2:]) {
			value := slices.Concat(s.results, s.arguments)[k]
			if known, ok := names[name]; ok && known != value {
				return nil, false
			}
			names[name] = value
		}
	}
	for _, name := range given {
		for _, step := range made {
			if name != step && !slices.Contains(made, name) && names[name] == names[step] {
				return nil, false
			}
		}
	}
	return dims, true
}
